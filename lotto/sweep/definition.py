"""What a sweep is: axes, what its points have in common, which points make no sense, and what its report shows.

A file of ``sweeps/`` reads so:

.. code-block:: yaml

    # The first line says what it shows
    overrides: [experiment=frankle2019/lenet, controls=[]]
    axes:
      method: [imp, one_shot]
      rewind.at: [0, 100it, 500it]
    skip:                                   # a point that has all values of an item is left out
      - {method: one_shot, rewind.at: [100it, 500it]}
    report: {x: density, lines: [method, rewind.at], measures: [test_accuracy]}

A file that holds claims of a paper besides is a figure (``lotto.reproduce.figure``).

An axis whose values are mappings sets several things at once; its points are called by ``name``.
"""

from __future__ import annotations

import itertools
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import yaml

from lotto.errors import BadRequest
from lotto.fields import near

_PACKAGE = Path(__file__).resolve().parents[1]
# In a checkout sweeps/ lies beside the package, in an installed wheel inside it.
SWEEPS = next(
    (path for path in (_PACKAGE / "sweeps", _PACKAGE.parent / "sweeps") if path.is_dir()), _PACKAGE / "sweeps"
)

# What a figure may show beside axes.
DENSITY, BRANCH = "density", "branch"
# What rows are told apart by beside axes, in tables and claims.
COLUMNS = (BRANCH, DENSITY, "level", "replicate", "pair", "layer", "x", "probe", "criterion")
_FIELDS = ("overrides", "axes", "skip", "report")
_OF_A_FIGURE = ("paper", "notes", "scales", "claims")


@dataclass(frozen=True)
class Point:
    """One experiment of a sweep.

    Args:
        values: its value on every axis, as the report calls it.
        overrides: Hydra overrides, those of all points first.
    """

    values: Mapping[str, str]
    overrides: tuple[str, ...]

    def __str__(self) -> str:
        return ", ".join(f"{axis}={value}" for axis, value in self.values.items())


@dataclass(frozen=True)
class Shown:
    """What the figure of the report shows.

    Args:
        x: ``density``, or an axis whose values are numbers.
        lines: axes whose values have a line each, ``density`` or ``branch``; points that differ on other axes are averaged.
        measures: columns of the results, or ``probe.measure``: a figure for each.
    """

    x: str
    lines: tuple[str, ...]
    measures: tuple[str, ...] = ("test_accuracy",)


@dataclass(frozen=True)
class Sweep:
    """A file of ``sweeps/``."""

    name: str
    path: Path
    title: str
    overrides: tuple[str, ...]
    axes: Mapping[str, tuple[Any, ...]]
    skip: tuple[Mapping[str, Any], ...]
    shown: Shown

    @classmethod
    def read(cls, name: str, folder: Path = SWEEPS) -> Sweep:
        """The sweep called ``name``: a file below ``folder``, or the path of one.

        Raises:
            BadRequest: there is none, or it is not written as a sweep is.
        """
        path = Path(name) if name.endswith((".yaml", ".yml")) else folder / f"{name}.yaml"
        if not path.is_file():
            known = names(folder)
            raise BadRequest(f"{name} is no sweep{near(name, known) or '.'} There are {', '.join(known) or 'none'}.")
        given = load(path)
        called = path.stem if path.suffix and name.endswith(path.suffix) else name
        return cls._checked(called, path, path.read_text().partition("\n")[0].lstrip("# ").strip(), given)

    @classmethod
    def _checked(cls, name: str, path: Path, title: str, given: Any) -> Sweep:
        if not isinstance(given, dict) or "axes" not in given:
            raise BadRequest(f"{path} is no sweep: it has no axes.")
        for field in given:
            if field not in (*_FIELDS, *_OF_A_FIGURE):
                raise BadRequest(f"{path}: {field} is no part of a sweep{near(field, _FIELDS) or '.'}")
        axes = checked_axes(path, given["axes"])
        skip = given.get("skip") or []
        for item in skip if isinstance(skip, list) else [skip]:
            if not isinstance(item, dict) or not item or not item.keys() <= axes.keys():
                raise BadRequest(f"{path}: skip={item} is not a mapping of axes ({', '.join(axes)}) to values.")
        made = cls(
            name,
            path.resolve(),
            title,
            tuple(list_of_words(path, "overrides", given.get("overrides") or [])),
            axes,
            tuple(skip),
            _shown(path, given.get("report") or {}, tuple(map(str, axes))),
        )
        for item in made.skip:
            for axis, value in item.items():
                known = [called(value) for value in made.axes[axis]]
                for one in value if isinstance(value, list) else [value]:
                    if called(one) not in known:
                        raise BadRequest(f"{path}: skip.{axis}={one} is not on the axis: {', '.join(known)}.")
        return made

    def points(self, extra: Sequence[str] = ()) -> list[Point]:
        """Every combination of the axes' values that is not skipped; ``extra`` overrides come behind the sweep's own."""
        return [point for point in self._all(extra) if not any(_matches(point, item) for item in self.skip)]

    def _all(self, extra: Sequence[str]) -> Iterator[Point]:
        for chosen in itertools.product(*self.axes.values()):
            own = [override for axis, value in zip(self.axes, chosen, strict=True) for override in _set(axis, value)]
            values = {axis: called(value) for axis, value in zip(self.axes, chosen, strict=True)}
            yield Point(values, (*self.overrides, *own, *extra))


