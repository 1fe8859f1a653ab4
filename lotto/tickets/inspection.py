"""A ticket to look at."""

from __future__ import annotations

from lotto.stage import canonical
from lotto.tickets.table import table
from lotto.tickets.ticket import Ticket


def inspect(ticket: Ticket) -> str:
    """A line for every prunable tensor and one for all, then the metadata, one field a line."""
    rows = [
        [name, "x".join(map(str, kept.shape)), *_counts(int(kept.sum()), kept.numel())]
        for name, kept in ticket.mask.items()
    ]
    rows.append(["all", "", *_counts(ticket.mask.remaining, ticket.mask.total)])
    layers = table(["layer", "shape", "remaining", "total", "density"], rows)
    width = max((len(name) for name in ticket.metadata), default=0)
    about = [f"{name.ljust(width)}  {_written(value)}" for name, value in ticket.metadata.items()]
    return "\n".join([layers, "", *about]).rstrip()


def _counts(remaining: int, total: int) -> list[str]:
    return [f"{remaining:,}", f"{total:,}", f"{remaining / total:.2%}"]


def _written(value: object) -> str:
    return value if isinstance(value, str) else canonical(value)
