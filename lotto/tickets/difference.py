"""What two tickets have in common."""

from __future__ import annotations

from torch import Tensor

from lotto.errors import BadRequest
from lotto.stage import canonical
from lotto.tickets.bits import same_bits
from lotto.tickets.table import table
from lotto.tickets.ticket import Ticket

HEAD = ["layer", "in both", "only first", "only second", "IoU", "Hamming", "weights that differ where both remain"]


def diff(first: Ticket, second: Ticket) -> str:
    """The overlap of two tickets of one network, layer by layer, and the metadata that differ.

    Raises:
        BadRequest: the masks are of different networks.
    """
    shapes = [{name: list(kept.shape) for name, kept in ticket.mask.items()} for ticket in (first, second)]
    for name in {**shapes[0], **shapes[1]}:
        if shapes[0].get(name) != shapes[1].get(name):
            has = [str(found[name]) if name in found else "nothing of that name" for found in shapes]
            raise BadRequest(
                f"Tickets of different networks cannot be compared: for {name}, one has {has[0]}, the other {has[1]}."
            )
    counts = [
        _overlap(first.mask[name], second.mask[name], first.weights[name], second.weights[name]) for name in first.mask
    ]
    rows = [[name, *_cells(*layer)] for name, layer in zip(first.mask, counts, strict=True)]
    rows.append(["all", *_cells(*(sum(column) for column in zip(*counts, strict=True)))])
    return "\n".join([table(HEAD, rows), "", *_unmasked(first, second), *_metadata(first, second)])


def _overlap(one: Tensor, other: Tensor, weights: Tensor, others: Tensor) -> tuple[int, int, int, int]:
    """Weights that remain in both, only in the first, only in the second; and those in both whose values differ."""
    both = one & other
    return int(both.sum()), int((one & ~other).sum()), int((other & ~one).sum()), int((weights != others)[both].sum())


def _cells(both: int, first: int, second: int, differing: int) -> list[str]:
    union = both + first + second
    iou = both / union if union else 1.0
    return [
        f"{both:,}",
        f"{first:,}",
        f"{second:,}",
        f"{iou:.4f}",
        f"{first + second:,}",
        f"{differing:,}" if differing else "none",
    ]


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
