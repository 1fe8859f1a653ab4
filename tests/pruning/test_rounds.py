"""The counts of several rounds within one prune stage."""

from __future__ import annotations

from itertools import pairwise

import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st

import lotto
from lotto.mask import Mask
from lotto.pruning.allocate import ALLOCATIONS, Budget, Layer, Rule, round_budgets
from lotto.pruning.allocation.path import towards
from lotto.schedule import Density, Rounds
from tests.pruning.networks import drawn, plain

NETWORK = [
    Layer("a", "dense", 6000, 6000, (60, 100)),
    Layer("b", "dense", 3000, 3000, (50, 60)),
    Layer("c", "output", 1000, 1000, (20, 50)),
]


def totals(rule: Rule, density: float, rounds: int, path: str) -> list[int]:
    made = round_budgets(NETWORK, rule, Density(density), rounds, path)
    return [sum(budget.keep for budget in budgets) for budgets in made]


def test_exponential_and_linear_paths_of_the_paper() -> None:
    """d ** (t / T) and 1 - (1 - d) t / T of 10,000 weights."""
    rule = Rule("global", 0.2)
    assert totals(rule, 0.01, 4, "exponential") == [3162, 1000, 316, 100]
    assert totals(rule, 0.01, 4, "linear") == [7525, 5050, 2575, 100]
    assert totals(rule, 0.01, 1, "linear") == [100]


@given(
    st.sampled_from(sorted(ALLOCATIONS)),
    st.sampled_from(["exponential", "linear"]),
    st.integers(1, 12),
    st.floats(0.01, 0.9),
    st.booleans(),
)
def test_counts_fall_to_what_one_round_leaves(
    allocation: str, path: str, rounds: int, density: float, exclude: bool
) -> None:
    rule = Rule(allocation, 0.2, ("output",) if exclude else ())
    target = Rounds(1 + round(4 * density)) if allocation == "openlth" or density > 0.5 else Density(0.1 + density)
    made = [{b.names: b.keep for b in budgets} for budgets in round_budgets(NETWORK, rule, target, rounds, path)]
    (once,) = round_budgets(NETWORK, rule, target, 1, path)
    assert len(made) == rounds
    assert made[-1] == {budget.names: budget.keep for budget in once}
    for earlier, later in pairwise(made):
        assert earlier.keys() == later.keys()
        assert all(later[names] <= earlier[names] for names in later)


def test_a_sparse_start_goes_on_from_its_density() -> None:
    halved = [Layer(v.name, v.kind, v.total, v.total // 2, v.shape) for v in NETWORK]
    made = [
        sum(b.keep for b in budgets)
        for budgets in round_budgets(halved, Rule("global", 0.2), Density(0.005), 2, "exponential")
    ]
    assert made == [500, 50]  # 0.5 -> 0.05 -> 0.005


def test_counts_that_are_given_are_approached_layer_by_layer() -> None:
    last = [Budget(("a",), 60), Budget(("b",), 0), Budget(("c",), 1000)]
    made = [[budget.keep for budget in budgets] for budgets in towards(last, NETWORK, 2, "linear")]
    assert made == [[3030, 1500, 1000], [60, 0, 1000]]
    made = [[budget.keep for budget in budgets] for budgets in towards(last, NETWORK, 2, "exponential")]
    assert made == [[600, 0, 1000], [60, 0, 1000]]


def test_a_criterion_is_asked_in_every_round_with_what_the_round_before_left() -> None:
    model = drawn(plain, 20, 10, 5)
    seen: list[tuple[float, int]] = []

    def criterion(module: torch.nn.Module, mask: Mask) -> dict[str, torch.Tensor]:
        seen.append((mask.density, int(sum((p != 0).sum() for p in module.parameters()))))
        return {name: parameter.abs() for name, parameter in module.named_parameters()}

    mask = lotto.prune(model, criterion, 0.04, rounds=2)
    assert mask == lotto.prune(model, "magnitude", 0.04)
    # One that names the mask is given the weights as they are.
    assert seen == [(1.0, 250), (0.2, 250)]


@pytest.mark.parametrize("field", ["rounds=0", "path=cubic", "regrow=yes"])
def test_refused_options(field: str) -> None:
    name, _, value = field.partition("=")
    with pytest.raises(lotto.errors.BadRequest, match=f"^{field} "):
        lotto.prune(drawn(plain, 20, 5), "magnitude", 0.5, **{name: int(value) if value.isdigit() else value})  # type: ignore[arg-type]
