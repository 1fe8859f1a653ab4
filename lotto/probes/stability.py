"""Stability to data order and to pruning (Frankle et al. 2019, Stabilizing the Lottery Ticket Hypothesis, Fig 3 and 10).

With A(W, u) for W trained from step k to the end with the noise u of data order and augmentation, the smaller the more stable:

- to data order, d(A(m * W_k, u), A(m * W_k, u')): two copies of a ticket, trained with different noise;
- to pruning, d(A(W_k, u), A(m * W_k, u)): the whole network and the ticket, trained with the same noise, compared on the ticket's mask.

Stability to noise on the weights themselves is ``distance`` between the control ``noise`` and its ticket.
"""

from __future__ import annotations

from collections.abc import Sequence

from lotto.probes.distance import answers, compare
from lotto.probes.options import Count, Split
from lotto.probes.subject import Numbers, Subject


def probe(subject: Subject, numbers: Numbers, splits: Sequence[Split], examples: Count | None = None) -> None:
    """``order_l2``, ``order_angle`` and ``order_disagreement_<split>`` of every two copies, ``pruning_…`` of dense network and ticket.

    Measures are those of ``distance``. The dense network of level 0 is its own ticket, and its ``pruning_…`` are 0. Where it was trained
    through the rewinding point, they say what forgetting the optimizer's state there does alone, since a ticket starts without it.
    """
    said = answers(subject, splits, examples)
    copies = [role for role in subject.networks if role.startswith("copy")]
    for pair, first, second in subject.pairs(copies):
        compare(subject, numbers, said, first, second, prefix="order_", pair=pair)
    compare(subject, numbers, said, "dense", "trained", prefix="pruning_")
