"""How a branch looks wherever it is drawn: the ticket and each control keep their colour, marker and place."""

from __future__ import annotations

import hashlib
from collections.abc import Iterable
from dataclasses import dataclass

TICKET = "ticket"


@dataclass(frozen=True)
class Look:
    """Colour and marker of one branch; the marker tells branches apart where the colour does not."""

    colour: str
    marker: str


# Okabe and Ito's palette, which readers with any of the common colour deficiencies can tell apart. Its yellow is too
# pale for a line on white; a violet stands for it, since blue and purple that differ in little but red look alike
# without red.
KNOWN = {
    TICKET: Look("#0072b2", "o"),
    "reinit": Look("#d55e00", "s"),
    "shuffle": Look("#009e73", "^"),
    "random": Look("#cc79a7", "D"),
    "reinit_from_ticket": Look("#e69f00", "v"),
    "prune_at_init": Look("#56b4e9", "P"),
    "noise": Look("#8a3ffc", "X"),
}

SPARE = (
    Look("#999933", "<"),
    Look("#44aa99", ">"),
    Look("#aa4499", "h"),
    Look("#b0604a", "p"),
    Look("#6699cc", "d"),
    Look("#888888", "*"),
)


def look(branch: str) -> Look:
    """The look of ``branch``: fixed for the known ones, drawn from the name alone for any other."""
    digest = hashlib.sha256(branch.encode()).digest()
    return KNOWN.get(branch) or SPARE[int.from_bytes(digest[:8], "big") % len(SPARE)]


def in_order(branches: Iterable[str]) -> tuple[str, ...]:
    """Each branch once: the ticket, the known controls, then the others by name."""
    ranks = {name: rank for rank, name in enumerate(KNOWN)}
    return tuple(sorted(set(branches), key=lambda name: (ranks.get(name, len(ranks)), name)))
