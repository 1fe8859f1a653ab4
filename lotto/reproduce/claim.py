"""A claim of a paper: a number that it publishes, how the same number is measured here, and the rule by which it holds.

.. code-block:: yaml

    claims:
      - name: L2
        says: At 21% of the weights the validation loss is smallest 38% earlier than in the dense network.
        measure: early_stop_step           # of the results, of a probe (interpolation.barrier_test), or val_accuracy@0.1
        of: {density: 0.211}
        against: {density: 1}
        as: ratio                          # value, difference, ratio, down_to, density, or from
        published: 0.62
        mark: read                         # in the paper itself; computed, from memory, plotted, from summaries, measured apart
        holds: {at_most: 0.75}
        direction: {below: 1}
        tolerance: suggested with the paper's number 0.62; the published spread is not stated

``measure@f`` is its value after the fraction f of training, of what is evaluated on the way: ``val_accuracy`` and ``val_loss``. ``of``
and ``against`` choose rows: ``branch`` (ticket unless said), ``density``, ``level``, any axis, and of a probe ``pair``, ``layer`` (the
whole network unless said) and ``x``, of which the nearest that was read counts. A density may be a range [low, high] with ``over: best``,
``worst`` or ``mean``: the level at which the mean over replicates is greatest or smallest. ``as: down_to`` is the smallest density down
to which the mean of ``of`` is at least that of ``against`` less ``margin``, and ``as: density`` the density that ``over`` chose.

``as: from`` is the smallest value of the axis ``along`` from which on the mean of ``of`` is at most ``margin`` or, where there is
``against``, at least its mean less ``margin``; no such value counts as infinity. ``pick: {axis: train.lr, by: val_accuracy}`` leaves of an
axis, at every density, the value at which the mean of another column of the results is greatest: what a paper chooses by validation.
``average: median`` takes the median over replicates where the paper does.

A rule gives ``at_least``, ``at_most``, ``above``, ``below``, ``between: [low, high]``, ``near: d`` (of the published number, in the
measure's unit) or ``within: f`` (the same as a fraction of it).

``for`` writes several claims at once: each of its items replaces ``{words}`` in the claim, and ``published`` where it has one.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from lotto.errors import BadRequest

MARKS = ("read", "computed", "from memory", "plotted", "from summaries", "measured")
KINDS = ("value", "difference", "ratio", "down_to", "density", "from")
OVER = ("best", "worst", "mean")
AVERAGES = ("mean", "median")
UNITS = ("", "%", "points", "x", "steps", "degrees")
_BOUNDS = ("at_least", "at_most", "above", "below", "between", "near", "within")
_SELECTORS = ("branch", "density", "level", "pair", "layer", "x", "probe", "method", "criterion")


@dataclass(frozen=True)
class Bounds:
    """What a number must satisfy: all that is given."""

    at_least: float | None = None
    at_most: float | None = None
    above: float | None = None
    below: float | None = None

    def hold(self, value: float) -> bool:
        """Whether ``value`` lies within them."""
        return (
            (self.at_least is None or value >= self.at_least)
            and (self.at_most is None or value <= self.at_most)
            and (self.above is None or value > self.above)
            and (self.below is None or value < self.below)
        )

    def words(self, show: Any) -> str:
        """The rule in a few words; ``show`` writes a number."""
        if self.at_least is not None and self.at_most is not None:
            return f"{show(self.at_least)} to {show(self.at_most)}"
        given = {"at least": self.at_least, "at most": self.at_most, "above": self.above, "below": self.below}
        return " and ".join(f"{word} {show(number)}" for word, number in given.items() if number is not None)


@dataclass(frozen=True)
class Claim:
    """One rule.

    Args:
        published: the paper's own number, or its words where it gives none.
        holds: bounds within which the claim holds.
        direction: weaker bounds within which it holds in direction; None where there is no direction.
        tolerance: where the bounds come from.
        margin: for ``down_to`` and ``from``, in the measure's own unit.
        along: the axis that ``from`` goes along.
        pick: the axis of which one value is left, and the column that it is chosen by.
        average: over replicates.
    """

    name: str
    says: str
    measure: str
    of: Mapping[str, Any]
    against: Mapping[str, Any] | None
    kind: str
    over: str
    unit: str
    published: float | str
    mark: str
    holds: Bounds
    direction: Bounds | None
    tolerance: str
    margin: float = 0.0
    along: str | None = None
    pick: tuple[str, str] | None = None
    average: str = "mean"


def read_claims(path: Path, given: Any, axes: Sequence[str]) -> tuple[Claim, ...]:
    """The claims of a figure's file.

    Raises:
        BadRequest: naming the claim, the field, its value and what is allowed.
    """
    if not isinstance(given, list) or not given:
        raise BadRequest(f"{path}: claims={given} is not a list of claims.")
    made = [_claim(path, one, axes) for item in given for one in _expanded(path, item)]
    names = [claim.name for claim in made]
    for name in names:
        if names.count(name) > 1:
            raise BadRequest(f"{path}: two claims are called {name}.")
    return tuple(made)


def _expanded(path: Path, item: Any) -> list[dict[str, Any]]:
    if not isinstance(item, Mapping):
        raise BadRequest(f"{path}: claims: {item} is not a mapping.")
    claim = dict(item)
    cases = claim.pop("for", None)
    if cases is None:
        return [claim]
    if not isinstance(cases, list) or not all(isinstance(case, Mapping) for case in cases):
        raise BadRequest(f"{path}: claims: for={cases} is not a list of mappings.")
    return [
        _filled(claim, case) | {name: case[name] for name in ("published", "mark", "holds") if name in case}
        for case in cases
    ]


def _filled(value: Any, case: Mapping[str, Any]) -> Any:
    """``value`` with every ``{word}`` replaced; a text that is one word alone takes the value as it is."""
    if isinstance(value, Mapping):
        return {name: _filled(inner, case) for name, inner in value.items()}
    if isinstance(value, list):
        return [_filled(inner, case) for inner in value]
    if isinstance(value, str):
        for name, replacement in case.items():
            if value == f"{{{name}}}":
                return replacement
            value = value.replace(f"{{{name}}}", str(replacement))
    return value


@dataclass
class _Fields:
    """The fields of one claim, taken one by one."""

    path: Path
    given: dict[str, Any]
    name: str = field(default="")

    def refuse(self, name: str, value: Any, allowed: str) -> BadRequest:
        return BadRequest(f"{self.path}: claim {self.name}: {name}={value} {allowed}")

    def text(self, name: str) -> str:
        value = self.given.pop(name, None)
        if not isinstance(value, str) or not value:
            raise self.refuse(name, value, "is no text.")
        return value

    def choice(self, name: str, default: str | None, allowed: Sequence[str]) -> str:
        value = self.given.pop(name, default)
        if value not in allowed:
            raise self.refuse(name, value, f"is unknown: choose from {', '.join(filter(None, allowed))}.")
        return str(value)


def _claim(path: Path, given: dict[str, Any], axes: Sequence[str]) -> Claim:
    fields = _Fields(path, dict(given), str(given.get("name")))
    name = fields.text("name")
    kind, over = fields.choice("as", "value", KINDS), fields.choice("over", "mean", OVER)
    of, against = (_selection(fields, part, axes) for part in ("of", "against"))
    if of is None:
        raise fields.refuse("of", None, "chooses no rows.")
    if (kind in ("difference", "ratio", "down_to")) != (against is not None) and kind not in ("density", "from"):
        raise fields.refuse(
            "as", kind, "needs of and against." if against is None else "has nothing to do with against."
        )
    published = fields.given.pop("published", None)
    if isinstance(published, bool) or not isinstance(published, int | float | str):
        raise fields.refuse("published", published, "is neither a number nor words.")
    bounds = _bounds(fields, "holds", published)
    if bounds is None:
        raise fields.refuse("holds", None, "is missing: a claim needs its rule.")
    made = Claim(
        name=name,
        says=fields.text("says"),
        measure=fields.text("measure"),
        of=of,
        against=against,
        kind=kind,
        over=over,
        unit=fields.choice("unit", "", UNITS),
        published=published,
        mark=fields.choice("mark", None, MARKS),
        holds=bounds,
        direction=_bounds(fields, "direction", published),
        tolerance=fields.text("tolerance"),
        margin=float(fields.given.pop("margin", 0.0)),
        along=_along(fields, kind, axes),
        pick=_pick(fields, axes),
        average=fields.choice("average", "mean", AVERAGES),
    )
    for left in fields.given:
        raise fields.refuse(left, fields.given[left], "is no part of a claim.")
    return made


def _selection(fields: _Fields, part: str, axes: Sequence[str]) -> Mapping[str, Any] | None:
    given = fields.given.pop(part, None)
    if given is None:
        return None
    if not isinstance(given, Mapping):
        raise fields.refuse(part, given, "is not a mapping of columns to values.")
    for name, value in given.items():
        if name not in (*_SELECTORS, *axes):
            raise fields.refuse(f"{part}.{name}", value, f"is unknown: choose from {', '.join((*_SELECTORS, *axes))}.")
        if isinstance(value, list) and (name != "density" or len(value) != 2):
            raise fields.refuse(f"{part}.{name}", value, "is a list: only density may be a range [low, high].")
    return dict(given)


def _along(fields: _Fields, kind: str, axes: Sequence[str]) -> str | None:
    axis = fields.given.pop("along", None)
    if (axis is None) == (kind == "from"):
        raise fields.refuse("along", axis, "and as: from need each other.")
    if axis is not None and axis not in axes:
        raise fields.refuse("along", axis, f"is no axis: choose from {', '.join(axes)}.")
    return None if axis is None else str(axis)


def _pick(fields: _Fields, axes: Sequence[str]) -> tuple[str, str] | None:
    given = fields.given.pop("pick", None)
    if given is None:
        return None
    if not isinstance(given, Mapping) or set(given) != {"axis", "by"} or given["axis"] not in axes:
        raise fields.refuse("pick", given, f"is not {{axis: …, by: …}} of an axis: choose from {', '.join(axes)}.")
    return str(given["axis"]), str(given["by"])


def _bounds(fields: _Fields, name: str, published: float | str) -> Bounds | None:
    given = fields.given.pop(name, None)
    if given is None:
        return None
    if not isinstance(given, Mapping) or not given or not set(given) <= set(_BOUNDS):
        raise fields.refuse(name, given, f"is no rule: give {', '.join(_BOUNDS)}.")
    rule = dict(given)
    for word in ("near", "within"):
        if word in rule:
            if isinstance(published, str):
                raise fields.refuse(f"{name}.{word}", rule[word], "needs a published number.")
            width = float(rule.pop(word)) * (abs(published) if word == "within" else 1)
            rule |= {"at_least": published - width, "at_most": published + width}
    if "between" in rule:
        rule["at_least"], rule["at_most"] = rule.pop("between")
    return Bounds(**{word: float(number) for word, number in rule.items()})
