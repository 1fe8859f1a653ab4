"""The cheap stages: parents' artifacts in, one artifact out. Training is ``lotto.training``'s."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any

import torch
from hydra.utils import get_method
from torch import Tensor, nn

from lotto.controls.origin import Origin, Regroup, Start
from lotto.data.interface import Data
from lotto.mask import Mask
from lotto.models.build import build
from lotto.residual.selection import drawn_blocks, even_blocks
from lotto.seeds import Streams
from lotto.slimming import gone_with
from lotto.stage import Stage
from lotto.starts.fitting import fitted
from lotto.starts.source import Source
from lotto.store import Store
from lotto.structures.grouping import families_of
from lotto.structures.masks import regrouped_mask
from lotto.structures.request import Structure
from lotto.training.network import state_of
from lotto.zeroed import Zeroed, pinned, zero, zeroed_in, zeroed_tensors

Tensors = dict[str, Tensor]

_STATISTICS = {"running_mean": 0.0, "running_var": 1.0, "num_batches_tracked": 0}


def run_stage(
    stage: Stage, store: Store, data: Data | None = None, device: torch.device | None = None
) -> tuple[Tensors, dict[str, Any]]:
    """Compute a stage that does not train.

    Args:
        data: what the stage's criterion looks at, if it looks at data.
        device: where scores are computed; the CPU if None.

    Returns:
        The artifact's tensors (``weights/``, ``mask/``, ``optimizer/`` and a parameter's name) and its results.
    """
    if stage.source is not None:
        return _read(stage.fields, stage.source)
    parents = {role: store.tensors(parent.key) for role, parent in stage.parents.items()}
    if stage.kind == "prune":
        from lotto.pruning.run import run_prune  # it needs what is defined here

        return run_prune(stage.fields, parents, data, device or torch.device("cpu"))
    if stage.kind == "overlap":
        from lotto.pruning.run_overlap import run_overlap

        return run_overlap(stage.fields, parents)
    if stage.kind == "head":
        from lotto.models.run_head import run_head

        return run_head(stage.fields, parents)
    return _RUN[stage.kind](stage.fields, parents)


def under(tensors: Mapping[str, Tensor], prefix: str) -> Tensors:
    """The tensors of an artifact below ``prefix``, by the rest of their names."""
    return {name.removeprefix(prefix): tensor for name, tensor in tensors.items() if name.startswith(prefix)}


def mask_in(tensors: Mapping[str, Tensor]) -> Mask | None:
    """The artifact's mask, or None if it has none: a dense network."""
    found = under(tensors, "mask/")
    return Mask(found) if found else None


def mask_of(tensors: Mapping[str, Tensor], start: Mapping[str, Tensor]) -> Mask | None:
    """The mask of a trained network: its own where training moved it, else that of what it was trained from."""
    own = mask_in(tensors)
    return mask_in(start) if own is None else own


def model_of(fields: Mapping[str, Any], number: int = 0) -> nn.Module:
    """The module that a stage's fields describe, its weights drawn from the stream of that number."""
    return build(fields["model"], tuple(fields["input_shape"]), fields["classes"], number)


def streams_of(fields: Mapping[str, Any]) -> Streams:
    return Streams(fields["seed"], fields["replicate"], fields.get("noise", 0))


def _init(fields: Mapping[str, Any], parents: Mapping[str, Tensors]) -> tuple[Tensors, dict[str, Any]]:
    """theta_0: drawn from the replicate's stream ``init``."""
    model = model_of(fields, streams_of(fields).number("init"))
    return {f"weights/{name}": tensor.detach() for name, tensor in state_of(model).items()}, {}


def _read(fields: Mapping[str, Any], source: Source) -> tuple[Tensors, dict[str, Any]]:
    """theta_0 out of a file; a classifier that is to be fresh from the replicate's stream ``init``."""
    model = model_of(fields, streams_of(fields).number("init") if "seed" in fields else 0)
    drawn = {name: tensor.detach() for name, tensor in state_of(model).items()}
    read = fitted(source.read(), model, source.head, source.words)
    weights = drawn | dict(read.weights)
    if read.mask is None:
        return {f"weights/{name}": tensor for name, tensor in weights.items()}, {}
    return ticket_artifact(Start(read.mask.apply(weights), read.mask), read.zeroed, fields, {})


def _rewind(fields: Mapping[str, Any], parents: Mapping[str, Tensors]) -> tuple[Tensors, dict[str, Any]]:
    """The ticket: w = m * w_k, bit for bit, and what belongs to it. Without a mask w_k of the dense network, to train copies from.

    ``unpruned`` leaves w_k whole beside the mask, for a search that may bring pruned weights back.
    """
    mask = mask_in(parents.get("mask", {}))
    weights = under(parents["weights"], "weights/")
    if mask is None:
        return {f"weights/{name}": tensor for name, tensor in weights.items()} | followed(fields, parents, Mask({})), {}
    if not fields.get("unpruned"):
        weights = mask.apply(weights)
    if fields["batch_norm"] == "keep" and "trained" in parents:
        trained = under(parents["trained"], "weights/")
        weights |= {name: trained[name] for name in weights if _is_statistic(name)}
    elif fields["batch_norm"] == "reset":
        weights |= {
            name: torch.full_like(weights[name], _STATISTICS[name.rpartition(".")[2]])
            for name in weights
            if _is_statistic(name)
        }
    return ticket_artifact(Start(weights, mask), zeroed_in(parents["mask"]), fields, parents)


