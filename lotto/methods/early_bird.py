"""Early-Bird tickets (You et al. 2020): channels are ranked by the scales of batch normalisation while the dense network trains.

The ticket of a prune ratio is drawn once the mask of its channels has settled, and trains on from the weights of that moment, along the
schedule, with a fresh optimizer (EB Train). What the schedule asks of weights it asks here of channels, the share of them that a level
keeps; all levels are watched in one training. ``lotto/early_bird`` says how masks, queue and distances are defined.

What never settles is drawn when the search ends, ``found_epoch`` is empty then, and the report says so.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from typing import Any

from lotto.early_bird.options import BRANCHES, DrawOptions, draw_options, prune_ratio, search_options
from lotto.early_bird.planning import drawn_network
from lotto.entry import Entry
from lotto.errors import BadRequest
from lotto.fields import choice, not_negative
from lotto.lengths import Length
from lotto.recipe import Recipe
from lotto.stage import Stage
from lotto.structures.request import Structure

SEARCH = "lotto.early_bird.search.EarlyBird"


def entries(
    recipe: Recipe,
    sparsity: float = 1e-4,
    epsilon: float = 0.1,
    num_masks: int = 5,
    until: str = "end",
    longest: str | None = None,
    draw: str = "found",
    weights: str = "current",
    start_at: str = "found",
    branches: Sequence[str] = (),
) -> Iterator[Entry]:
    """Level 0 is the dense network, level L keeps the share of channels that the schedule says.

    Args:
        sparsity: lambda of the penalty on scales, in the search and after it.
        epsilon: distance of masks above which they have not settled.
        num_masks: how many masks are compared.
        until: ``end`` watches the dense network's whole training, which is level 0 then: the search costs nothing beside it, and the
            map of distances is whole. ``found`` ends the search once all tickets are drawn; level 0 is then trained as for other
            methods, without lambda.
        longest: where a search ``until=found`` ends at the latest; None for the end of training.
        draw: ``found``, or a length such as ``20ep``: tickets of that moment, whatever the masks did.
        weights: the ticket's: ``current``, ``rewound`` to the rewinding point, or ``reinit``, drawn anew.
        start_at: where in the schedule it starts: at the step ``found``, or at ``rewind``.at.
        branches: what is trained beside the tickets and their controls: ``reinit_whole``, new weights for the ticket's channels trained
            along the whole schedule (EB Train re-init), and ``random_channels``, as many channels of every layer at random places.
    """
    penalty = not_negative("method.sparsity", sparsity)
    ratios = {level: prune_ratio(recipe.spec, level) for level in range(1, recipe.levels)}
    watched = search_options(epsilon, num_masks)
    options = draw_options(weights, start_at, branches)
    choice("method.until", until, ("found", "end"))
    regimen = {"_target_": SEARCH, "ratios": list(ratios.values()), **watched, "until": until}
    step = None
    if draw != "found":
        step = moment_of(recipe, draw)
        dense, source = recipe.dense(scale_penalty=penalty), recipe.dense_until(step, scale_penalty=penalty)
    elif until == "end":
        dense = source = recipe.dense(regimen if ratios else None, scale_penalty=penalty)
    else:
        dense, source = recipe.dense(), recipe.dense_until(limit_of(recipe, longest), regimen, penalty)
    yield recipe.dense_entry(dense)
    for level, ratio in ratios.items():
        yield from drawn(recipe, level, source, {"ratio": ratio, "step": step}, options, penalty)


def drawn(
    recipe: Recipe, level: int, source: Stage, moment: Mapping[str, Any], options: DrawOptions, penalty: float
) -> Iterator[Entry]:
    """The rows of a level: the ticket that ``source`` ends in or found, its controls, trained alike, and branches.

    Args:
        moment: ``ratio``, ``step`` (None for the moment that was found), and ``removes`` unless that is channels.
    """
    fields = {"weights": options.weights, "channels": "largest", "removes": "channels", **moment}
    ticket = drawn_network(recipe, source, level, fields)

    def train(start: Stage, start_at: str = options.start_at) -> Stage:
        return recipe.train(start, found=ticket if start_at == "found" else None, scale_penalty=penalty)

    trained, whole = train(ticket), drawn_network(recipe, source, level, {**fields, "removes": "nothing"})
    # A removed channel is a row of the convolution that makes it; controls move whole rows.
    structure = Structure("filter" if fields["removes"] == "channels" else "weight")
    yield from recipe.entries(level, ticket, trained, train=train, weights=whole, structure=structure)
    for name in options.branches:
        changes, start_at = BRANCHES[name]
        start = drawn_network(recipe, source, level, {**fields, **changes})
        yield Entry(name, level, recipe.replicate, 0, start, train(start, start_at or options.start_at), trained)


def moment_of(recipe: Recipe, written: str) -> int:
    """The step of ``method.draw``."""
    train = recipe.spec.train
    step = Length.parse(written, "method.draw").steps(train.steps_per_epoch)
    if not 1 <= step <= train.steps:
        raise BadRequest(
            f"method.draw={written} is step {step}: found, or a length between 1 and train.steps={train.steps}."
        )
    return step


def limit_of(recipe: Recipe, written: str | None) -> int:
    """The step of ``method.longest``."""
    train = recipe.spec.train
    if written is None:
        return train.steps
    step = Length.parse(written, "method.longest").steps(train.steps_per_epoch)
    if not 1 <= step <= train.steps:
        raise BadRequest(
            f"method.longest={written} is step {step}: null, or a length between 1 and train.steps={train.steps}."
        )
    return step
