"""``lotto reproduce``: what can be reproduced, and a figure run, judged and shown."""

from __future__ import annotations

from collections.abc import Sequence
from typing import IO

from lotto.errors import BadRequest, StageFailed
from lotto.reproduce.figure import Figure
from lotto.reproduce.request import Request
from lotto.store import Store
from lotto.sweep.planned import PlannedSweep


def reproduce(
    arguments: Sequence[str], overrides: Sequence[str], flags: Sequence[str], config_dir: str | None, stream: IO[str]
) -> int:
    """Run what the words behind ``lotto reproduce`` ask for.

    Args:
        arguments: the name of a figure; without one they are listed.

    Raises:
        BadRequest: there is no such figure, scale or flag, or a point is wrong.
        StageFailed: a stage failed; everything else is done and judged.
    """
    request = Request.read(overrides, flags)
    if not arguments:
        from lotto.reproduce.listing import print_listing

        print_listing(request, "--no-estimate" not in flags, config_dir, stream)
        return 0
    if len(arguments) > 1:
        raise BadRequest(f"lotto reproduce takes one figure, not {' and '.join(arguments)}.")
    figure = Figure.read(arguments[0])
    planned = request.planned(figure, config_dir)
    if "--plan" in flags:
        from lotto.sweep.verb import print_plan

        return print_plan(planned, "--no-estimate" not in flags, stream)
    return _run(figure, request, planned, config_dir, stream)


def _run(figure: Figure, request: Request, planned: PlannedSweep, config_dir: str | None, stream: IO[str]) -> int:
    from lotto.report.beside import Beside
    from lotto.reproduce.compare import compare
    from lotto.reproduce.report import for_page, prepend, print_compared, write_claims
    from lotto.sweep.page import write_page
    from lotto.sweep.verb import run_planned

    store = Store(planned.spec.store)
    outcome = run_planned(planned, request.flags, config_dir, stream)
    compared = compare(figure, request, planned, outcome.table, store, config_dir)
    planned.folder.mkdir(parents=True, exist_ok=True)
    paths = [write_claims(compared, planned.folder)]
    if outcome.written:
        beside = Beside(claims=for_page(compared), differs=compared.differs)
        page = write_page(planned, store, beside)
        paths += [outcome.written.csv, prepend(compared, outcome.written.markdown), page, *outcome.written.figures]
    print_compared(compared, stream)
    for path in paths:
        if path.suffix in (".csv", ".md", ".html", ".png"):
            print(path, file=stream)
    print(f"{outcome.steps:,} training steps run in {outcome.seconds:.0f} s", file=stream, flush=True)
    if outcome.failed:
        raise StageFailed(
            f"{len(outcome.failed)} stage(s) failed, the others are done, the same command tries them again: {outcome.failed[0]}"
        )
    return 0
