"""What a control is trained from, as a stage. Imports no torch."""

from __future__ import annotations

from typing import TYPE_CHECKING

from lotto.errors import BadRequest
from lotto.request.control import ControlSpec
from lotto.stage import Stage
from lotto.structures.request import Structure

if TYPE_CHECKING:
    from lotto.recipe import Recipe


def control_stage(
    recipe: Recipe,
    control: ControlSpec,
    ticket: Stage,
    level: int,
    sample: int,
    weights: Stage | None = None,
    structure: Structure | None = None,
) -> Stage:
    """The weights and the mask of one sample of a control.

    Args:
        ticket: what it is the control of.
        weights: the unpruned weights that it takes, if not those of the rewinding point.
        structure: of what the ticket lacks, if not the request's.

    Raises:
        BadRequest: the control needs a criterion's scores, and the ticket's mask does not come from any.
    """
    fields = {
        **recipe.network(),
        **recipe.streams,
        "control": dict(control.config),
        "level": level,
        "sample": sample,
        "structure": (structure or recipe.spec.structure).as_fields(),
    }
    parents = {"ticket": ticket}
    if control.needs_weights:
        parents["weights"] = weights or recipe.rewinding_point()
        # The state belongs to the weights of the rewinding point: a control that keeps them keeps it as its ticket does.
        fields["optimizer_state"] = recipe.optimizer_state()
    if control.needs_scores:
        parents["inverted"] = _inverted(control.name, ticket)
    return Stage("control", fields, parents)


def _inverted(control: str, ticket: Stage) -> Stage:
    """The mask that the ticket's criterion leaves if in every layer as many weights of the lowest scores are kept.

    Raises:
        BadRequest: the ticket's mask does not come from a criterion's scores.
    """
    mask = ticket.parents.get("mask")
    if mask is None or mask.kind != "prune":
        raise BadRequest(
            f"controls=[{control}] turns a criterion's scores round, and this method's tickets are not pruned by any: drop this control."
        )
    return Stage("prune", {**mask.fields, "keep": "lowest"}, {**mask.parents, "counts": mask})
