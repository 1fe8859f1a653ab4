"""Running a prune stage: from a network in the store to the mask of the next level."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from typing import Any

import torch
from hydra.utils import get_method
from torch import Tensor, nn

from lotto.data.interface import Data
from lotto.mask import Mask
from lotto.models.anatomy import kinds
from lotto.pruning.allocate import Rule, round_budgets
from lotto.pruning.allocation.layers import Budget
from lotto.pruning.allocation.path import towards
from lotto.pruning.batches import draw
from lotto.pruning.criterion import Batch, Surroundings, ask, criterion_name
from lotto.pruning.prune import emptied, layers_of, prune_in_rounds
from lotto.schedule import Target, from_fields
from lotto.seeds import Streams
from lotto.stages import Tensors, mask_counts, mask_in, mask_tensors, model_of, under
from lotto.structures.masks import regrouped_mask, structured_mask, zeroed_with
from lotto.structures.request import Structure
from lotto.structures.rounds import OnTheWay
from lotto.training.network import load_state
from lotto.zeroed import zeroed_in, zeroed_tensors


def run_prune(
    fields: Mapping[str, Any], parents: Mapping[str, Tensors], data: Data | None, device: torch.device
) -> tuple[Tensors, dict[str, Any]]:
    """The mask that a criterion's scores leave, and its counts; ``emptied`` names layers that are left without a weight,
    unless whole residual blocks are what is pruned.

    Args:
        fields: of the stage.
        parents: the tensors of the network ``trained``, of what remains of it if it is sparse, ``mask``, and of the mask whose counts
            every layer is to keep if the schedule does not say, ``counts``; for criteria that look at it the ``initial`` network.
        data: where the criterion looks at images.
    """
    model = model_of(fields)
    load_state(model, under(parents["trained"], "weights/"))
    model.to(device)
    kind = kinds(model)
    before = mask_in(parents.get("mask", {})) or Mask.ones({name: model.get_parameter(name).cpu() for name in kind})
    options = dict(fields["criterion"])
    function = get_method(options.pop("_target_"))
    batches = _batches(fields, data, device)
    sign = -1 if fields.get("keep") == "lowest" else 1

    def score(number: int, left: Mask) -> Mapping[str, Tensor]:
        found = ask(function, options, model, left, _surroundings(fields, parents, batches(number), number))
        return {name: sign * tensor for name, tensor in found.items()}

    structure = Structure.from_fields(fields.get("structure"))
    zeroed = zeroed_in(parents.get("mask", {}))  # single weights of a structured ticket
    if structure.is_grouped:
        mask, zeroed = _structured(fields, parents, before, model.cpu(), structure, score)
    else:
        mask = prune_in_rounds(score, before, _rounds(fields, parents, before, kind), fields.get("regrow", False))
    # Beside the branch of a residual block is the identity: without it everything else learns on.
    empty = [] if structure.name == "residual" else emptied(mask, before)
    return mask_tensors(mask) | zeroed_tensors(zeroed), mask_counts(mask) | ({"emptied": empty} if empty else {})


def _structured(
    fields: Mapping[str, Any],
    parents: Mapping[str, Tensors],
    before: Mask,
    model: nn.Module,
    structure: Structure,
    score: Callable[[int, Mask], Mapping[str, Tensor]],
) -> tuple[Mask, dict[str, Tensor]]:
    """The mask without whole groups of weights, and what goes with them."""
    shape = tuple(fields["input_shape"])
    if "counts" in parents:
        wanted = mask_in(parents["counts"])
        assert wanted is not None
        mask = regrouped_mask(wanted, score(0, before), model, shape, structure)
    else:
        on_the_way = OnTheWay(fields.get("rounds", 1), fields.get("path", "exponential"), fields.get("regrow", False))
        mask = structured_mask(score, before, model, shape, _rule(fields), _target(fields), structure, on_the_way)
    return mask, zeroed_with(mask, model, shape, structure)


def _rounds(
    fields: Mapping[str, Any], parents: Mapping[str, Tensors], before: Mask, kind: Mapping[str, str]
) -> Iterator[Sequence[Budget]]:
    rounds, path = fields.get("rounds", 1), fields.get("path", "exponential")
    layers = layers_of(before, kind)
    if "counts" in parents:
        wanted = mask_in(parents["counts"])
        assert wanted is not None
        return towards([Budget((name,), count) for name, count in wanted.counts().items()], layers, rounds, path)
    return round_budgets(layers, _rule(fields), _target(fields), rounds, path)


def _rule(fields: Mapping[str, Any]) -> Rule:
    rate = fields["rate"]
    return Rule(fields["allocation"], rate if isinstance(rate, float) else dict(rate), tuple(fields["exclude"]))


def _target(fields: Mapping[str, Any]) -> Target:
    return from_fields({name: fields[name] for name in ("target", "count", "value") if name in fields})


def _surroundings(
    fields: Mapping[str, Any], parents: Mapping[str, Tensors], batches: Sequence[Batch] | None, number: int
) -> Surroundings:
    name = criterion_name(fields["criterion"]["_target_"])
    # What neither draws nor looks at images is the same for every replicate, and its key does not name one.
    seed = Streams(fields["seed"], fields["replicate"]).number("prune", number) if "seed" in fields else 0
    initial = under(parents["initial"], "weights/") if "initial" in parents else None
    return Surroundings(name, batches, tuple(fields["input_shape"]), seed, initial)


def _batches(
    fields: Mapping[str, Any], data: Data | None, device: torch.device
) -> Callable[[int], Sequence[Batch] | None]:
    """The images of every round."""
    settings = fields.get("batches")
    if settings is None or data is None:
        return lambda number: None
    data.place(device)
    streams = Streams(fields["seed"], fields["replicate"])
    first = draw(data, settings, streams.generator("prune/batches", 0))

    def of_round(number: int) -> Sequence[Batch]:
        if number == 0 or not settings["redraw"]:
            return first
        return draw(data, settings, streams.generator("prune/batches", number))

    return of_round
