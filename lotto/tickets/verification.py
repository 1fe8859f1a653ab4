"""Whether a ticket file is what it says."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

from lotto.errors import BadRequest, LottoError
from lotto.models.build import build
from lotto.store import Store
from lotto.tickets.artifact import from_store
from lotto.tickets.bits import same_bits
from lotto.tickets.file import load_ticket
from lotto.tickets.metadata import counts
from lotto.tickets.ticket import Ticket
from lotto.tickets.trust import is_ours
from lotto.zeroed import same


def verify(path: str | Path, store: Store | None = None, trust_model: bool = False) -> list[str]:
    """The problems of a ticket file, one sentence each; none if it is sound.

    Args:
        store: if given, the ticket must equal the artifact of its key there, bit for bit.
        trust_model: also build a model that is not one of lotto's own, which runs whatever code the file names.

    Raises:
        BadRequest: there is no such file.
    """
    if not Path(path).is_file():
        raise BadRequest(f"The ticket {path} is not there: name a ticket file.")
    try:
        ticket = load_ticket(path)
    except BadRequest as reason:
        return [str(reason)]
    compared = _artifact(ticket, store) if store else ()
    return [*_zeros(ticket), *_counts(ticket), *_model(ticket, trust_model), *compared]


def _zeros(ticket: Ticket) -> Iterator[str]:
    for name, kept in ticket.mask.items():
        if living := int((ticket.weights[name][~kept] != 0).sum()):
            yield f"{name} has {living} pruned weights that are not zero."
    for name, zero in ticket.zeroed.items():
        if living := int((ticket.weights[name][zero] != 0).sum()):
            yield f"{name} has {living} numbers of removed channels that are not zero."


def _counts(ticket: Ticket) -> Iterator[str]:
    for field, counted in counts(ticket.mask).items():
        if ticket.metadata[field] != counted:
            yield f"The metadata's {field} is {ticket.metadata[field]}, and the mask's is {counted}."


def _model(ticket: Ticket, trust_model: bool) -> Iterator[str]:
    about = ticket.metadata
    if not trust_model and not is_ours(about["model"]):
        yield (
            f"The model {about['model'].get('_target_')} was not built, because it is not one of lotto's own: "
            "trust the model if you know where the file comes from."
        )
        return
    try:
        ticket.apply_to(build(about["model"], tuple(about["input_shape"]), about["classes"], seed_number=0))
    except LottoError as reason:
        yield str(reason)


def _artifact(ticket: Ticket, store: Store) -> Iterator[str]:
    key = ticket.metadata["key"]
    if key is None:
        yield f"The ticket names no artifact, so it cannot be compared with one in {store.root}."
        return
    try:
        stored = from_store(store, key)
    except LottoError as reason:
        yield str(reason)
        return
    if stored.mask != ticket.mask:
        yield f"The mask is not that of the artifact {key}."
    if not same(stored.zeroed, ticket.zeroed):
        yield f"What went with removed channels is not what went in the artifact {key}."
    for name in {**stored.weights, **ticket.weights}:
        if (
            name not in stored.weights
            or name not in ticket.weights
            or not same_bits(stored.weights[name], ticket.weights[name])
        ):
            yield f"{name} is not, bit for bit, that of the artifact {key}."
