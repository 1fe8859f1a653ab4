"""A figure as a piece of a page: SVG that follows the page's colours and asks nothing of the network."""

from __future__ import annotations

import re
from html import escape

import pandas as pd
from matplotlib.figure import Figure

from lotto.report.branches import in_order
from lotto.report.figures import INK, render
from lotto.report.measures import Measure, weights_percent
from lotto.report.summary import summarise


def inline_svg(figure: Figure, name: str, alternative: str) -> str:
    """``figure`` as an ``<svg>`` element with ``alternative`` for those who cannot see it.

    Ink takes the colour of the page's text, so that the figure can be read on a dark page; identifiers start with
    ``name``, so that two figures share none.
    """
    text = render(figure, "svg", transparent=True).decode()
    text = text[text.index("<svg") :]
    text = re.sub(r"<metadata>.*?</metadata>", "", text, flags=re.DOTALL)
    # HTML knows the namespaces of inline SVG by itself.
    text = re.sub(r'\sxmlns(:\w+)?="[^"]*"', "", text)
    text = re.sub(r'(id="|href="#|url\(#)', rf"\g<1>{name}-", text)
    text = text.replace(INK, "currentColor")
    # The view box alone leaves the size to the page.
    opening = re.sub(r'\s(width|height|version)="[^"]*"', "", text[: text.index(">")])
    return f'{opening} role="img" aria-label="{escape(alternative)}"{text[text.index(">") :]}'


def alternative_text(table: pd.DataFrame, measure: Measure) -> str:
    """What the figure of ``measure`` shows in words: where each branch starts and ends."""
    summary = summarise(table)
    summary = summary[summary[f"{measure.column}_n"] > 0]
    unit = "%" if measure.is_fraction else ""
    courses = []
    for branch in in_order(summary["branch"]):
        levels = summary[summary["branch"] == branch].sort_values("density", ascending=False)
        first, last = (
            f"{measure.text(level[f'{measure.column}_mean'])}{unit} at {weights_percent(level['density'])}% of weights"
            for _, level in levels.iloc[[0, -1]].iterrows()
        )
        courses.append(f"{branch} from {first} to {last}")
    axes = f"Mean {measure.phrase} against percent of weights remaining"
    return f"{axes}: {'; '.join(courses)}. The numbers are in the table."
