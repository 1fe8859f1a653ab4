"""The sections of what stands beside a table: probes, and a paper's claims."""

from __future__ import annotations

from html import escape

import pandas as pd

from lotto.report.beside import Beside
from lotto.report.first_times import NOTE, PROBE, TITLE, first_times
from lotto.report.inline import inline_svg
from lotto.report.page import markup
from lotto.report.page import probes as probing
from lotto.report.page.claims import claims_section
from lotto.report.page.document import Page


def add_claims(page: Page, beside: Beside) -> None:
    """Published against measured, where there are claims."""
    if beside.claims:
        content = claims_section(beside.claims, beside.differs)
        page.add("claims", "Claims", "Published against measured", content)


def add_exhibits(page: Page, beside: Beside) -> None:
    """What the method shows besides, drawn without the script."""
    for shown in beside.exhibits:
        svg = inline_svg(shown.figure, shown.name, f"{shown.title}. {' '.join(shown.sentences)}")
        said = "".join(f'<p class="caption">{escape(sentence)}</p>' for sentence in shown.sentences)
        page.add(shown.name, shown.short, shown.title, f'<div class="figure">{svg}</div>{said}')


def add_probes(page: Page, probes: pd.DataFrame | None) -> None:
    """First times, barriers between networks, then whatever else was probed; nothing where nothing was."""
    if probes is None or probes.empty:
        return
    if grid := first_times(probes):
        table = markup.table(TITLE, grid.header, map(markup.row, grid.rows))
        page.add(PROBE, TITLE, TITLE, f'{table}<p class="note">{escape(NOTE)}.</p>')
    between = probing.is_barrier(probes)
    kinds = (
        ("barriers", "Barriers", "Barriers between networks", probes[between], "barriers", "paths"),
        ("probes", "Probes", "Probes", probes[~between], "probes", "profiles"),
    )
    for name, short, title, rows, scalars, profiles in kinds:
        page.data |= {scalars: probing.scalar_sets(rows), profiles: probing.profile_sets(rows)}
        content = "".join(markup.place(kind) for kind in (scalars, profiles) if page.data[kind])
        if content:
            page.add(name, short, title, content)
