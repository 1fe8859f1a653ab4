"""What the report says of searches by several copies."""

from __future__ import annotations

import pandas as pd

from lotto.report.overlaps import overlap_section


def test_means_of_every_round_and_nothing_for_other_rows() -> None:
    rows = [
        {"branch": "ticket", "level": 0, "density": 1.0, "sparsity_pruned": 0.0, "sparsity_weights": 0.0},
        {"branch": "ticket", "level": 1, "density": 0.75, "sparsity_pruned": 0.3, "sparsity_weights": 0.25}
        | {"overlap_survival": 0.7, "overlap_iou": 0.8, "rounds_alone": 2},
        {"branch": "ticket", "level": 1, "density": 0.77, "sparsity_pruned": 0.28, "sparsity_weights": 0.23}
        | {"overlap_survival": 0.72, "overlap_iou": 0.9, "rounds_alone": 3},
        {"branch": "random", "level": 1, "density": 0.1, "sparsity_pruned": 0.9, "sparsity_weights": 0.9},
    ]
    heading, text = overlap_section(pd.DataFrame(rows))
    assert heading == "## What the copies have in common"
    assert text.splitlines()[2:] == ["| 1 | 2 | 2 to 3 | 76.00% | 29.00% | 24.00% | 71.00% | 85.00% |"]
    never = pd.DataFrame([rows[1] | {"rounds_alone": None}, rows[2]])
    assert overlap_section(never)[1].splitlines()[2].startswith("| 1 | 2 | 3 to \N{EN DASH} | 76.00%")
    assert overlap_section(pd.DataFrame(rows[:1])) == overlap_section(pd.DataFrame(rows[3:])) == []
