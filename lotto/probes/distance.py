"""How far two trained networks are from each other: in their weights, and in what they answer.

The distance d(W, W') = ||m * W - m * W'||_2 and the angle between m * W and m * W' are those of Frankle et al. 2019 (Stabilizing the
Lottery Ticket Hypothesis), over prunable weights alone. The answers are compared as in Frankle et al. 2020 (Linear Mode Connectivity,
App. G).
"""

from __future__ import annotations

import math
from collections.abc import Iterator, Mapping, Sequence

import torch
from torch import Tensor

from lotto.probes.evaluation import outputs
from lotto.probes.options import Count, Split
from lotto.probes.subject import Numbers, State, Subject

Answers = Mapping[str, Mapping[str, Tensor]]


def probe(subject: Subject, numbers: Numbers, splits: Sequence[Split], examples: Count | None = None) -> None:
    """For every two networks ``l2``, ``angle`` and, whole networks compared, ``disagreement_<split>``.

    m holds the weights that both networks keep. Of a control with the ticket's own mask, such as ``noise``, that is this mask; where the
    masks differ, as between replicates, a weight that one alone keeps is not looked at.
    """
    said = answers(subject, splits, examples)
    for pair, first, second in subject.pairs():
        compare(subject, numbers, said, first, second, pair=pair)


def compare(
    subject: Subject, numbers: Numbers, said: Answers, first: str, second: str, *, prefix: str = "", pair: str = ""
) -> None:
    """Note ``l2``, ``angle`` (degrees; of the whole and of every layer) and ``disagreement_<split>`` (fraction) of two roles.

    Args:
        said: as ``answers`` makes it.
        prefix: of the measures' names.
    """
    for layer, l2, angle in distances(subject, subject.network(first), subject.network(second)):
        numbers.add(f"{prefix}l2", l2, layer=layer, pair=pair)
        numbers.add(f"{prefix}angle", angle, layer=layer, pair=pair)
    for split, answered in said[first].items():
        numbers.add(f"{prefix}disagreement_{split}", disagreement(answered, said[second][split]), pair=pair)


def distances(subject: Subject, one: State, other: State) -> Iterator[tuple[str, float, float]]:
    """Layer (empty for the whole network), L2 distance and angle in degrees, on the weights that both keep.

    The angle is NaN where either vector is zero: there is none.
    """
    mask = subject.mask(one) & subject.mask(other)
    sums = {}
    for name, kept in mask.items():
        x, y = (state.weights[name][kept].double() for state in (one, other))
        sums[name] = torch.stack([(x - y).square().sum(), x.square().sum(), y.square().sum(), (x * y).sum()])
    for layer, of in {"": torch.stack(list(sums.values())).sum(0), **sums}.items():
        apart, first, second, product = of.tolist()
        yield layer, math.sqrt(apart), angle_between(first, second, product)


def angle_between(first: float, second: float, product: float) -> float:
    """Degrees between two vectors, by their squared lengths and their product; NaN if either is zero."""
    if not first or not second:
        return math.nan
    cosine = product / math.sqrt(first * second)
    return math.degrees(math.acos(min(1.0, max(-1.0, cosine)))) if math.isfinite(cosine) else math.nan


def answers(subject: Subject, splits: Sequence[str], examples: int | None = None) -> Answers:
    """The class that every network gives to every example, int64 ``[n]``, by role and split."""
    module = subject.module()
    return {
        role: {
            split: torch.cat([x.argmax(1) for x, _ in outputs(subject, module, state.weights, split, examples)])
            for split in splits
        }
        for role, state in subject.networks.items()
    }


def disagreement(one: Tensor, other: Tensor) -> float:
    """The fraction of examples that two networks classify differently, rightly or wrongly."""
    return float((one != other).double().mean())
