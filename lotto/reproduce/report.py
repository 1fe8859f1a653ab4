"""Published beside measured: in the terminal, as ``claims.csv``, and at the head of ``report.md``."""

from __future__ import annotations

import math
from dataclasses import dataclass
from pathlib import Path
from typing import IO, Any

from lotto.report.aside import write_aside
from lotto.report.markdown import literal
from lotto.report.measures import MINUS, NO_SPREAD, weights_percent
from lotto.reproduce.claim import Claim
from lotto.reproduce.figure import PAPER, Figure
from lotto.reproduce.verdict import VERDICTS, Verdict

_NUMBERS = ("measured", "sd", "low", "high", "least", "most", "difference")
HEADER = ("claim", "published", "mark", "measured", "95% interval", "n", "difference", "rule", "verdict")


@dataclass(frozen=True)
class Compared:
    """A figure's claims beside what was measured.

    Args:
        differs: how data and scale differ from the paper's, a line each.
        command: that makes it again.
    """

    figure: Figure
    scale: str
    differs: tuple[str, ...]
    verdicts: tuple[Verdict, ...]
    command: str

    @property
    def tally(self) -> str:
        """How many claims came to which verdict."""
        counts = {verdict: sum(one.verdict == verdict for one in self.verdicts) for verdict in VERDICTS}
        return "; ".join(f"{count} {verdict}" for verdict, count in counts.items() if count)

    @property
    def size(self) -> list[str]:
        """What must stand above any number."""
        if self.differs:
            return [
                f"Scale {self.scale}: not the paper's experiment. It differs in:",
                *(f"- {line}" for line in self.differs),
            ]
        if self.scale == PAPER:
            return ["Scale paper: data, length, levels, replicates and controls are the paper's."]
        return [f"Scale {self.scale}: nothing differs from the paper's."]


def show(claim: Claim, value: float | None, signed: bool = False) -> str:
    """A number in the claim's unit."""
    if value is None or math.isnan(value):
        return NO_SPREAD
    if math.isinf(value):
        return "never"
    sign = "+" if signed else ""
    if claim.kind in ("down_to", "density"):
        percent = weights_percent(abs(value))
        return f"{MINUS if value < 0 else sign}{percent}%"
    text = {
        "%": f"{100 * value:{sign}.2f}%",
        "points": f"{100 * value:{sign}.2f} points",
        "x": f"{value:{sign}.2f}x",
        "steps": f"{value:{sign},.0f}",
        "degrees": f"{value:{sign}.1f}°",
        "": f"{value:{sign}.3g}",
    }[claim.unit]
    return text.replace("-", MINUS)


def cells(verdict: Verdict) -> list[str]:
    """One line of the table."""
    claim, found = verdict.claim, verdict.found
    spread = "" if math.isnan(found.sd) else f" ± {show(claim, found.sd)}"
    interval = NO_SPREAD if math.isnan(found.low) else f"{show(claim, found.low)} to {show(claim, found.high)}"
    return [
        claim.name,
        claim.published if isinstance(claim.published, str) else show(claim, claim.published),
        claim.mark,
        show(claim, found.value) + spread,
        interval,
        str(found.n or NO_SPREAD),
        show(claim, verdict.difference, signed=True),
        claim.holds.words(lambda number: show(claim, number)),
        verdict.verdict + (f" ({verdict.reason})" if verdict.reason else ""),
    ]


def print_compared(compared: Compared, stream: IO[str]) -> None:
    """The table, as wide as it needs to be, below what differs from the paper; then every claim in words."""
    from rich.box import SIMPLE
    from rich.console import Console
    from rich.table import Table

    console = Console(file=stream, force_terminal=stream.isatty(), highlight=False)
    rows = [cells(verdict) for verdict in compared.verdicts]
    if not console.is_terminal:
        console.width = 20 + sum(3 + max(len(row[place]) for row in (HEADER, *rows)) for place in range(len(HEADER)))
    grid = Table(box=SIMPLE)
    for name in HEADER:
        grid.add_column(name, no_wrap=not console.is_terminal)
    for row in rows:
        grid.add_row(*row)
    for line in (f"{compared.figure.paper}: {compared.figure.title}", *compared.size):
        console.print(line, markup=False, soft_wrap=True)
    console.print(grid)
    for names, claim in _said(compared):
        console.print(f"{names}: {claim.says}", markup=False, soft_wrap=True)
    console.print(f"\n{compared.tally}", markup=False, soft_wrap=True)


