"""How what is run here differs from the paper's size: found by comparing the two configurations, so that none is left unsaid."""

from __future__ import annotations

from collections.abc import Collection, Iterator, Mapping, Sequence
from typing import Any

from lotto.spec import Spec
from lotto.sweep.planned import PlannedPoint, PlannedSweep

# Where it runs and who is told changes no result; names of sections change with them.
_NOT_COMPARED = (
    "name",
    "store",
    "hardware",
    "logger",
    "engine",
    "hydra",
    "experiment",
    "waypoints",
    "worker",
    "request",
)
_WHOLE = ("data", "model")


def differences(here: PlannedSweep, paper: PlannedSweep) -> list[str]:
    """A line for everything that changes a result: data, network, length, levels, replicates, controls, probes, axes."""
    lines = list(dict.fromkeys(line for pair in _pairs(here, paper) for line in _between(*pair)))
    for axis, values in paper.sweep.axes.items():
        own = _words(here.sweep.axes[axis])
        if own != _words(values):
            lines.append(f"{axis}: {own} here, {_words(values)} in the paper")
    return lines


def _pairs(here: PlannedSweep, paper: PlannedSweep) -> Iterator[tuple[Spec, Spec, set[str]]]:
    """Every point, that of the paper which agrees with it on the most axes, and the settings of those on which it does not."""
    for point in here.points:
        apart = min((_apart(point, theirs) for theirs in paper.points), key=len)
        theirs = next(theirs for theirs in paper.points if _apart(point, theirs) == apart)
        yield point.spec, theirs.spec, {name for axis in apart for name in _settings(here, axis)}


def _apart(here: PlannedPoint, paper: PlannedPoint) -> list[str]:
    return [axis for axis, value in paper.point.values.items() if here.point.values[axis] != value]


def _settings(here: PlannedSweep, axis: str) -> Iterator[str]:
    """What an axis sets: its values may be mappings of several settings."""
    for value in here.sweep.axes[axis]:
        yield from value if isinstance(value, Mapping) else (axis,)


def _between(here: Spec, paper: Spec, told: Collection[str]) -> Iterator[str]:
    """What differs between two points, but for the settings that the line of an axis tells of."""
    if here.data.identity != paper.data.identity:
        yield f"data: {_data(here)} here, {_data(paper)} in the paper"
    if here.model != paper.model or here.data.input_shape != paper.data.input_shape:
        own, theirs = _model(here), _model(paper)
        if own != theirs:
            yield f"model: {own} here, {theirs} in the paper"
    one, other = _flat(here.request), _flat(paper.request)
    for name in dict.fromkeys([*other, *one]):
        if one.get(name) != other.get(name) and not any(f"{name}.".startswith(f"{of_axis}.") for of_axis in told):
            yield f"{name}: {_word(one.get(name))} here, {_word(other.get(name))} in the paper"


def _data(spec: Spec) -> str:
    facts = spec.data
    shape = "\N{MULTIPLICATION SIGN}".join(map(str, facts.input_shape))
    return f"{facts.identity['name']} ({facts.train:,} / {facts.validation:,} / {facts.test:,} images of {shape})"


def _model(spec: Spec) -> str:
    settings = {name: value for name, value in spec.model.items() if name not in ("_target_", "init")}
    name = str(spec.model.get("name", str(spec.model["_target_"]).rpartition(".")[2]))
    further = ", ".join(f"{key}={_word(value)}" for key, value in settings.items() if key != "name")
    return f"{name} ({further})" if further else name


def _flat(request: Mapping[str, Any], prefix: str = "") -> dict[str, Any]:
    flat: dict[str, Any] = {}
    for name, value in request.items():
        if not prefix and name in (*_NOT_COMPARED, *_WHOLE):
            continue
        path = f"{prefix}{name}"
        if isinstance(value, Mapping):
            flat |= _flat(value, f"{path}.")
        elif not name.startswith("_"):
            flat[path] = value
    return flat


def _words(values: Sequence[Any]) -> str:
    return ", ".join(_word(value.get("name", value) if isinstance(value, Mapping) else value) for value in values)


def _word(value: Any) -> str:
    if value is None:
        return "unset"
    return f"{value:,}" if isinstance(value, int) and not isinstance(value, bool) else str(value)