def _control(fields: Mapping[str, Any], parents: Mapping[str, Tensors]) -> tuple[Tensors, dict[str, Any]]:
    """What a control makes of a ticket, masked."""

    def fresh(number: int) -> Tensors:
        return {name: tensor.detach() for name, tensor in state_of(model_of(fields, number)).items()}

    ticket_mask = mask_in(parents["ticket"])
    assert ticket_mask is not None
    zeroed = zeroed_in(parents["ticket"])
    origin = Origin(
        ticket=Start(under(parents["ticket"], "weights/"), ticket_mask),
        weights=under(parents.get("weights", {}), "weights/"),
        fresh=fresh,
        streams=streams_of(fields),
        level=fields["level"],
        sample=fields["sample"],
        inverted=mask_in(parents.get("inverted", {})),
        regroup=_regroup(fields),
        zeroed=zeroed.keys(),
        **_of_blocks(fields),
    )
    options = dict(fields["control"])
    start = get_method(options.pop("_target_"))(origin, **options)
    if zeroed and start.mask != ticket_mask:
        zeroed = gone_with(model_of(fields), tuple(fields["input_shape"]), start.mask)
    return ticket_artifact(Start(start.mask.apply(start.weights), start.mask), zeroed, fields, parents)


def _regroup(fields: Mapping[str, Any]) -> Regroup | None:
    """How a control of a structured ticket moves whole groups; None where single weights were pruned."""
    structure = Structure.from_fields(fields.get("structure"))
    if not structure.is_grouped:
        return None
    return lambda mask, scores: regrouped_mask(mask, scores, model_of(fields), tuple(fields["input_shape"]), structure)


def _of_blocks(fields: Mapping[str, Any]) -> dict[str, Any]:
    """How a control of a layer ticket chooses other blocks; nothing for other tickets."""
    structure = Structure.from_fields(fields.get("structure"))
    if structure.name != "residual":
        return {}
    (family,) = families_of(structure, model_of(fields), tuple(fields["input_shape"]))
    return {
        "redraw": lambda mask, generator: drawn_blocks(family, mask, generator),
        "spread": lambda mask: even_blocks(family, mask),
    }


def ticket_artifact(
    start: Start, zeroed: Zeroed, fields: Mapping[str, Any], parents: Mapping[str, Tensors]
) -> tuple[Tensors, dict[str, Any]]:
    """The artifact that a sparse network is trained from; its weights are masked."""
    weights = zero(start.weights, zeroed)
    tensors = {f"weights/{name}": tensor for name, tensor in weights.items()} | mask_tensors(start.mask)
    counted = mask_counts(start.mask) | ({"structured": True} if zeroed else {})
    return tensors | zeroed_tensors(zeroed) | followed(fields, parents, start.mask, zeroed), counted


def _sample(fields: Mapping[str, Any], parents: Mapping[str, Tensors]) -> tuple[Tensors, dict[str, Any]]:
    """A mask drawn from trained probabilities, and the weights that it leaves; statistics are those of the search."""
    from lotto.strong.supermask import drawn

    weights = under(parents["weights"], "weights/")
    searched = under(parents["found"], "weights/")
    weights |= {name: searched[name] for name in weights if _is_statistic(name)}
    generator = streams_of(fields).generator("sample", fields["sample"])
    left, kept = drawn(under(parents["found"], "scores/"), weights, generator, fields["rescale"])
    mask = Mask(kept)
    return {f"weights/{name}": tensor for name, tensor in left.items()} | mask_tensors(mask), mask_counts(mask)


def _construct(fields: Mapping[str, Any], parents: Mapping[str, Tensors]) -> tuple[Tensors, dict[str, Any]]:
    """A ticket that is constructed for a function."""
    from lotto.universal.stages import construct_stage  # which is written in terms of this module

    return construct_stage(fields, parents)


def _approximate(fields: Mapping[str, Any], parents: Mapping[str, Tensors]) -> tuple[Tensors, dict[str, Any]]:
    """How far a network is from a function."""
    from lotto.universal.stages import approximate_stage

    return approximate_stage(fields, parents)


def _draw(fields: Mapping[str, Any], parents: Mapping[str, Tensors]) -> tuple[Tensors, dict[str, Any]]:
    """A ticket out of the middle of a training."""
    from lotto.early_bird.stages import draw_stage

    return draw_stage(fields, parents)


def followed(
    fields: Mapping[str, Any], parents: Mapping[str, Tensors], mask: Mask, zeroed: Zeroed | None = None
) -> Tensors:
    """The masked optimizer state of the parent ``weights``, if it is to follow them: pruned weights must not move through it."""
    held = {name: ~zero for name, zero in pinned(mask, zeroed or {}).items()}
    followed: Tensors = {}
    if fields.get("optimizer_state") == "follow":
        for path, slot in under(parents["weights"], "optimizer/").items():
            name = path.partition("/")[2]
            masked = name in held and slot.shape == held[name].shape
            followed[f"optimizer/{path}"] = slot * held[name].to(slot.dtype) if masked else slot
    return followed


def _is_statistic(name: str) -> bool:
    return name.rpartition(".")[2] in _STATISTICS


def mask_tensors(mask: Mask) -> Tensors:
    """A mask as an artifact holds it."""
    return {f"mask/{name}": tensor.to(torch.uint8) for name, tensor in mask.items()}


def mask_counts(mask: Mask) -> dict[str, Any]:
    """What the record of an artifact says of its mask."""
    return {
        "weights_remaining": mask.remaining,
        "weights_total": mask.total,
        "layers": {name: [count, mask[name].numel()] for name, count in mask.counts().items()},
    }


_RUN: dict[str, Callable[[Mapping[str, Any], Mapping[str, Tensors]], tuple[Tensors, dict[str, Any]]]] = {
    "init": _init,
    "rewind": _rewind,
    "control": _control,
    "construct": _construct,
    "sample": _sample,
    "approximate": _approximate,
    "draw": _draw,
}
