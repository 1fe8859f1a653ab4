"""Universal tickets: a mask, and no training, makes a random network compute a given function (Burkholz et al. 2022).

Every weight of a small exact network of the target is replaced by the best subset of n random products
(``lotto.universal.construction``), so that log(1 / e) candidates a weight suffice for an error of e (``lotto.universal.subset_sum``). The
model is a random network with room for ``model.candidates`` candidates a weight (``lotto.models.candidates``), the data are the points at
which the error is taken.

Level 0 is that random network, whole; level L >= 1 its ticket that uses ``candidates[L - 1]`` of them, each time the first, so that
candidates are nested. ``solver`` is ``exact`` or ``greedy``. Replicates are draws of the network. Of the authors' setting we have the
distribution of weights, the widths, the numbers of pieces and the sizes of subsets, but not how widths and candidates belong together.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from functools import partial

from lotto.entry import Entry
from lotto.errors import BadRequest
from lotto.fields import choice, list_of, whole
from lotto.recipe import Recipe
from lotto.universal.planning import approximate, construct

MODEL = "lotto.models.candidates.CandidateNetwork"
SOLVERS = ("exact", "greedy")


def entries(recipe: Recipe, candidates: Sequence[int], solver: str) -> Iterator[Entry]:
    """Level 0 is the random network; every further level constructs a ticket of it anew.

    Raises:
        BadRequest: the model holds no candidates, or fewer than are asked for.
    """
    numbers = _checked(recipe, candidates)
    choice("method.solver", solver, SOLVERS)
    yield recipe.dense_entry(approximate(recipe, recipe.init()))
    for level in range(1, recipe.levels):
        ticket = construct(recipe, numbers[level - 1], solver)
        yield from recipe.entries(level, ticket, approximate(recipe, ticket), train=partial(approximate, recipe))


def _checked(recipe: Recipe, candidates: Sequence[int]) -> list[int]:
    """The numbers of candidates, of which the model has enough and the schedule not more levels than there are."""
    model, rewind = recipe.spec.model, recipe.spec.rewind
    if model["_target_"] != MODEL:
        raise BadRequest(
            f"method=universal constructs tickets of random networks that hold candidates, and model._target_={model['_target_']} does "
            "not: choose one of experiment=universal/…, or model=candidates with data=cube."
        )
    if "low" not in recipe.spec.data.identity:
        raise BadRequest(
            f"method=universal approximates a function on a cube, and data={recipe.spec.data.identity['name']} is "
            "none: choose data=cube."
        )
    if (rewind.to, rewind.at) != ("weights", 0):
        raise BadRequest(
            f"method=universal trains nothing that rewind.to={rewind.to}, rewind.at={rewind.at} could go back to: rewind=weights at 0."
        )
    numbers = [whole("method.candidates", number, 1) for number in list_of("method.candidates", candidates)]
    if len(numbers) < recipe.levels - 1:
        raise BadRequest(
            f"schedule.levels={recipe.levels} asks for {recipe.levels - 1} levels behind the random network, and "
            f"method.candidates={numbers} lists {len(numbers)}."
        )
    if max(numbers) > model["candidates"]:
        raise BadRequest(f"method.candidates={numbers} asks for more than model.candidates={model['candidates']}.")
    return numbers
