"""The stages of methods whose mask moves while the network trains. Imports no torch."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from typing import Any

from lotto.dynamic.schedule import DECAYS
from lotto.entry import Entry
from lotto.errors import BadRequest
from lotto.fields import choice, flag, list_of
from lotto.fields import fraction as share
from lotto.lengths import Length, moment
from lotto.pruning.scoring import Scoring
from lotto.recipe import Recipe
from lotto.schedule import as_fields
from lotto.stage import Stage
from lotto.structures.request import Structure

GROWTH = ("random", "gradient", "random_unfired")
# Branches beside the ticket and its controls.
BESIDE = ("static", "frozen")
_MAGNITUDE = "lotto.pruning.magnitude.scores"


def moving_mask(recipe: Recipe, regimen: Mapping[str, Any], beside: object) -> Iterator[Entry]:
    """Level 0 is the dense network; at level L a mask of L's density moves while its network trains.

    The mask begins as that of pruning before training: by what ``prune`` says, of the weights of the rewinding point.

    Args:
        regimen: what moves the mask.
        beside: branches to be trained besides, of ``BESIDE``: see ``_beside``.
    """
    wanted = tuple(choice("method.beside", one, BESIDE) for one in list_of("method.beside", beside))
    yield recipe.dense_entry(recipe.dense())
    for level in range(1, recipe.levels):
        point = recipe.rewinding_point()
        start = recipe.rewind(point, recipe.prune(point, None, level, since=0))
        trained = recipe.train(start, regimen=regimen)
        found = recipe.rewind(trained, trained)
        yield from recipe.entries(level, found, trained, start=start)
        yield from _beside(recipe, wanted, level, trained, {"static": start, "frozen": found})


def _beside(
    recipe: Recipe, wanted: Sequence[str], level: int, trained: Stage, starts: Mapping[str, Stage]
) -> Iterator[Entry]:
    """What moving was worth: the first mask and the last one, trained without moving (static sparse training, and ``frozen``)."""
    for branch in wanted:
        start = starts[branch]
        yield Entry(branch, level, recipe.replicate, 0, start, recipe.train(start), trained)


def moving_regimen(
    recipe: Recipe,
    *,
    every: object,
    begin: object,
    end: object,
    fraction: object,
    decay: object,
    least: object,
    growth: object,
    replaces_step: object,
) -> dict[str, Any]:
    """The regimen of SET and RigL in steps, checked.

    Raises:
        BadRequest: an option is out of its range.
    """
    check_single_weights(recipe)
    made: dict[str, Any] = {
        "_target_": "lotto.dynamic.moving.MovingMask",
        "every": period(recipe, every),
        "begin": at(recipe, "begin", begin),
        "end": at(recipe, "end", end),
        "fraction": share("method.fraction", fraction),
        "decay": choice("method.decay", decay, DECAYS),
        "least": share("method.least", least),
        "growth": choice("method.growth", growth, GROWTH),
        "replaces_step": flag("method.replaces_step", replaces_step),
    }
    if made["least"] > made["fraction"]:
        raise BadRequest(f"method.least={least} lies above method.fraction={fraction}, which falls to it.")
    return made


def check_single_weights(recipe: Recipe) -> None:
    """Raises BadRequest where ``prune`` takes whole groups of weights: these regimens drop and grow single ones."""
    structure, method = recipe.spec.structure, recipe.spec.method_name
    if structure != Structure():
        raise BadRequest(
            f"prune.structure={structure.name} prunes whole groups, and method={method} moves single weights: choose "
            "prune.structure=weight."
        )


def at(recipe: Recipe, name: str, written: object) -> int:
    """A moment of training as a step."""
    train = recipe.spec.train
    return moment(written, f"method.{name}", train.steps, train.steps_per_epoch)


def period(recipe: Recipe, written: object) -> int:
    """The steps between two updates."""
    steps = Length.parse(written, "method.every").steps(recipe.spec.train.steps_per_epoch)
    if steps < 1:
        raise BadRequest(f"method.every={written} is too short: 1 iteration at least.")
    return steps


def gradual_regimen(
    recipe: Recipe, level: int, *, every: object, begin: object, end: object, initial: object, allow_regrow: object
) -> dict[str, Any]:
    """The regimen of gradual pruning to a level's density, in steps, checked.

    Raises:
        BadRequest: an option is out of its range, or ``prune`` names a criterion that it could not ask while training.
    """
    check_single_weights(recipe)
    criterion, scoring, rule = recipe.spec.criterion, recipe.spec.scoring, recipe.spec.rule
    if criterion != {"_target_": _MAGNITUDE} or scoring != Scoring():
        raise BadRequest(
            f"method=gmp prunes by magnitude while the network trains, and prune={recipe.spec.criterion_name} asks for something else: "
            "choose prune=magnitude as it stands."
        )
    made: dict[str, Any] = {
        "_target_": "lotto.dynamic.gradual.GradualPruning",
        "every": period(recipe, every),
        "begin": at(recipe, "begin", begin),
        "end": at(recipe, "end", end),
        "initial": share("method.initial", initial),
        "allow_regrow": flag("method.allow_regrow", allow_regrow),
        "rule": {
            "allocation": rule.allocation,
            "rate": rule.rate if isinstance(rule.rate, float) else dict(rule.rate),
            "exclude": list(rule.exclude),
        },
        "target": as_fields(recipe.spec.schedule.target(level, 0)),
    }
    if made["begin"] > made["end"]:
        raise BadRequest(f"method.begin={begin} lies behind method.end={end}.")
    return made
