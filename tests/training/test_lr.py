import math

import pytest

from lotto.training.lr import factor


@pytest.mark.parametrize(
    ("schedule", "warmup", "expected"),
    [
        ({"name": "constant"}, 0, {0: 1.0, 10**6: 1.0}),
        # The drop applies at the milestone itself.
        ({"name": "step", "milestones": [10, 20], "gamma": 0.1}, 0, {0: 1, 9: 1, 10: 0.1, 19: 0.1, 20: 0.01, 99: 0.01}),
        ({"name": "linear", "final": 0.2, "steps": 10}, 0, {0: 1.0, 5: 0.6, 10: 0.2, 11: 0.2}),
        ({"name": "cosine", "final": 0.0, "steps": 8}, 0, {0: 1.0, 4: 0.5, 8: 0.0, 2: (1 + math.sqrt(0.5)) / 2}),
        ({"name": "constant"}, 4, {0: 0.0, 1: 0.25, 3: 0.75, 4: 1.0, 5: 1.0}),
        # Resnet-18's warm-up of 20,000 iterations ends at the first drop (Frankle & Carbin 2019).
        (
            {"name": "step", "milestones": [20000, 25000], "gamma": 0.1},
            20000,
            {10000: 0.5, 19999: 19999 / 20000, 20000: 0.1, 25000: 0.01},
        ),
    ],
)
def test_factor_by_hand(schedule: dict, warmup: int, expected: dict[int, float]) -> None:
    for step, value in expected.items():
        assert factor(step, schedule, warmup) == pytest.approx(value, abs=1e-12)
