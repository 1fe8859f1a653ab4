"""Scores and masks for any PyTorch module, without a plan or a store."""

from __future__ import annotations

import warnings
from collections.abc import Iterable, Mapping, Sequence
from typing import Any

import torch
from torch import Tensor, nn

from lotto.errors import BadRequest
from lotto.fields import choice, flag, near, whole
from lotto.mask import Mask
from lotto.models.anatomy import kinds
from lotto.pruning.allocate import Rule, round_budgets
from lotto.pruning.allocation.path import PATHS
from lotto.pruning.criterion import Batch, Criterion, Surroundings, ask, reseeded
from lotto.pruning.prune import emptied, emptied_sentence, layers_of, prune_in_rounds
from lotto.schedule import Density
from lotto.seeds import Streams
from lotto.slimming import shape_of_input
from lotto.structures.masks import structured_mask
from lotto.structures.request import Structure
from lotto.structures.rounds import OnTheWay


def scores(
    model: nn.Module,
    criterion: str | Criterion,
    *,
    batches: Iterable[Batch] | None = None,
    input_shape: Sequence[int] | None = None,
    mask: Mask | None = None,
    seed: int = 0,
    **options: Any,
) -> dict[str, Tensor]:
    """How much every prunable weight counts, in one round: higher is kept. The model is unchanged, bit for bit.

    Nothing else changes either: gradients, flags, running statistics, random state.

    Args:
        model: any module that can be copied; the weights of its convolutions and linear layers are prunable.
        criterion: the name of a file in ``conf/prune`` (``magnitude``, ``snip``, …), or a function from a module to its scores.
        batches: inputs and labels, for a criterion that looks at data: ``[(x, y)]``, x float ``[B, ...]`` and y int64 ``[B]``.
        input_shape: of one input, for a criterion that needs it; unless given, that of the batches.
        mask: what remains, if the model is sparse.
        seed: of what the criterion or the model draws.
        options: the criterion's own.

    Returns:
        Tensors by parameter name, in the weights' shapes: float32, or float64 where the criterion needs it or the model is of float64.

    Raises:
        BadRequest: no criterion has that name, it does not take these options, lacks its data, or left out a prunable weight.
        LottoError: a score is not a number.
    """
    function, defaults, _ = _found(criterion)
    surroundings = _surroundings(criterion, batches, input_shape)
    return ask(function, {**defaults, **options}, model, mask, reseeded(surroundings, _number(seed, 0)))


