"""The columns of ``results.csv``: their names, their meaning, and a file format that keeps every bit."""

from __future__ import annotations

import csv
import io
from collections.abc import Sequence
from pathlib import Path

import numpy as np
import pandas as pd

from lotto.report.aside import write_aside

MEANING = {
    "experiment": "name of the experiment",
    "method": "how the ticket was found",
    "criterion": "score by which weights were kept",
    "branch": "ticket, or the name of the control",
    "replicate": "index of the replicate: its own initialisation and data order",
    "level": "number of prunings; level 0 is the dense network",
    "density": "weights_remaining / weights_total",
    "weights_remaining": "prunable weights the mask keeps",
    "weights_total": "prunable weights of the dense network",
    "early_stop_step": "training step at which the validation loss was smallest; empty without a validation split",
    "val_loss_min": "validation loss at early_stop_step",
    "test_accuracy_early_stop": "test accuracy at early_stop_step, a fraction",
    "test_accuracy": "test accuracy at the end of training, a fraction",
    "train_steps": "training steps of the fit",
    "wall_seconds": "wall time of the fit that trained the row, the same for replicates stacked in it",
    "cached": "true where the row was read from the store instead of trained by this run",
    "key": "key of the artifact in the store",
}
"""What each column of the contract means, in the order in which the file holds them."""

COLUMNS = tuple(MEANING)

FURTHER = {
    "sample": "index of the control's draw, where a control is drawn several times per ticket",
    "val_accuracy": "validation accuracy at the end of training, a fraction",
    "engine": "the engine that trained the row",
    "flops_inference": "FLOPs of one example's forward pass, those of pruned weights left out",
    "weights_slimmed": "parameters of the physically smaller network behind a structured ticket, biases and normalisations too; else empty",
    "flops_slimmed": "FLOPs of one example's forward pass through that network; empty where the ticket is not structured",
    "found_epoch": "epochs after which the ticket's mask had settled; empty where it never did",
    "found_step": "training step of the dense network at which the ticket was drawn",
    "flops_whole": "FLOPs of the dense training until the ticket was drawn, and of its own, slimmed where it was; of level 0 its training",
    "flops_training": "FLOPs of the fit: three forward passes for every training example, evaluations left out",
    "target": "the function that the ticket is to compute",
    "candidates": "random numbers from which a subset is chosen for every weight of the target",
    "candidates_kept": "of all candidates those that are in a chosen subset",
    "candidates_offered": "candidates of all weights of the target",
    "density_offered": "weights that remain, of a network that holds no more candidates than the ticket may use",
    "error_sup": "greatest distance from the target at any point, of any output",
    "error_relative_sup": "error_sup over the target's greatest absolute value",
    "error_exact_sup": "what the exact network errs by of which every weight is a sum of candidates in the ticket",
    "error_bound": "what the errors of single weights allow error_sup to be at inputs up to 1",
    "error_combined_sup": "error of random combinations of the outputs, fitted on what the ticket computes; the median",
    "error_expected_sup": "the outputs' errors by the combinations' coefficients; the median",
    "weight_error_median": "distance of the sum of the chosen candidates from the target's weight: median over weights",
    "weight_error_95": "the same: of 95% of the weights not more than this",
    "weight_error_max": "the same: the greatest",
    "weights_within": "share of the weights that a subset comes within 0.01 of",
    "sparsity_pruned": "zeros over the weights of the layers that are pruned at all",
    "sparsity_weights": "zeros over the weights of convolutions, linear layers and normalisation",
    "overlap_survival": "fraction of the weights that remained before the round which all copies keep, in layers that are pruned",
    "overlap_iou": "weights that all copies keep over those that any copy keeps, in layers that are pruned",
    "rounds_alone": "rounds that iterative pruning takes to as few weights at the same rates, by counts; the ticket's own are its level",
    "rounds_saved": "rounds_alone less the ticket's own rounds",
    "energy_kwh": "energy of the fit that trained the row, the same for replicates stacked in it",
    "co2_kg": "carbon dioxide of that energy",
    "energy_from": "measured (codecarbon) or estimated (hardware.watts and wall time)",
}
"""What the columns mean that may follow those of the contract."""

TEXT = ("experiment", "method", "criterion", "branch", "key", "engine", "target", "energy_from")
"""Columns never read as numbers: ``12e4`` is a key, and ``none`` a method."""


def meaning(column: str) -> str:
    """One line on ``column``, empty for a column nothing is known about."""
    return MEANING.get(column) or FURTHER.get(column, "")


def cell(value: object) -> str:
    """One value as ``results.csv`` writes it: the shortest text with the same bits, empty where missing."""
    if isinstance(value, (bool, np.bool_)):
        return "true" if value else "false"
    if isinstance(value, (float, np.floating)):
        return "" if np.isnan(value) else repr(float(value))
    return "" if value is None or value is pd.NA else str(value)


def write_csv(table: pd.DataFrame, path: Path) -> Path:
    """Write ``table`` to ``path``, the contract's columns first, and return the path.

    Raises ``ValueError`` naming the columns of the contract that the table lacks.
    """
    if lacking := [name for name in COLUMNS if name not in table]:
        raise ValueError(f"the table of results lacks the columns {', '.join(lacking)}")
    return write_rows(table[[*COLUMNS, *(name for name in table if name not in MEANING)]], path)


def write_rows(table: pd.DataFrame, path: Path) -> Path:
    """Write any table to ``path``, its columns in their order, and return the path."""
    text = io.StringIO(newline="")
    writer = csv.writer(text, lineterminator="\n")
    writer.writerow(table.columns)
    writer.writerows(zip(*([cell(value) for value in table[name]] for name in table), strict=True))
    return write_aside(path, text.getvalue().encode())


def read_csv(path: Path) -> pd.DataFrame:
    """The table that ``write_csv`` wrote: floats with the same bits, text as text, missing numbers as NaN."""
    with path.open(encoding="utf-8", newline="") as file:
        names, *rows = csv.reader(file)
    columns = zip(*rows, strict=True) if rows else [()] * len(names)
    return pd.DataFrame(
        {name: texts if name in TEXT else _values(texts) for name, texts in zip(names, columns, strict=True)}
    )


def _values(texts: Sequence[str]) -> Sequence[object]:
    """What a column of ``cell`` texts held. Python's own ``float`` is exact; pandas' parser is so only when asked."""
    if set(texts) <= {"true", "false"}:
        return [text == "true" for text in texts]
    for kind in (int, float):
        try:
            return [kind(text or "nan") for text in texts]
        except ValueError:
            continue
    return texts
