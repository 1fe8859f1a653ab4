"""Scores and masks for any PyTorch module, without a plan or a store."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import Any

import torch
from torch import Tensor, nn

from lotto.errors import BadRequest
from lotto.fields import near
from lotto.mask import Mask
from lotto.models.anatomy import kinds
from lotto.pruning.allocate import Rule
from lotto.pruning.prune import prune_mask
from lotto.schedule import Density

Criterion = Callable[..., dict[str, Tensor]]


def scores(model: nn.Module, criterion: str | Criterion, **options: Any) -> dict[str, Tensor]:
    """How much every prunable weight counts: float32 tensors by parameter name, higher is kept. The model is unchanged, bit for bit.

    Args:
        model: any module; the weights of its convolutions and linear layers are prunable.
        criterion: the name of a file in ``conf/prune`` (``magnitude``), or a function from a module to its scores.
        options: the criterion's own, such as ``batches=[(x, y)]`` for one that looks at data.

    Raises:
        BadRequest: no criterion has that name, it does not take these options, or it left out a prunable weight.
    """
    function, defaults = (criterion, {}) if callable(criterion) else _named(criterion)
    try:
        found = function(model, **{**defaults, **options})
    except TypeError as reason:
        raise BadRequest(f"The criterion {criterion} cannot be called like this: {reason}.") from None
    parameters = dict(model.named_parameters())
    for name in kinds(model):
        if name not in found or found[name].shape != parameters[name].shape:
            raise BadRequest(f"The criterion {criterion} gives no scores in the shape of {name}.")
    return found


def prune(
    model: nn.Module,
    criterion: str | Criterion,
    density: float,
    allocation: str = "global",
    rate: float | Mapping[str, float] = 0.2,
    exclude: Sequence[str] = (),
    mask: Mask | None = None,
    **options: Any,
) -> Mask:
    """The mask that leaves ``density`` of all prunable weights, those that score highest. Exact: never one weight more or less.

    Args:
        model: any module; it is unchanged: apply the mask with ``mask.apply_(model)``.
        criterion: as in ``scores``.
        density: weights that remain as a fraction of all prunable ones, excluded ones included.
        allocation: ``global``, or ``layerwise``.
        rate: for ``layerwise``, one rate per kind of layer gives the relation of the layers' densities; see ``allocate``.
        exclude: kinds of layer or patterns of parameter names that keep all their weights.
        mask: what remains before, if the model is sparse already.
        options: the criterion's own.

    Raises:
        BadRequest: the density lies outside (0, 1) or cannot be met.
    """
    if not 0 < density < 1:
        raise BadRequest(f"density={density} lies outside (0, 1).")
    found = scores(model, criterion, **options)
    before = Mask.ones({name: found[name] for name in kinds(model)}) if mask is None else mask
    rule = Rule(allocation, rate, tuple(exclude))
    with torch.no_grad():
        return prune_mask(found, before, kinds(model), rule, Density(density))


def _named(name: str) -> tuple[Criterion, dict[str, Any]]:
    """The criterion that ``conf/prune/<name>.yaml`` names, and the options written there."""
    from hydra.utils import get_method
    from omegaconf import OmegaConf

    from lotto.compose import CONF

    known = sorted(path.stem for path in (CONF / "prune").glob("*.yaml") if not path.stem.startswith("_"))
    if name not in known:
        raise BadRequest(f"{name} is no criterion of lotto: choose from {', '.join(known)}{near(name, known) or '.'}")
    config: Any = OmegaConf.to_container(OmegaConf.load(CONF / "prune" / f"{name}.yaml"))
    options = dict(config["criterion"])
    return get_method(options.pop("_target_")), options
