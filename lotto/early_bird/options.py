"""The options of the methods ``early_bird`` and ``worm``, read and checked. Imports no torch."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from lotto.errors import BadRequest
from lotto.fields import choice, fraction, list_of, whole
from lotto.schedule import Density, Removal
from lotto.spec import Spec

# Where in the schedule a ticket's training starts: at the step where it was found, or at the rewinding point.
STARTS = ("found", "rewind")

# What may be trained beside a ticket: in which fields its stage differs, and where its training starts unless it is as the ticket's.
BRANCHES: dict[str, tuple[dict[str, str], str | None]] = {
    "reinit_whole": ({"weights": "reinit"}, "rewind"),
    "random_channels": ({"channels": "random"}, None),
}

# A ratio is the decimal number that the request means: 1 - 0.7 is 0.3.
_DIGITS = 10


@dataclass(frozen=True)
class DrawOptions:
    """How tickets are drawn and trained.

    Args:
        weights: ``current``, ``rewound`` or ``reinit``.
        start_at: one of ``STARTS``.
        branches: of ``BRANCHES``.
    """

    weights: str
    start_at: str
    branches: tuple[str, ...]


def prune_ratio(spec: Spec, level: int) -> float:
    """The share of channels that a level removes.

    A schedule that counts rounds removes the rate of convolutions in each.

    Raises:
        BadRequest: it would remove none.
    """
    target = spec.schedule.target(level, 0)
    if isinstance(target, Density):
        left = target.value
    elif isinstance(target, Removal):
        left = 1 - target.value
    else:
        rate = spec.rule.rate
        left = (1 - (rate if isinstance(rate, float) else rate.get("conv", 0.0))) ** target.count
    ratio = round(1 - left, _DIGITS)
    if not 0 < ratio < 1:
        raise BadRequest(
            f"method={spec.method_name} would remove {100 * ratio:g}% of the channels at level {level}: "
            "give a density between 0 and 1 with schedule=densities, or a rate of convolutions in prune.rate.conv."
        )
    return ratio


def search_options(epsilon: object, num_masks: object) -> dict[str, Any]:
    """What every search takes."""
    return {
        "epsilon": fraction("method.epsilon", epsilon),
        "num_masks": whole("method.num_masks", num_masks, 2),
    }


def worm_options(variant: object, gate: object, least: object, clip: object) -> dict[str, Any]:
    """What WORM's search takes besides."""
    return {
        "variant": choice("method.variant", variant, ("gated", "gradclip", "greedy")),
        "gate": fraction("method.gate", gate),
        "least": fraction("method.least", least),
        "clip": fraction("method.clip", clip),
    }


def draw_options(weights: object, start_at: object, branches: object) -> DrawOptions:
    """What is drawn, where its training starts, and what is trained beside it.

    Raises:
        BadRequest: an option is unknown.
    """
    named = list_of("method.branches", branches)
    return DrawOptions(
        choice("method.weights", weights, ("current", "rewound", "reinit")),
        choice("method.start_at", start_at, STARTS),
        tuple(choice("method.branches", name, tuple(BRANCHES)) for name in named),
    )