def names(folder: Path = SWEEPS) -> list[str]:
    """The sweeps below ``folder``."""
    return sorted(
        path.relative_to(folder).with_suffix("").as_posix() for path in folder.rglob("*.yaml") if _is_sweep(path)
    )


def load(path: Path) -> Any:
    """What the file holds.

    Raises:
        BadRequest: it cannot be read.
    """
    try:
        return yaml.safe_load(path.read_text())
    except yaml.YAMLError as reason:
        raise BadRequest(f"{path} cannot be read as YAML: {' '.join(str(reason).split())}.") from None


def _is_sweep(path: Path) -> bool:
    try:
        found = load(path)
    except (OSError, BadRequest):
        return False
    return isinstance(found, dict) and "axes" in found


def checked_axes(path: Path, axes: Any) -> dict[str, tuple[Any, ...]]:
    """Settings and the values of each.

    Raises:
        BadRequest: they are not a mapping of settings to lists, or one is called as a column of the tables is.
    """
    if not isinstance(axes, dict) or not axes:
        raise BadRequest(f"{path}: axes={axes} is not a mapping of settings to lists of values.")
    for axis, values in axes.items():
        if not isinstance(values, list) or not values:
            raise BadRequest(f"{path}: axes.{axis}={values} is not a list of values.")
        if axis in COLUMNS:
            raise BadRequest(
                f"{path}: axes.{axis} has the name of a column that rows are told apart by: call it otherwise."
            )
    return {str(axis): tuple(values) for axis, values in axes.items()}


def _shown(path: Path, given: Any, axes: tuple[str, ...]) -> Shown:
    if not isinstance(given, dict) or not given.keys() <= {"x", "lines", "measures"}:
        raise BadRequest(f"{path}: report={given} may say x, lines and measures, and nothing else.")
    x, lines = str(given.get("x", DENSITY)), given.get("lines", [axis for axis in axes if axis != "seed"])
    measures = list_of_words(path, "report.measures", given.get("measures", ["test_accuracy"]))
    for name in (x, *list_of_words(path, "report.lines", lines)):
        if name not in (DENSITY, BRANCH, *axes) or x == BRANCH:
            raise BadRequest(f"{path}: report names {name}: choose from {', '.join((DENSITY, BRANCH, *axes))}.")
    return Shown(x, tuple(lines), tuple(measures))


def list_of_words(path: Path, field: str, given: Any) -> list[str]:
    if not isinstance(given, list) or not all(isinstance(item, str) for item in given):
        raise BadRequest(f"{path}: {field}={given} is not a list of words.")
    return given


def _set(axis: str, value: Any) -> list[str]:
    """The overrides that put a point at ``value``."""
    if isinstance(value, Mapping):
        return [f"{name}={_written(inner)}" for name, inner in value.items() if name != "name"]
    return [f"{axis}={_written(value)}"]


def _written(value: Any) -> str:
    """A value in Hydra's grammar."""
    if value is None:
        return "null"
    if isinstance(value, bool):
        return str(value).lower()
    if isinstance(value, list):
        return f"[{','.join(map(_written, value))}]"
    if isinstance(value, Mapping):
        return f"{{{','.join(f'{name}:{_written(inner)}' for name, inner in value.items())}}}"
    return str(value)


def called(value: Any) -> str:
    """What the report calls a value."""
    if isinstance(value, Mapping) and "name" in value:
        return str(value["name"])
    if isinstance(value, list) and len(value) == 1:
        return called(value[0])
    return _written(value)


def _matches(point: Point, item: Mapping[str, Any]) -> bool:
    return all(
        point.values[axis] in [called(one) for one in (value if isinstance(value, list) else [value])]
        for axis, value in item.items()
    )
