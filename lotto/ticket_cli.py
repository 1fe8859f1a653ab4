"""``lotto ticket``: ticket files from the command line. Imports torch only once the arguments are read."""

from __future__ import annotations

import argparse
import sys
from collections.abc import Callable
from pathlib import Path
from typing import NoReturn

from lotto.errors import BadRequest

OUTPUT = Path("outputs/tickets")


def main(arguments: list[str]) -> int:
    """Carry out ``lotto ticket`` with ``arguments``.

    Returns:
        0 if done, 1 if a ticket or an imported run was found unsound.

    Raises:
        BadRequest: the request is wrong.
        StageFailed: an artifact in the store is missing or damaged.
    """
    given = _parser().parse_args(arguments)
    verb: Callable[[argparse.Namespace], int] = given.verb
    return verb(given)


class _Parser(argparse.ArgumentParser):
    def error(self, message: str) -> NoReturn:
        raise BadRequest(f"{self.prog.removeprefix('lotto ')}: {message} (--help shows what is allowed).")


def _parser() -> _Parser:
    parser = _Parser(prog="lotto ticket", description="Ticket files: the weights at the rewinding point and the mask.")
    verbs = parser.add_subparsers(required=True, metavar="export|inspect|verify|diff|import")

    export = verbs.add_parser("export", help="write a stored ticket to a file")
    export.add_argument(
        "source", metavar="KEY_OR_RUN_FOLDER", help="an artifact's key, six digits of it or more, or a run's folder"
    )
    export.add_argument("--store", type=Path, default=Path("outputs/store"), help="default: %(default)s")
    export.add_argument("--level", type=int, help="of a run's rows; default: the highest")
    export.add_argument("--branch", default="ticket", help="ticket or a control's name; default: %(default)s")
    export.add_argument("--replicate", type=int, default=0, help="default: %(default)s")
    export.add_argument("--sample", type=int, default=0, help="a control's draw; default: %(default)s")
    export.add_argument(
        "-o", dest="output", type=Path, metavar="FILE", help=f"default: {OUTPUT}/<first digits of the key>.safetensors"
    )
    export.set_defaults(verb=_export)

    inspect = verbs.add_parser("inspect", help="show a ticket's layers and metadata")
    inspect.add_argument("file", type=Path)
    inspect.set_defaults(verb=_inspect)

    verify = verbs.add_parser("verify", help="check that a ticket file is what it says")
    verify.add_argument("file", type=Path)
    verify.add_argument("--store", type=Path, help="also compare with the artifact of its key there, bit for bit")
    verify.add_argument(
        "--trust-model", action="store_true", help="build a model that is not lotto's own: runs the code the file names"
    )
    verify.set_defaults(verb=_verify)

    diff = verbs.add_parser(
        "diff", help="compare two tickets of one network, beside what chance gives masks of their densities"
    )
    diff.add_argument("first", type=Path)
    diff.add_argument("second", type=Path)
    diff.set_defaults(verb=_diff)

    imported = verbs.add_parser("import", help="make a ticket of an OpenLTH run, after checking the run")
    imported.add_argument("folder", type=Path, help="lottery_<hash>/replicate_<number>")
    imported.add_argument("--level", type=int, help="default: the highest")
    imported.add_argument(
        "--fraction", type=float, default=0.2, help="the run's pruning_fraction; default: %(default)s"
    )
    imported.add_argument(
        "--exclude", help="the run's pruning_layers_to_ignore, by lotto's names; default: the family's"
    )
    imported.add_argument(
        "--iterations-per-epoch", type=int, help="default: that of the family's data and default batch size"
    )
    imported.add_argument(
        "-o", dest="output", type=Path, metavar="FILE", help=f"default: {OUTPUT}/<run>-<replicate>-<level>.safetensors"
    )
    imported.set_defaults(verb=_import)
    return parser


def _export(given: argparse.Namespace) -> int:
    from lotto.store import Store
    from lotto.tickets.artifact import from_store
    from lotto.tickets.file import save_ticket
    from lotto.tickets.lookup import find_key, find_row, method_of

    method = None
    written = given.source
    if Path(written).is_dir():
        row = find_row(Path(written), given.branch, given.replicate, given.sample, given.level)
        written, method = row["key"], method_of(row)
    key = find_key(given.store, written)
    ticket = from_store(Store(given.store), key, method)
    print(f"{save_ticket(ticket, given.output or OUTPUT / f'{key[:12]}.safetensors')}: {ticket.mask!r}")
    return 0


def _inspect(given: argparse.Namespace) -> int:
    from lotto.tickets import inspect, load_ticket

    print(inspect(load_ticket(given.file)))
    return 0


def _verify(given: argparse.Namespace) -> int:
    from lotto.store import Store
    from lotto.tickets import verify

    if given.store is not None and not given.store.is_dir():
        raise BadRequest(f"--store {given.store} is no folder: name the store that the ticket was exported from.")
    problems = verify(given.file, given.store and Store(given.store), given.trust_model)
    print("\n".join(problems) if problems else f"{given.file}: sound")
    return 1 if problems else 0


def _diff(given: argparse.Namespace) -> int:
    from lotto.tickets import diff, load_ticket

    print(diff(load_ticket(given.first), load_ticket(given.second)))
    return 0


def _import(given: argparse.Namespace) -> int:
    from lotto.openlth.check import check
    from lotto.openlth.convert import to_ticket
    from lotto.openlth.load import Replicate
    from lotto.tickets import save_ticket

    run = Replicate(given.folder, given.iterations_per_epoch)
    level = run.levels[-1] if given.level is None else given.level
    ticket = to_ticket(run, level)
    exclude = None if given.exclude is None else [name for name in given.exclude.split(",") if name]
    if problems := check(run, [level], given.fraction, exclude):
        print("\n".join([*problems, "No ticket was written."]), file=sys.stderr)
        return 1
    folder = run.folder.absolute()
    output = given.output or OUTPUT / f"{folder.parent.name}-{folder.name}-level_{level}.safetensors"
    print(f"{save_ticket(ticket, output)}: {ticket.mask!r}")
    return 0
