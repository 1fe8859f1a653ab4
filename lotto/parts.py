"""Networks that are trained on parts of the data, and what joins them again: a common mask, other heads. Imports no torch."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import replace
from typing import Any

from lotto.data.part import Part, part_of
from lotto.errors import BadRequest
from lotto.recipe import Recipe
from lotto.request.train import TrainSpec
from lotto.stage import Stage


def of_part(recipe: Recipe, part: Part, train: Mapping[str, Any] | None = None) -> Recipe:
    """The recipe of a network that is trained on a part of the data; lengths in epochs are then the part's.

    Args:
        train: settings of ``train`` that differ.

    Raises:
        BadRequest: they cannot be read, or training would end before the rewinding point.
    """
    spec = recipe.spec
    data, config = part_of(spec.data, spec.data_config, part)
    settings = TrainSpec.read({**spec.request["train"], **(train or {})}, data, "method.train" if train else "train")
    if spec.rewind.at >= settings.steps:
        raise BadRequest(
            f"rewind.at={spec.rewind.at} is not before the end of training on data.part={config['part']}, which takes {settings.steps} "
            "steps: rewind to an earlier step."
        )
    return recipe.derived(replace(spec, data=data, data_config=config, train=settings))


def overlap(
    recipe: Recipe, masks: Sequence[Stage], before: Stage | None, spare: Sequence[str] = (), floor: int = 0
) -> Stage:
    """The weights that all of several copies keep.

    Args:
        masks: prune stages of the copies.
        before: the overlap that they were pruned from; None if they were dense.
        spare: as the copies were pruned.
        floor: weights that every layer keeps at least.
    """
    copies = {f"mask{number}": mask for number, mask in enumerate(masks)}
    trained = {f"trained{number}": mask.parents["trained"] for number, mask in enumerate(masks) if floor}
    fields = {**recipe.network(), "exclude": recipe.excluded(spare), "floor": floor}
    return Stage("overlap", fields, {**copies, **trained, **({"before": before} if before else {})})


def head(recipe: Recipe, body: Stage, weights: Stage | None = None, begun: Stage | None = None) -> Stage:
    """The network of this recipe with the body of another: its weights, its mask, and a head of its own.

    Args:
        weights: whose output layer it has, and whose optimizer state as far as the rewinding has any; freshly drawn if None.
        begun: what a trained body was trained from, which holds its mask where training did not move it.
    """
    state = {} if weights is None else {"optimizer_state": recipe.optimizer_state()}
    parents = {"body": body, **({"weights": weights} if weights else {})}
    if begun is not None and begun is not body:
        parents["begun"] = begun
    return Stage("head", {**recipe.network(), **recipe.streams, **state}, parents)
