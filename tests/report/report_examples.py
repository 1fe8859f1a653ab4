"""Tables of results as a run would leave them, with made-up numbers."""

from __future__ import annotations

import numpy as np
import pandas as pd

from lotto.report.columns import COLUMNS

TOTAL = 266_200


def simulate(
    replicates: int = 5, levels: int = 16, controls: tuple[str, ...] = ("reinit", "shuffle"), samples: int = 1
) -> pd.DataFrame:
    """LeNet-like results: the ticket gains a little and falls late, each control falls earlier and further."""
    random = np.random.default_rng(0)
    slope = {"ticket": 0.0, **{name: 0.004 + 0.003 * rank for rank, name in enumerate(controls)}}
    rows = []
    for branch in slope:
        for level in range(1 if branch != "ticket" else 0, levels):
            density = 0.8**level
            hill = 0.003 * np.exp(-(((level - 8) / 4) ** 2)) - 0.004 * max(level - 13, 0) / 2
            loss = slope[branch] * (level / 8) ** 2
            for replicate in range(replicates):
                for sample in range(samples if branch != "ticket" else 1):
                    accuracy = 0.981 + hill - loss + random.normal(0, 0.0006)
                    kept = round(TOTAL * density) + replicate % 2
                    rows.append(
                        {
                            "experiment": "frankle2019/lenet",
                            "method": "imp",
                            "criterion": "magnitude",
                            "branch": branch,
                            "replicate": replicate,
                            "level": level,
                            "density": kept / TOTAL if level else 1.0,
                            "weights_remaining": kept if level else TOTAL,
                            "weights_total": TOTAL,
                            "early_stop_step": float(round(7000 - 8e5 * hill + 9e5 * loss + random.normal(0, 300), -2)),
                            "val_loss_min": 0.07 + random.normal(0, 0.002),
                            "test_accuracy_early_stop": accuracy - 0.0005,
                            "test_accuracy": accuracy,
                            "train_steps": 50_000,
                            "wall_seconds": 41.5,
                            "cached": bool(replicate % 2),
                            "key": f"{random.integers(2**62):016x}" * 4,
                            "sample": sample,
                        }
                    )
    return pd.DataFrame(rows).astype({"cached": bool})[[*COLUMNS, "sample"]]


def small(accuracies: dict[str, list[list[float]]]) -> pd.DataFrame:
    """A table from accuracies by branch, level and replicate; the ticket starts at level 0, controls at level 1."""
    template = simulate(replicates=1, levels=1, controls=()).iloc[0].to_dict()
    rows = []
    for branch, levels in accuracies.items():
        for level, values in enumerate(levels, start=0 if branch == "ticket" else 1):
            for replicate, value in enumerate(values):
                density = 0.5**level
                row = {
                    "branch": branch,
                    "level": level,
                    "replicate": replicate,
                    "density": density,
                    "test_accuracy": value,
                }
                rows.append(template | row | {"weights_remaining": round(TOTAL * density), "test_accuracy": value})
    return pd.DataFrame(rows)


def without_validation(table: pd.DataFrame) -> pd.DataFrame:
    """The same results of a data set without a validation split."""
    return table.assign(early_stop_step=np.nan, val_loss_min=np.nan, test_accuracy_early_stop=np.nan)


def probes(table: pd.DataFrame, layer: str = "fc.weight") -> pd.DataFrame:
    """Made-up probes of the networks in ``table``: lines between two of them, calibration, stability of one layer."""
    common = ("experiment", "method", "criterion", "branch", "replicate", "level", "density")
    rows = []
    for row in table.drop_duplicates(["branch", "level", "replicate"]).to_dict("records"):
        base = {name: row[name] for name in common} | {
            "sample": 0,
            "layer": "",
            "pair": "",
            "x": np.nan,
            "key": "0" * 40,
        }
        height = 0.02 * (1 + row["level"]) + 0.001 * row["replicate"]
        between = base | {"probe": "interpolation", "pair": "1-2"}
        rows += [
            between | {"measure": "test_error", "x": x, "value": 0.02 + 4 * height * x * (1 - x)}
            for x in (0.0, 0.5, 1.0)
        ]
        rows.append(between | {"measure": "barrier_test", "value": height})
        rows.append(base | {"probe": "calibration", "measure": "ece", "value": 0.01 + height / 10})
        rows += [
            base | {"probe": "calibration", "measure": "accuracy", "x": x, "value": x - 0.02} for x in (0.25, 0.75)
        ]
        rows += [
            base | {"probe": "stability", "measure": "l2", "layer": of, "value": 3.0 + height} for of in ("", layer)
        ]
    return pd.DataFrame(rows)


def claims(claim: str = "Tickets beat the dense network.") -> list[dict[str, object]]:
    """Two claims, one of which could not be measured."""
    measured = {"measured": 0.21, "sd": 0.11, "low": -0.05, "high": 0.47, "n": 5, "difference": -0.09}
    return [
        {
            "figure": "Figure 3",
            "claim": claim,
            "unit": "points",
            "published": "more than 0.3 points",
            "mark": "read",
            **measured,
            "verdict": "does not hold",
            "reason": "The interval includes zero.",
            "rule": "The interval lies above zero.",
            "tolerance": "0.1 points",
        },
        {
            "figure": "Figure 8",
            "claim": "VGG-19 needs warmup.",
            "unit": "",
            "published": "no ticket without it",
            "mark": "from memory",
            **dict.fromkeys(measured, None),
            "verdict": "not testable at this scale",
            "reason": "No accelerator.",
            "rule": "",
            "tolerance": "",
        },
    ]