def prune(
    model: nn.Module,
    criterion: str | Criterion,
    density: float,
    allocation: str = "global",
    rate: float | Mapping[str, float] = 0.2,
    exclude: str | Sequence[str] = (),
    mask: Mask | None = None,
    *,
    batches: Iterable[Batch] | None = None,
    input_shape: Sequence[int] | None = None,
    rounds: int | None = None,
    path: str | None = None,
    regrow: bool | None = None,
    seed: int = 0,
    structure: str | Structure = "weight",
    **options: Any,
) -> Mask:
    """The mask that leaves ``density`` of all prunable weights, those that score highest. Exact: never one weight more or less.

    A warning names the layers that are left without any weight.

    Args:
        model: any module; it is unchanged: apply the mask with ``mask.apply_(model)``.
        criterion: as in ``scores``.
        density: weights that remain as a fraction of all prunable ones, excluded ones included.
        allocation: ``global``, ``layerwise``, ``uniform``, ``erk``, ``er`` or ``balanced``.
        rate: for ``layerwise``, one rate per kind of layer gives the relation of the layers' densities; see ``allocate``.
        exclude: kinds of layer or patterns of parameter names that keep all their weights.
        mask: what remains before, if the model is sparse already.
        batches, input_shape, seed: as in ``scores``.
        rounds: how often it scores and prunes; unless given, as often as the criterion's file says, and once for a function.
        path: of the density over the rounds, ``exponential`` or ``linear``.
        regrow: whether what a round has pruned competes again in the next.
        structure: what is pruned at once: ``weight``, ``filter``, ``channel``, ``head``, ``block`` or ``nm``, or a ``Structure`` with
            options of its own. Where groups go, the count comes as near to the density as they allow; ``lotto.slim`` removes channels
            physically.
        options: the criterion's own.

    Raises:
        BadRequest: the density lies outside (0, 1] or cannot be met, or as ``scores``.
        LottoError: a score is not a number.
    """
    if isinstance(density, bool) or not isinstance(density, int | float) or not 0 < density <= 1:
        raise BadRequest(f"density={density} lies outside (0, 1].")
    function, defaults, procedure = _found(criterion)
    before = Mask.ones({name: model.get_parameter(name) for name in kinds(model)}) if mask is None else mask
    rule = Rule(allocation, rate, (exclude,) if isinstance(exclude, str) else tuple(exclude))
    rounds = whole("rounds", procedure.get("rounds", 1) if rounds is None else rounds, 1)
    path = choice("path", procedure.get("path", "exponential") if path is None else path, tuple(PATHS))
    regrow = flag("regrow", procedure.get("regrow", False) if regrow is None else regrow)
    if density == 1 and before.remaining == before.total:
        return before
    asked = structure if isinstance(structure, Structure) else Structure.read(structure, {})
    surroundings = _surroundings(criterion, batches, input_shape)

    def score(number: int, left: Mask) -> dict[str, Tensor]:
        return ask(function, {**defaults, **options}, model, left, reseeded(surroundings, _number(seed, number)))

    if asked.is_grouped:
        shape = surroundings.input_shape or (shape_of_input(model) if asked.name == "channel" else ())
        on_the_way = OnTheWay(rounds, path, regrow)
        return structured_mask(score, before, model, shape, rule, Density(density), asked, on_the_way)
    budgets = round_budgets(layers_of(before, kinds(model)), rule, Density(density), rounds, path)
    made = prune_in_rounds(score, before, budgets, regrow)
    if empty := emptied(made, before):
        warnings.warn(emptied_sentence(empty, surroundings.name), stacklevel=2)
    return made


def _number(seed: int, number: int) -> int:
    return Streams(seed, 0).number("prune", number)


def _surroundings(
    criterion: str | Criterion, batches: Iterable[Batch] | None, input_shape: Sequence[int] | None
) -> Surroundings:
    name = getattr(criterion, "__name__", str(criterion))
    with torch.random.fork_rng(devices=[]):  # a loader draws, and it is gone through once for all rounds
        given = None if batches is None else list(batches)
    for batch in given or ():
        if not (isinstance(batch, Sequence) and len(batch) == 2 and all(isinstance(part, Tensor) for part in batch)):
            raise BadRequest("batches is no list of pairs of tensors, inputs and labels: write batches=[(x, y)].")
    return Surroundings(name, given, None if input_shape is None else tuple(input_shape))


def _found(criterion: str | Criterion) -> tuple[Criterion, dict[str, Any], dict[str, Any]]:
    """The function, the options that its file in ``conf/prune`` gives it, and what else the file says."""
    if callable(criterion):
        return criterion, {}, {}
    from hydra.utils import get_method
    from omegaconf import OmegaConf

    from lotto.compose import CONF

    if not isinstance(criterion, str):
        raise BadRequest(
            f"{criterion} is no criterion: give the name of one, or a function from a module to its scores."
        )
    known = sorted(path.stem for path in (CONF / "prune").glob("*.yaml") if not path.stem.startswith("_"))
    if criterion not in known:
        raise BadRequest(
            f"{criterion} is no criterion of lotto: choose from {', '.join(known)}{near(criterion, known) or '.'}"
        )
    config: Any = OmegaConf.to_container(OmegaConf.load(CONF / "prune" / f"{criterion}.yaml"))
    options = dict(config["criterion"])
    return get_method(options.pop("_target_")), options, config
