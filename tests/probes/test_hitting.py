"""First times and the delay between them, by hand."""

from __future__ import annotations

import pytest
from torch import nn

from lotto.errors import BadRequest, StageFailed
from lotto.probes.hitting import first_time, probe
from lotto.probes.options import check_options
from lotto.probes.subject import State
from tests.probes.probe_samples import read, subject

# Memorised at 20, forgotten again at 40; generalised at 70 and dipping afterwards.
CURVE = [
    {"step": 0, "val_accuracy": 0.1},
    {"step": 10, "val_accuracy": 0.1, "train_accuracy": 0.5},
    {"step": 20, "val_accuracy": 0.2, "train_accuracy": 0.95},
    {"step": 40, "val_accuracy": 0.3, "train_accuracy": 0.9},
    {"step": 70, "val_accuracy": 0.97, "train_accuracy": 0.995},
    {"step": 90, "val_accuracy": 0.6, "train_accuracy": 1.0},
    {"step": 95, "val_accuracy": None, "train_accuracy": None},
]


def found(curve: list, thresholds: list[float]) -> dict:
    networks = {"trained": State({}, None, 100, curve)}
    numbers = read(probe, subject(networks, lambda: nn.Identity()), thresholds=thresholds)
    return {measure: value for (measure,), value in numbers.items()}


def test_first_times_and_the_delay() -> None:
    assert found(CURVE, [0.95]) == {
        "budget": 100,
        "best_train": 1.0,
        "best_held_out": 0.97,
        "train_step_95": 20,
        "held_out_step_95": 70,
        "tau_95": 50,
        "tau_least_95": 50,
    }


def test_what_never_comes_is_no_number_and_no_exception() -> None:
    numbers = found(CURVE, [0.99])
    assert (numbers["train_step_99"], numbers["held_out_step_99"], numbers["tau_99"]) == (70, None, None)
    # at least from step 70 to the end
    assert numbers["tau_least_99"] == 30


def test_a_network_that_does_not_even_memorise_has_no_delay_at_all() -> None:
    numbers = found(
        [{"step": 0, "val_accuracy": 0.1}, {"step": 10, "val_accuracy": 0.99, "train_accuracy": 0.2}], [0.995]
    )
    assert [numbers[f"{name}_99.5"] for name in ("train_step", "held_out_step", "tau", "tau_least")] == [None] * 4


def test_a_ticket_may_know_the_rest_before_its_training_set() -> None:
    curve = [
        {"step": 10, "val_accuracy": 0.96, "train_accuracy": 0.9},
        {"step": 20, "val_accuracy": 1, "train_accuracy": 1},
    ]
    assert found(curve, [0.95])["tau_95"] == -10


def test_a_threshold_that_is_met_exactly_is_met() -> None:
    assert first_time(CURVE, "train_accuracy", 0.95) == 20
    assert first_time(CURVE, "train_accuracy", 0.9500001) == 70


def test_without_held_out_data_there_is_nothing_to_read() -> None:
    with pytest.raises(StageFailed, match=r"set data\.validation above 0"):
        found([{"step": 10, "train_accuracy": 0.5}], [0.95])


@pytest.mark.parametrize("threshold", [-0.1, 1.5, 95])
def test_thresholds_are_fractions(threshold: float) -> None:
    with pytest.raises(BadRequest, match=rf"probes\.hitting\.thresholds={threshold} is too"):
        check_options("probes.hitting", "x", probe, {"thresholds": [threshold]}, {})
