"""Ticket files side by side: what they say of themselves, how dense their layers are, and how much their masks overlap."""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

from lotto.report.measures import weights_percent
from lotto.report.page.markup import row, table
from lotto.report.page.masks import picture_of

if TYPE_CHECKING:
    from lotto.tickets.ticket import Ticket

Named = Sequence[tuple[str, "Ticket"]]


def ticket_table(tickets: Named) -> str:
    """A row a ticket."""
    header = [
        "ticket",
        "method",
        "criterion",
        "branch",
        "level",
        "replicate",
        "density %",
        "weights",
        "rewound to",
        "data",
        "key",
    ]
    return table("Tickets", header, (row([name, *_about(ticket)]) for name, ticket in tickets), is_named=True)


def ticket_layers(tickets: Named) -> str:
    """The density of every layer in percent, a column a ticket; empty where a ticket has no such layer."""
    names = dict.fromkeys(name for _, ticket in tickets for name in ticket.mask)
    rows = (row([name, *(_density(ticket, name) for _, ticket in tickets)]) for name in names)
    total = row(["all layers", *(weights_percent(ticket.density) for _, ticket in tickets)], is_marked=True)
    return table("Density of each layer", ["layer", *(name for name, _ in tickets)], [*rows, total], is_named=True)


def ticket_overlaps(tickets: Named) -> str:
    """What every pair of masks shares, beside what chance gives masks of the same layer densities (``lotto.chance``).

    Empty where no two tickets are of one network.
    """
    from lotto.chance import shared  # scipy takes long to load, and most pages show no tickets

    rows = []
    for first, (name, ticket) in enumerate(tickets):
        for other, another in tickets[first + 1 :]:
            if _shapes(ticket) == _shapes(another):
                whole, _ = shared(ticket.mask, another.mask)
                z = "" if math.isnan(whole.z) else f"{whole.z:+.1f}"
                shares = [
                    f"{whole.iou:.3f}",
                    f"{whole.chance.iou:.3f}",
                    f"{whole.hamming:,}",
                    f"{whole.hamming_chance:,.0f}",
                ]
                rows.append(row([name, other, *shares, z]))
    if not rows:
        return ""
    header = ["ticket", "and", "IoU", "IoU by chance", "weights kept by one alone", "by chance", "z"]
    return table("Overlaps", header, rows, is_named=True)


def ticket_pictures(tickets: Named) -> list[dict[str, Any]]:
    """The first layer's mask of every ticket that has one that is a picture."""
    found = []
    for name, ticket in tickets:
        layer, mask = next(iter(ticket.mask.items()))
        shape = tuple(ticket.metadata.get("input_shape", ()))
        method = ticket.metadata.get("method", {})
        picture = picture_of(layer, mask.numpy(), shape)
        if picture is not None:
            about, frame = picture
            level, replicate = (str(method.get(field, 0)) for field in ("level", "replicate"))
            frames = {str(method.get("branch", "ticket")): {replicate: {level: frame}}}
            found.append({"run": name, "replicates": 1, **about, "frames": frames})
    return found


def _about(ticket: Ticket) -> list[str]:
    said = ticket.metadata
    method = said.get("method", {})
    fields = (str(method.get(name, "")) for name in ("method", "criterion", "branch", "level", "replicate"))
    step = ticket.rewind_step
    rewound = "" if step is None else f"step {step:,}"
    data = (said.get("data") or {}).get("name", "")
    density = weights_percent(ticket.density)
    return [*fields, density, f"{ticket.mask.remaining:,}", rewound, str(data), str(said.get("key") or "")]


def _density(ticket: Ticket, name: str) -> str:
    if name not in ticket.mask:
        return ""
    mask = ticket.mask[name]
    return weights_percent(int(mask.sum()) / mask.numel())


def _shapes(ticket: Ticket) -> dict[str, tuple[int, ...]]:
    return {name: tuple(mask.shape) for name, mask in ticket.mask.items()}
