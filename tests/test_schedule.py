"""What every level asks for."""

from __future__ import annotations

from collections.abc import Callable
from itertools import pairwise
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from lotto.errors import BadRequest
from lotto.schedule import (
    Cubic,
    Densities,
    Density,
    Geometric,
    Linear,
    Removal,
    Removals,
    Rounds,
    as_fields,
    from_fields,
)


def values(schedule: Any) -> list[float]:
    return [schedule.target(level, 0).value for level in range(1, schedule.levels)]


def test_geometric_asks_for_the_rounds_since_the_network_it_prunes() -> None:
    assert Geometric(5).target(3, since=2) == Rounds(1)
    assert Geometric(5).target(3, since=0) == Rounds(3)


def test_densities_of_five_levels_down_to_a_sixteenth() -> None:
    assert values(Geometric(5, 1 / 16)) == pytest.approx([1 / 2, 1 / 4, 1 / 8, 1 / 16])
    assert values(Linear(5, 0.2)) == pytest.approx([0.8, 0.6, 0.4, 0.2])
    # 0.2 + 0.8 * (3/4)^3, (1/2)^3, (1/4)^3 and 0
    assert values(Cubic(5, 0.2)) == pytest.approx([0.5375, 0.3, 0.2125, 0.2])
    assert values(Densities([0.5, 0.25])) == [0.5, 0.25]
    assert values(Removals([0.5, 0.75])) == [0.5, 0.75]
    assert Removals([0.5]).target(1, 0) == Removal(0.5)


@given(st.integers(2, 40), st.floats(0.001, 0.999))
def test_density_falls_to_exactly_what_was_asked(levels: int, density: float) -> None:
    for kind in (Geometric, Linear, Cubic):
        falling = [1.0, *values(kind(levels, density))]
        assert len(falling) == levels
        assert all(later <= earlier for earlier, later in pairwise(falling))
        assert falling[-1] == pytest.approx(density)


def test_a_list_is_as_long_as_its_levels_or_cut_short() -> None:
    assert Densities([0.5, 0.2]).levels == 3
    assert Densities([0.5, 0.2], levels=2).levels == 2
    assert Removals([0.5], levels=1).levels == 1


@pytest.mark.parametrize("target", [Rounds(3), Density(0.125), Removal(0.875)])
def test_targets_go_into_identity_and_back(target: Any) -> None:
    fields = as_fields(target)
    assert fields == {"target": type(target).__name__.lower(), **vars(target)}
    assert from_fields(fields) == target


@pytest.mark.parametrize(
    ("make", "sentence"),
    [
        (lambda: Geometric(0), "schedule.levels=0 is not a number of levels: 1 (the dense network alone) or more."),
        (lambda: Linear(2.5, 0.1), "schedule.levels=2.5 is not a number of levels: 1 (the dense network alone) or more."),
        (lambda: Cubic(True, 0.1), "schedule.levels=True is not a number of levels: 1 (the dense network alone) or more."),
        (lambda: Geometric(3, 1.0), "schedule.density=1.0 lies outside (0, 1)."),
        (lambda: Linear(3, 0), "schedule.density=0 lies outside (0, 1)."),
        (lambda: Cubic(3, "abc"), "schedule.density=abc lies outside (0, 1)."),
        (lambda: Linear(3, float("nan")), "schedule.density=nan lies outside (0, 1)."),
        (lambda: Densities([]), "schedule.densities=[] is empty: name the value of at least one level below the dense network."),
        (lambda: Densities(0.5), "schedule.densities=0.5 is not a list: write schedule.densities=[…]."),
        (lambda: Removals(["a"]), "schedule.removals=a lies outside (0, 1)."),
        (lambda: Densities([0.5, 0.5]), "schedule.densities=[0.5, 0.5] must fall from level to level."),
        (
            lambda: Removals([0.5], levels=3),
            "schedule.levels=3 asks for more levels than schedule.removals lists: at most 2, the dense network included.",
        ),
    ],
)  # fmt: skip
def test_refusals(make: Callable[[], Any], sentence: str) -> None:
    with pytest.raises(BadRequest) as refusal:
        make()
    assert str(refusal.value) == sentence
