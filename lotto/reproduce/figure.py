"""A paper's figure or table: a file of ``sweeps/<paper>/`` that says what to run, at which scales, and what must come out.

It is a sweep (``lotto.sweep.definition``) with further sections:

.. code-block:: yaml

    # The first line says what it shows
    paper: Frankle & Carbin 2019 (arXiv 1803.03635), Fig 4a
    notes: [what of the paper's setting is not stated, and what is done here]
    overrides: [...]
    axes: {...}
    scales:                        # what each changes of the paper's size, which needs no entry
      smoke: {overrides: [...]}    # a minute, for tests
      cpu: {overrides: [...], axes: {rewind.at: [0, 20it]}}
    claims: [...]                  # see lotto.reproduce.claim

``report.measures`` names what is drawn: columns of the results, or ``probe.measure``.
"""

from __future__ import annotations

import dataclasses
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from lotto.errors import BadRequest
from lotto.fields import near
from lotto.reproduce.claim import Claim, read_claims
from lotto.sweep.definition import SWEEPS, Sweep, checked_axes, list_of_words, load, names

PAPER = "paper"
SCALES = ("smoke", "cpu", PAPER)


@dataclass(frozen=True)
class Scale:
    """How large a figure is made.

    Args:
        overrides: behind the figure's own.
        axes: in place of the figure's own of the same names.
    """

    name: str
    overrides: tuple[str, ...] = ()
    axes: Mapping[str, tuple[Any, ...]] = dataclasses.field(default_factory=dict)


@dataclass(frozen=True)
class Figure:
    """What a paper shows, and the rules that it is held against."""

    sweep: Sweep
    paper: str
    notes: tuple[str, ...]
    scales: Mapping[str, Scale]
    claims: tuple[Claim, ...]

    @property
    def name(self) -> str:
        return self.sweep.name

    @property
    def title(self) -> str:
        return self.sweep.title

    @classmethod
    def read(cls, name: str, folder: Path = SWEEPS) -> Figure:
        """The figure called ``name``: a file below ``folder``, or the path of one.

        Raises:
            BadRequest: there is none of that name, or it is not written as a figure is.
        """
        known = figures(folder)
        if not name.endswith((".yaml", ".yml")) and name not in known:
            raise BadRequest(
                f"{name} is no figure or table of a paper{near(name, known) or '.'} lotto reproduce lists them."
            )
        sweep = Sweep.read(name, folder)
        given = load(sweep.path)
        if not isinstance(given.get("paper"), str):
            raise BadRequest(
                f"{sweep.path}: paper={given.get('paper')} names no paper: write who, when, and which figure."
            )
        return cls(
            sweep,
            given["paper"],
            tuple(list_of_words(sweep.path, "notes", given.get("notes") or [])),
            _scales(sweep, given.get("scales") or {}),
            read_claims(sweep.path, given.get("claims"), tuple(sweep.axes)),
        )

    def at(self, scale: str) -> tuple[Sweep, tuple[str, ...]]:
        """The sweep of one scale, and the overrides that come behind those of its points.

        Raises:
            BadRequest: there is no such scale.
        """
        if scale not in self.scales:
            raise BadRequest(f"--scale={scale} is no scale of {self.name}: choose from {', '.join(self.scales)}.")
        chosen = self.scales[scale]
        return dataclasses.replace(self.sweep, axes={**self.sweep.axes, **chosen.axes}), chosen.overrides


def figures(folder: Path = SWEEPS) -> list[str]:
    """The names of all figures and tables below ``folder``."""
    return [name for name in names(folder) if "claims" in load(folder / f"{name}.yaml")]


def _scales(sweep: Sweep, given: Any) -> dict[str, Scale]:
    if not isinstance(given, Mapping) or not set(given) <= set(SCALES):
        raise BadRequest(f"{sweep.path}: scales={given} may hold {', '.join(SCALES)}.")
    made = {}
    for name in SCALES:
        content = given.get(name, {} if name == PAPER else None)
        if content is None:
            continue
        if not isinstance(content, Mapping) or not set(content) <= {"overrides", "axes"}:
            raise BadRequest(f"{sweep.path}: scales.{name}={content} may say overrides and axes, and nothing else.")
        axes = checked_axes(sweep.path, content["axes"]) if content.get("axes") else {}
        if unknown := set(axes) - set(sweep.axes):
            raise BadRequest(
                f"{sweep.path}: scales.{name}.axes names {', '.join(unknown)}, which are no axes of the figure."
            )
        words = list_of_words(sweep.path, f"scales.{name}.overrides", content.get("overrides") or [])
        made[name] = Scale(name, tuple(words), axes)
    return made
