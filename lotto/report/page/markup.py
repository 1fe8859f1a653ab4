"""Pieces of HTML; every text that is given is escaped."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from html import escape


def table(caption: str, header: Iterable[object], rows: Iterable[str], is_named: bool = False) -> str:
    """A table that scrolls by itself where it is wider than the page; such a box must be reachable by keyboard.

    Where ``is_named``, the first cell of a row is its name.
    """
    heads = "".join(f'<th scope="col">{escape(str(name))}</th>' for name in header)
    kind = ' class="named"' if is_named else ""
    grid = f"<table{kind}><thead><tr>{heads}</tr></thead><tbody>{''.join(rows)}</tbody></table>"
    return f'<div class="wide" role="region" aria-label="{escape(caption)}" tabindex="0">{grid}</div>'


def row(texts: Iterable[str], is_marked: bool = False) -> str:
    """A row of a table; a marked one stands out."""
    cells = "".join(f"<td>{escape(text)}</td>" for text in texts)
    return f'<tr class="mark">{cells}</tr>' if is_marked else f"<tr>{cells}</tr>"


def terms(given: Mapping[str, str]) -> str:
    """Terms with what is said about each."""
    return f"<dl>{''.join(f'<dt>{escape(term)}</dt><dd>{escape(text)}</dd>' for term, text in given.items())}</dl>"


def folded(title: str, content: str) -> str:
    """Content that opens on demand."""
    return f"<details><summary>{escape(title)}</summary>{content}</details>"


def tiles(given: Mapping[str, str]) -> str:
    """Numbers that are worth a large face, each above what it is."""
    shown = "".join(f"<div><dd>{escape(text)}</dd><dt>{escape(term)}</dt></div>" for term, text in given.items())
    return f'<dl class="tiles">{shown}</dl>'


def section(name: str, title: str, content: str) -> str:
    """A section that the page's own index can lead to."""
    return (
        f'<section id="{name}" aria-labelledby="{name}-title">'
        f'<h2 id="{name}-title">{escape(title)}</h2>{content}</section>'
    )


def place(kind: str, fallback: str = "") -> str:
    """Where the script draws; ``fallback`` stands there until it does."""
    return f'<div class="figure" data-figure="{kind}">{fallback}</div>'


def command(text: str) -> str:
    """A command with a button that copies it, which the script brings to life."""
    button = '<button type="button" class="copy" hidden>Copy</button>'
    return f'<div class="command">{button}<pre><code>{escape(text)}</code></pre></div>'
