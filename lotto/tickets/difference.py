"""What two tickets have in common."""

from __future__ import annotations

import math

from torch import Tensor

from lotto.chance import SMALLEST, Shared, shared
from lotto.errors import BadRequest
from lotto.mask import Mask
from lotto.stage import canonical
from lotto.tickets.bits import same_bits
from lotto.tickets.table import table
from lotto.tickets.ticket import Ticket

HEAD = [
    "layer",
    "first",
    "second",
    "in both",
    "by chance",
    "z",
    "p",
    "IoU",
    "by chance",
    "Hamming",
    "by chance",
    "weights that differ where both remain",
]


def diff(first: Ticket, second: Ticket) -> str:
    """The overlap of two tickets of one network, layer by layer and beside chance, and the metadata that differ.

    Chance draws as many weights of every layer as each mask keeps (``lotto.chance``). ``p`` is the probability that it gives as many common
    weights or more, or, where ``z`` is negative, as many or fewer.

    Raises:
        BadRequest: the masks are of different networks.
    """
    require_one_network(first.mask, second.mask)
    whole, layers = shared(first.mask, second.mask)
    differing = {name: _differing(name, first, second) for name in layers}
    rows = [[name, *_cells(layer, differing[name])] for name, layer in layers.items()]
    rows.append(["all", *_cells(whole, sum(differing.values()))])
    return "\n".join(
        [table(HEAD, rows), "", verdict(whole), *_unmasked(first, second), *_metadata(first, second)],
    )


def require_one_network(first: Mask, second: Mask) -> None:
    """Raises BadRequest unless two masks have the same layers in the same shapes."""
    shapes = [{name: list(kept.shape) for name, kept in mask.items()} for mask in (first, second)]
    for name in {**shapes[0], **shapes[1]}:
        if shapes[0].get(name) != shapes[1].get(name):
            has = [str(found[name]) if name in found else "nothing of that name" for found in shapes]
            raise BadRequest(
                f"Tickets of different networks cannot be compared: for {name}, one has {has[0]}, the other {has[1]}."
            )


def verdict(whole: Shared) -> str:
    """One sentence on what two masks share as a whole."""
    spread = math.sqrt(whole.chance.variance)
    if not spread:
        return f"The masks share {whole.both:,} weights, as any two masks of these densities do."
    expected = f"chance gives masks of these layers' densities {whole.chance.mean:,.1f} ± {spread:,.1f}"
    side = "fewer" if whole.z < 0 else "more"
    return (
        f"The masks share {whole.both:,} weights where {expected}: {abs(whole.z):.1f} standard deviations {side} "
        f"(p {_probability(whole)}); IoU {whole.iou:.4f}, by chance {whole.chance.iou:.4f}."
    )


def _differing(name: str, first: Ticket, second: Ticket) -> int:
    """Weights that both keep with different values."""
    both: Tensor = first.mask[name] & second.mask[name]
    return int((first.weights[name] != second.weights[name])[both].sum())


def _cells(found: Shared, differing: int) -> list[str]:
    return [
        f"{found.one:,}",
        f"{found.other:,}",
        f"{found.both:,}",
        f"{found.chance.mean:,.1f}",
        *(["", ""] if math.isnan(found.z) else [f"{found.z:+.1f}", _probability(found)]),
        f"{found.iou:.4f}",
        f"{found.chance.iou:.4f}",
        f"{found.hamming:,}",
        f"{found.hamming_chance:,.1f}",
        f"{differing:,}" if differing else "none",
    ]


def _probability(found: Shared) -> str:
    """Of as many weights in common by chance or more; where there are fewer than by chance, of as many or fewer."""
    p = found.chance.at_most(found.both) if found.z < 0 else found.chance.at_least(found.both)
    return f"< {SMALLEST:.0e}" if p <= SMALLEST else f"{p:.2g}"


def _unmasked(first: Ticket, second: Ticket) -> list[str]:
    """A line on the weights that are never pruned."""
    names = [name for name in {**first.weights, **second.weights} if name not in first.mask]
    differing = [
        name
        for name in names
        if name not in first.weights
        or name not in second.weights
        or not same_bits(first.weights[name], second.weights[name])
    ]
    return [f"other tensors that differ: {', '.join(differing) or 'none'}"] if names else []


def _metadata(first: Ticket, second: Ticket) -> list[str]:
    names = {**first.metadata, **second.metadata}
    lines = [
        f"{name}: {canonical(first.metadata.get(name))} | {canonical(second.metadata.get(name))}"
        for name in names
        if first.metadata.get(name) != second.metadata.get(name)
    ]
    return lines or ["metadata: the same"]
