"""Modular arithmetic as a data set: which pairs there are and what is made of them. Imports no torch.

Power et al. (2022, Grokking) train networks on a part of such a table and ask for the rest; Minegishi et al. (arXiv 2310.19470) use
addition modulo 67 on the pairs with a <= b, of which int(0.4 * 2278) = 911 are for training.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any

from lotto.data.facts import Facts, held_out
from lotto.errors import BadRequest
from lotto.fields import choice, flag, number, whole

# Of whole numbers or int64 tensors; the remainder modulo p is taken afterwards.
OPERATIONS: dict[str, Callable[[Any, Any], Any]] = {
    "add": lambda a, b: a + b,
    "subtract": lambda a, b: a - b,
    "multiply": lambda a, b: a * b,
    "squares": lambda a, b: a * a + b * b,
    "quadratic": lambda a, b: a * a + a * b + b * b,
}
RANDOM = "random"
SHARED = "validation and test are the same held-out pairs, so that nothing may be chosen by the first and reported of the second"


def pairs(p: int, symmetric: bool) -> int:
    """How many pairs (a, b) of residues there are: those with a <= b, or all."""
    return p * (p + 1) // 2 if symmetric else p * p


def declared(config: Mapping[str, Any], identity: dict[str, Any]) -> Facts:
    """The facts of the set that ``config`` describes.

    The first int(fraction * pairs) pairs of a random order are for training. Nothing is tuned on this task: what is measured is when the
    accuracy on all other pairs rises. Without ``data.validation`` they are validation and test at once, and ``early_stop_step`` and
    what is reported of it are then chosen on the pairs that they are reported of; with it that many of them are for validation alone.

    Raises:
        BadRequest: a field is out of its range, or leaves nothing to train on or nothing to test on.
    """
    p = whole("data.p", config.get("p"), 2)
    choice("data.operation", config.get("operation"), (*OPERATIONS, RANDOM))
    count = pairs(p, flag("data.symmetric", config.get("symmetric")))
    fraction = number("data.fraction", config.get("fraction"))
    train = int(fraction * count)
    if not 0 < train < count:
        raise BadRequest(
            f"data.fraction={config['fraction']} of {count} pairs leaves none on one side: more than 0, and less than 1."
        )
    held, shape = count - train, (1, 2, p)
    if config.get("validation") is None:
        return Facts(train, held, held, shape, p, identity, remark=SHARED)
    validation = held_out("validation", config["validation"], held)
    return Facts(train, validation, held - validation, shape, p, identity)
