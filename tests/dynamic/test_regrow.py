"""One update of one layer, against small arrays, a closed form and a count of draws."""

from __future__ import annotations

import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st
from scipy.stats import chisquare
from torch import Tensor

from lotto.dynamic.regrow import at_random, by_size, drawn, never_active_first, regrown


def generator(seed: int = 0) -> torch.Generator:
    return torch.Generator().manual_seed(seed)


def test_the_smallest_go_and_the_largest_gradients_come() -> None:
    weight = torch.tensor([[0.5, 0.0, -0.1], [0.0, 2.0, 0.3]])
    kept = torch.tensor([[True, False, True], [False, True, True]])
    gradient = torch.tensor([[9.0, -3.0, 0.1], [2.0, 9.0, 0.2]])
    made = regrown(weight, kept, 2, by_size(gradient))
    # -0.1 and 0.3 go; of the four places that are free then, -3 and 2 are the largest in size.
    assert made.tolist() == [[True, True, False], [True, True, False]]


def test_what_was_just_dropped_may_come_back() -> None:
    weight = torch.tensor([1.0, 0.1, 0.0, 0.0])
    kept = torch.tensor([True, True, False, False])
    assert regrown(weight, kept, 1, by_size(torch.tensor([0.0, 5.0, 1.0, 1.0]))).tolist() == kept.tolist()


def test_ties_go_by_index() -> None:
    weight, kept = torch.tensor([0.5, 0.5, 0.5, 0.0, 0.0, 0.0]), torch.tensor([1, 1, 1, 0, 0, 0]).bool()
    made = regrown(weight, kept, 1, by_size(torch.zeros(6)))
    # The first of equals stay and come first: the last of the three goes, and comes back as the first place that is free.
    assert made.tolist() == [True, True, True, False, False, False]
    made = regrown(weight, kept, 1, by_size(torch.tensor([0, 0, 0, 1.0, 1.0, 1.0])))
    assert made.tolist() == [True, True, False, True, False, False]


@given(st.integers(1, 40), st.data())
def test_the_count_stays_and_as_many_come_as_go(size: int, data: st.DataObject) -> None:
    kept = torch.tensor(data.draw(st.lists(st.booleans(), min_size=size, max_size=size)))
    active = int(kept.sum())
    count = data.draw(st.integers(0, active))
    weight = torch.randn(size, generator=generator(size)) * kept
    gradient = torch.randn(size, generator=generator(size + 1))
    ever = kept | (torch.rand(size, generator=generator(size + 2)) < 0.5)
    for growth in (by_size(gradient), at_random(generator()), never_active_first(ever, generator())):
        made = regrown(weight, kept, count, growth)
        assert int(made.sum()) == active
        assert int((made & ~kept).sum()) == int((kept & ~made).sum()) <= count


def test_the_gradient_of_linear_regression_in_closed_form() -> None:
    torch.manual_seed(0)
    x, y = torch.randn(64, 30, dtype=torch.float64), torch.randn(64, dtype=torch.float64)
    kept = torch.rand(30) < 0.4
    weight = (torch.randn(30, dtype=torch.float64) * kept).requires_grad_(True)
    (0.5 * (x @ weight - y).square().sum()).backward()
    assert weight.grad is not None
    made = regrown(weight.detach(), kept, 4, by_size(weight.grad))
    survivors = kept.clone()
    survivors[(weight.detach().abs() + 10.0 * ~kept).topk(4, largest=False).indices] = False
    correlation = (x.T @ (x @ weight.detach() - y)).abs() * ~survivors
    assert set((made & ~survivors).nonzero()[:, 0].tolist()) == set(correlation.topk(4).indices.tolist())


def test_random_growth_is_uniform() -> None:
    places = torch.tensor([True, False, True, True, False, True, True, True, False, True])
    source, draws = generator(3), 4000
    seen = sum((drawn(places, 3, source).long() for _ in range(draws)), torch.zeros(10, dtype=torch.long))
    assert not bool(seen[~places].any())
    assert int(seen.sum()) == 3 * draws
    assert chisquare(seen[places].numpy()).pvalue > 0.01


def test_places_that_never_held_a_weight_come_first() -> None:
    ever = torch.tensor([True, True, True, True, False, False, False])
    places = torch.tensor([False, False, True, True, True, True, True])
    growth = never_active_first(ever, generator())
    assert growth(places, 3).nonzero()[:, 0].tolist() == [4, 5, 6]
    assert int((growth(places, 2) & ~ever).sum()) == 2
    made = growth(places, 4)
    assert bool(made[4:].all()) and int(made.sum()) == 4


@pytest.mark.parametrize("bad", [float("nan"), float("inf")])
def test_a_replicate_that_has_diverged_keeps_its_counts(bad: float) -> None:
    weight, kept = torch.tensor([bad, 1.0, 0.0, 0.0]), torch.tensor([True, True, False, False])
    gradient: Tensor = torch.full((4,), bad)
    assert int(regrown(weight, kept, 1, by_size(gradient)).sum()) == 2
