"""The networks that are measured, each as one of the papers' experiments trains it. Imports no torch."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True)
class Evaluation:
    """How a paper watches its training: so many validation examples, every so many steps."""

    examples: int
    every: int


@dataclass(frozen=True)
class Case:
    """A network under measurement.

    Args:
        experiment: whose network, recipe, augmentation and pruning rule are measured.
        train: training examples of its data set; as many are made up.
        evaluation: the paper's, where what it costs is measured too.
    """

    experiment: str
    train: int
    evaluation: Evaluation | None = None


# The steps between two evaluations of the larger networks take too long to be repeated in rounds.
CASES = {
    "lenet": Case("frankle2019/lenet", train=55_000, evaluation=Evaluation(examples=5_000, every=100)),
    "conv2": Case("frankle2019/conv2", train=45_000),
    "resnet20": Case("frankle2019/resnet18", train=45_000),
}
