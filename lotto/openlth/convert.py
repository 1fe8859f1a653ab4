"""A level of an OpenLTH run as a ticket."""

from __future__ import annotations

from lotto.openlth.defaults import BATCHNORM, WEIGHTS
from lotto.openlth.load import Replicate
from lotto.tickets.metadata import metadata
from lotto.tickets.ticket import Ticket


def to_ticket(run: Replicate, level: int) -> Ticket:
    """The start and the mask of ``level``, under lotto's names.

    The metadata name the initialisers only where the folder's hash shows that they were the defaults: no tensor tells.

    Raises:
        BadRequest: the level is not there, or a file of it cannot be read.
    """
    read = run.level(level)
    architecture = run.architecture
    init = {"init": {"weights": WEIGHTS, "batchnorm": BATCHNORM}} if run.has_default_hyperparameters else {}
    folder = run.folder.absolute()
    about = metadata(
        read.mask,
        model={**architecture.config, **init},
        input_shape=architecture.family.input_shape,
        classes=architecture.classes,
        data={"name": architecture.family.dataset},
        method={
            "experiment": f"open_lth/{architecture.name}",
            "method": "imp",
            "criterion": "magnitude",
            "branch": "ticket",
            "level": level,
            "run": f"{folder.parent.name}/{folder.name}",
            "default_hyperparameters": run.has_default_hyperparameters,
        },
        pruning=None,
        rewind_step=run.rewind_step,
        key=None,
        start=None,
        seeds=None,
        buffers=architecture.buffers,
    )
    return Ticket(read.start, read.mask, about)
