"""The stages of ``method=universal``: constructing a ticket, and measuring what a network computes."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import torch

from lotto.mask import Mask
from lotto.stages import Tensors, mask_counts, mask_in, model_of, streams_of, under
from lotto.training.network import load_state, state_of
from lotto.universal.construction import construct
from lotto.universal.measure import measure, points_of
from lotto.universal.subset_sum import SOLVERS
from lotto.universal.targets import Target, target_of


def construct_stage(fields: Mapping[str, Any], parents: Mapping[str, Tensors]) -> tuple[Tensors, dict[str, Any]]:
    """The ticket: the random network's own weights, those outside the mask zero."""
    model = model_of(fields)
    weights = under(parents["weights"], "weights/")
    load_state(model, weights)
    made = construct(model, _target(fields), fields["candidates"], SOLVERS[fields["solver"]])
    tensors = {f"weights/{name}": tensor for name, tensor in made.mask.apply(weights).items()}
    numbers = {
        "candidates": fields["candidates"],
        "candidates_kept": made.used,
        "candidates_offered": made.offered,
        "density_offered": made.mask.remaining / _reached(made.mask, fields),
    }
    return tensors | {f"mask/{name}": kept.to(torch.uint8) for name, kept in made.mask.items()}, {
        **mask_counts(made.mask),
        "numbers": numbers,
    }


def approximate_stage(fields: Mapping[str, Any], parents: Mapping[str, Tensors]) -> tuple[Tensors, dict[str, Any]]:
    """What the network that a ticket, a control or the initialisation is computes, beside what it should."""
    model = model_of(fields)
    load_state(model, under(parents["start"], "weights/"))
    mask = mask_in(parents["start"]) or Mask.ones(state_of(model))
    numbers = measure(model, _target(fields), points_of(fields["points"], streams_of(fields)))
    return {}, {
        **mask_counts(mask),
        "train_steps": 0,
        "numbers": {"target": fields["model"]["target"]["name"], **numbers},
    }


def _target(fields: Mapping[str, Any]) -> Target:
    """What is drawn of a target is drawn for each replicate."""
    return target_of(fields["model"]["target"], streams_of(fields).number("target"))


def _reached(mask: Mask, fields: Mapping[str, Any]) -> float:
    """Weights of a network that holds no more candidates than the level may use: all layers are wide in proportion to them."""
    return mask.total * fields["candidates"] / float(fields["model"]["candidates"])
