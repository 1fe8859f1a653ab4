"""The style and the script of a page, and the policy under which a browser runs that script and fetches nothing."""

from __future__ import annotations

import base64
import hashlib
from functools import cache
from importlib.resources import files

STYLES = ("base", "layout", "controls", "chart", "mask", "claims", "tables")

# In the order in which one rests on the others.
SCRIPTS = (
    "dom",
    "numbers",
    "scales",
    "markers",
    "state",
    "controls",
    "legend",
    "drawing",
    "reading",
    "chart",
    "values",
    "density",
    "profile",
    "layers",
    "bits",
    "mask",
    "origins",
    "theme",
    "main",
)


@cache
def style() -> str:
    """All style sheets, one behind the other."""
    return "\n".join(_read("style", f"{name}.css") for name in STYLES)


@cache
def script() -> str:
    """All scripts in one function, so that the page has no global names."""
    parts = "\n".join(_read("script", f"{name}.js") for name in SCRIPTS)
    return f'(() => {{\n"use strict";\n{parts}\n}})();\n'


@cache
def frame() -> str:
    """The page around its content, for ``string.Template``."""
    return _read("page.html")


def policy() -> str:
    """The Content-Security-Policy: nothing is fetched, sent or framed, and no script runs but ours.

    Inline style is allowed because figures carry their colours in it.
    """
    digest = base64.b64encode(hashlib.sha256(script().encode()).digest()).decode()
    return f"default-src 'none'; script-src 'sha256-{digest}'; style-src 'unsafe-inline'; base-uri 'none'; form-action 'none'"


@cache
def fingerprint() -> str:
    """Tells the pages of this design from those of another."""
    return hashlib.sha256("\n".join((style(), script(), frame())).encode()).hexdigest()


def _read(*names: str) -> str:
    return files("lotto.report.page").joinpath(*names).read_text(encoding="utf-8")
