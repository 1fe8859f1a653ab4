from __future__ import annotations

import pytest

from lotto.bench.contestants import Contestant
from lotto.bench.measurement import Measurement
from lotto.bench.rounds import LEAST_STEPS, in_rounds, steps_for


class Trainer:
    """Takes so many seconds for a step, and ten times as many for each of the first training."""

    def __init__(self, seconds_a_step: float) -> None:
        self.seconds_a_step = seconds_a_step
        self.asked: list[int] = []

    def __call__(self, steps: int) -> Measurement:
        slower = 1 if self.asked else 10
        self.asked.append(steps)
        return Measurement(1, steps, slower * steps * self.seconds_a_step, None, "plain", "cpu")


@pytest.mark.parametrize("seconds_a_step", [1e-4, 1e-3, 0.05, 0.3])
def test_steps_take_about_the_time_that_is_asked_for(seconds_a_step: float) -> None:
    train = Trainer(seconds_a_step)
    assert steps_for(2.0, train) == pytest.approx(2 / seconds_a_step, rel=0.1)
    assert max(train.asked) <= 1.1 * 2 / seconds_a_step


def test_a_few_steps_are_taken_at_least() -> None:
    train = Trainer(10.0)
    assert steps_for(2.0, train) == LEAST_STEPS
    assert train.asked == [LEAST_STEPS, LEAST_STEPS]


@pytest.mark.parametrize(("seconds_a_step", "steps"), [(0.003, 700), (0.5, 100)])
def test_steps_come_in_whole_evaluations(seconds_a_step: float, steps: int) -> None:
    train = Trainer(seconds_a_step)
    assert steps_for(2.0, train, unit=100) == steps
    assert all(asked % 100 == 0 for asked in train.asked)


def test_everybody_trains_once_a_round_in_an_order_that_moves_on() -> None:
    steps = {Contestant("lenet", "lotto", replicates, 1.0): 10 * replicates for replicates in (1, 2, 3)}
    ran: list[int] = []
    said: list[str] = []

    def train(contestant: Contestant, asked: int) -> Measurement:
        ran.append(contestant.replicates)
        return Measurement(contestant.replicates, asked, float(len(ran)), None, "alone", "cpu")

    found = in_rounds(2, steps, train, said.append)

    assert ran == [1, 2, 3, 2, 3, 1]
    assert [row.contestant for row in found] == list(steps)
    assert [row.steps for row in found] == [10, 20, 30]
    assert [m.seconds for m in found[0].rounds] == [1.0, 6.0]
    assert (
        len(said) == 6 and said[0] == "round 1 of 2: lenet, lotto, 1 replicate at 100% density: 10.0 replicate-steps/s"
    )
