"""Layer tickets: a network without some of its residual blocks (Jordao, Correa de Araújo, Maia & Pedrini 2023, arXiv 2301.10835).

A residual block computes y = x + f(x); without f it is the identity, and what is left is a shallower network of the same family, whose
parameters, FLOPs and training time really fall. Blocks that change the shape stay; the paper keeps their neighbours too
(``prune.protect=adjacent``).

``scored=init`` is the paper's search at initialisation: scores S_b of the blocks of theta_0 by SNIP or GraSP, the p lowest go, the rest is
trained from theta_0 (with a later ``rewind.at`` from there, and scored there). ``scored=trained`` is its lottery ticket search: scores of
the trained network (random, HRank, expectABS, PLS, KL; CKA is ours), the survivors go back to theta_i and train the n - i epochs left.
Both prune once for every p of ``schedule.removed``.

Not stated in the paper: how scores of weights make a block's (here the mean for SNIP, whose sum would favour wide stages, and the sum for
GraSP, which is the change of the gradient's squared length if the block's weights vanish), the training recipe, seeds and spreads.
The first block behind a stem sees what has gone through a ReLU, as do all others: relu(x + 0) = x there.
"""

from __future__ import annotations

from collections.abc import Iterator

from lotto.entry import Entry
from lotto.errors import BadRequest
from lotto.fields import choice
from lotto.recipe import Recipe

SCORED = ("init", "trained")


def entries(recipe: Recipe, *, scored: object) -> Iterator[Entry]:
    """Level 0 is the dense network; level L lacks ``schedule.removed[L - 1]`` blocks.

    Raises:
        BadRequest: something else than residual blocks is pruned.
    """
    when = choice("method.scored", scored, SCORED)
    if recipe.spec.structure.name != "residual":
        raise BadRequest(
            f"method=layer_tickets removes residual blocks, and prune={recipe.spec.criterion_name} prunes "
            f"prune.structure={recipe.spec.structure.name}: choose prune=block_snip, block_grasp, hrank, …, or prune.structure=residual."
        )
    dense = recipe.dense()
    yield recipe.dense_entry(dense)
    for level in range(1, recipe.levels):
        source = dense if when == "trained" else recipe.rewinding_point()
        mask = recipe.prune(source, None, level, since=0)
        ticket = recipe.rewind(source, mask)
        yield from recipe.entries(level, ticket, recipe.train(ticket))
