"""Published against measured: each claim of a paper with what was found here."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from html import escape
from typing import Any

from lotto.report.page.embed import drawn

# A verdict is told by its sign and its words; colour only helps.
_SIGNS = {
    "holds": ("yes", "✓"),
    "does not hold": ("no", "✗"),
    "holds at this scale only in direction": ("partly", "≈"),
    "not testable at this scale": ("open", "?"),
}

_MARKS = {
    "read": "read in the paper",
    "computed": "computed from the paper's numbers",
    "from memory": "from memory",
    "plotted": "read off a plot",
    "measured": "measured apart from lotto",
}


def claims_section(claims: Sequence[Mapping[str, Any]], differs: Sequence[str]) -> str:
    """How this run differs from the paper's, before any verdict; then a card a claim."""
    counts = {verdict: sum(claim["verdict"] == verdict for claim in claims) for verdict in _SIGNS}
    summary = ", ".join(f"{count} {verdict}" for verdict, count in counts.items() if count)
    return (
        f"{_differences(differs)}<p>{len(claims)} claims: {escape(summary)}.</p>"
        f'<div class="claims">{"".join(map(_card, claims))}</div>'
    )


def _differences(differs: Sequence[str]) -> str:
    if not differs:
        return ""
    items = "".join(f"<li>{escape(text)}</li>" for text in differs)
    return f'<div class="differs"><h3>How this differs from the paper</h3><ul>{items}</ul></div>'


def _card(claim: Mapping[str, Any]) -> str:
    kind, sign = _SIGNS.get(claim["verdict"], ("open", "?"))
    mark = _MARKS.get(claim.get("mark", ""), claim.get("mark", ""))
    facts = {
        "Published": f"{claim['published']}{f' ({mark})' if mark else ''}",
        "Measured": _measured(claim),
        "Difference": _with_unit(claim.get("difference"), claim["unit"], signed=True),
        "Rule": claim.get("rule", ""),
        "Tolerance": claim.get("tolerance", ""),
        "Why": claim.get("reason", ""),
    }
    shown = "".join(f"<dt>{name}</dt><dd>{escape(text)}</dd>" for name, text in facts.items() if text)
    return (
        f'<article class="claim {kind}"><p class="source">{escape(claim["figure"])}</p>'
        f"<h3>{escape(claim['claim'])}</h3>"
        f'<p class="verdict"><span aria-hidden="true">{sign}</span> {escape(claim["verdict"])}</p><dl>{shown}</dl></article>'
    )


def _measured(claim: Mapping[str, Any]) -> str:
    if not _known(claim.get("measured")):
        return "not measured"
    text = _with_unit(claim["measured"], "")
    if _known(claim.get("sd")):
        text += f" ± {_number(claim['sd'])}"
    text += f" {claim['unit']}".rstrip()
    if _known(claim.get("low")) and _known(claim.get("high")):
        text += f", 95% interval {_number(claim['low'])} to {_number(claim['high'])}"
    return f"{text} (n = {claim['n']})" if claim.get("n") else text


def _with_unit(value: float | None, unit: str, signed: bool = False) -> str:
    if value is None or not math.isfinite(value):
        return ""
    return f"{'+' if signed and value > 0 else ''}{_number(value)} {unit}".rstrip()


def _known(value: float | None) -> bool:
    return value is not None and not math.isnan(value)


def _number(value: float) -> str:
    if math.isinf(value):
        return "never"
    shown = drawn(float(f"{value:.4g}"))
    return f"{shown:,}".replace("-", "\N{MINUS SIGN}")
