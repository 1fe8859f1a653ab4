"""When a network knows its training set, when it knows the rest, and how much later: the delay that grokking is (Power et al. 2022).

t(P) is the first evaluation with an accuracy of P or more, as in Minegishi et al. (arXiv 2310.19470), and tau(P) = t of what is held out
less t of the training set; P = 0.95 and 0.99 are from memory. First times and not last ones, since training with full batches and strong
weight decay dips again and again ("slingshots").
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from typing import Annotated

from lotto.errors import StageFailed
from lotto.probes.options import AtLeast, AtMost
from lotto.probes.subject import Numbers, Subject

Threshold = Annotated[float, AtLeast(0), AtMost(1)]
Curve = Iterable[Mapping[str, float | None]]


def probe(subject: Subject, numbers: Numbers, thresholds: Sequence[Threshold]) -> None:
    """For every threshold, in percent at the end of the name: ``train_step``, ``held_out_step`` and ``tau``, in steps.

    Held out is the validation split. Training accuracy is the mean over the batches since the last evaluation, before their updates, so
    that its time is late by up to ``train.evaluate_every`` and tau by as much too short. What never comes has no value; ``tau_least`` is
    then what is known: the steps from t of the training set to the end, if that came. ``budget`` is the last step, and ``best_train`` and
    ``best_held_out`` are the highest accuracies on the way.
    """
    trained = subject.network("trained")
    if not any("val_accuracy" in row for row in trained.curve):
        raise StageFailed(
            "probes.hitting reads the accuracy on held-out data during training: set data.validation above 0."
        )
    budget = float(trained.step or 0)
    numbers.add("budget", budget)
    for name, column in (("train", "train_accuracy"), ("held_out", "val_accuracy")):
        numbers.add(f"best_{name}", max((row[column] or 0.0 for row in trained.curve if column in row), default=0.0))
    never = float("inf")
    for threshold in thresholds:
        percent = f"{100 * threshold:g}"
        train = first_time(trained.curve, "train_accuracy", threshold)
        held_out = first_time(trained.curve, "val_accuracy", threshold)
        numbers.add(f"train_step_{percent}", never if train is None else train)
        numbers.add(f"held_out_step_{percent}", never if held_out is None else held_out)
        numbers.add(f"tau_{percent}", never if train is None or held_out is None else held_out - train)
        numbers.add(
            f"tau_least_{percent}", never if train is None else (budget if held_out is None else held_out) - train
        )


def first_time(curve: Curve, column: str, threshold: float) -> float | None:
    """The step of the first evaluation at which ``column`` is at least ``threshold``; None if there is none."""
    reached = (row["step"] for row in curve if (row.get(column) or 0.0) >= threshold)
    return next(reached, None)
