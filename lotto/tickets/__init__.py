"""Portable tickets: the weights at the rewinding point and the mask, in one file that any PyTorch model can take."""

from lotto.tickets.artifact import from_store
from lotto.tickets.difference import diff
from lotto.tickets.file import load_ticket, save_ticket
from lotto.tickets.inspection import inspect
from lotto.tickets.ticket import Ticket
from lotto.tickets.verification import verify

__all__ = ["Ticket", "diff", "from_store", "inspect", "load_ticket", "save_ticket", "verify"]