def markdown(compared: Compared) -> str:
    """The table and all that belongs to it, as Markdown for a report or a README."""
    grid = [list(HEADER), ["---"] * len(HEADER), *(cells(verdict) for verdict in compared.verdicts)]
    table = "\n".join(f"| {' | '.join(cell.replace('|', chr(92) + '|') for cell in row)} |" for row in grid)
    rules = [
        f"- **{literal(names)}**: {literal(claim.says)} Tolerance: {literal(claim.tolerance)}."
        for names, claim in _said(compared)
    ]
    return "\n\n".join(
        [
            f"## {literal(compared.figure.paper)}: published beside measured",
            "\n".join([f"**{literal(compared.size[0])}**", *([""] if compared.differs else []), *compared.size[1:]]),
            table,
            f"{literal(compared.tally)}. Measured: mean ± standard deviation over n replicates, with a 95% t interval.",
            "\n".join(rules),
            *(["\n".join(f"- {literal(note)}" for note in compared.figure.notes)] if compared.figure.notes else []),
        ]
    )


def _said(compared: Compared) -> list[tuple[str, Claim]]:
    """What the claims say, each sentence once: with the name of its claim, or the first and the last of several."""
    groups: dict[tuple[str, str], list[Claim]] = {}
    for verdict in compared.verdicts:
        groups.setdefault((verdict.claim.says, verdict.claim.tolerance), []).append(verdict.claim)
    return [
        (claims[0].name if len(claims) == 1 else f"{claims[0].name} … {claims[-1].name}", claims[0])
        for claims in groups.values()
    ]


def as_mappings(compared: Compared) -> list[dict[str, Any]]:
    """The claims for ``claims.csv``: fractions as fractions."""
    return [_mapping(compared, verdict) for verdict in compared.verdicts]


def for_page(compared: Compared) -> list[dict[str, Any]]:
    """The claims for the page: numbers in the unit that stands beside them."""
    made = []
    for mapping, verdict in zip(as_mappings(compared), compared.verdicts, strict=True):
        unit = "%" if verdict.claim.kind in ("down_to", "density") else verdict.claim.unit
        factor = 100 if unit in ("%", "points") else 1
        numbers = {name: None if mapping[name] is None else factor * mapping[name] for name in _NUMBERS}
        made.append({**mapping, **numbers, "unit": unit})
    return made


def write_claims(compared: Compared, folder: Path) -> Path:
    """``claims.csv``: one row a claim."""
    import pandas as pd

    from lotto.report.columns import write_rows

    return write_rows(pd.DataFrame(as_mappings(compared)), folder / "claims.csv")


def prepend(compared: Compared, path: Path) -> Path:
    """Put the comparison below the heading of a sweep's ``report.md``."""
    heading, _, rest = path.read_text().partition("\n\n")
    return write_aside(path, f"{heading}\n\n{markdown(compared)}\n\n{rest}".encode())


def _mapping(compared: Compared, verdict: Verdict) -> dict[str, Any]:
    claim, found = verdict.claim, verdict.found
    known = {name: None if math.isnan(value) else value for name, value in _spread(verdict).items()}
    return {
        "figure": compared.figure.name,
        "paper": compared.figure.paper,
        "scale": compared.scale,
        "name": claim.name,
        "claim": claim.says,
        "unit": claim.unit,
        "published": claim.published if isinstance(claim.published, str) else show(claim, claim.published),
        "mark": claim.mark,
        "measured": found.value,
        **known,
        "n": found.n,
        "difference": verdict.difference,
        "rule": claim.holds.words(lambda number: show(claim, number)),
        "tolerance": claim.tolerance,
        "verdict": verdict.verdict,
        "reason": verdict.reason,
    }


def _spread(verdict: Verdict) -> dict[str, float]:
    found = verdict.found
    return {"sd": found.sd, "low": found.low, "high": found.high, "least": found.least, "most": found.most}
