"""When a mask moves, and by how much. Pure arithmetic on steps; imports no torch."""

from __future__ import annotations

import math

DECAYS = ("cosine", "constant")


def drop_fraction(step: int, fraction: float, least: float, end: int, decay: str) -> float:
    """The part of a layer's weights that is dropped and grown at ``step``, f_t of Evci et al. 2020, §3 (their eq. for f_decay).

    ``cosine`` falls from ``fraction`` at step 0 to ``least`` at ``end``: f_t = least + (fraction - least) / 2 (1 + cos(pi t / end)), which
    with ``least`` 0 is RigL's. From ``end`` on nothing moves: 0.
    """
    if step >= end:
        return 0.0
    if decay == "constant":
        return fraction
    return least + (fraction - least) / 2 * (1 + math.cos(math.pi * step / end))


def is_update(step: int, every: int, begin: int, end: int) -> bool:
    """Whether the mask moves at ``step``: at multiples of ``every`` from ``begin`` on and before ``end``."""
    return begin <= step < end and step % every == 0


def cubic_sparsity(step: int, initial: float, final: float, begin: int, end: int) -> float:
    """The sparsity after ``step`` steps, s_t of Zhu & Gupta 2017, eq. 1: s_f + (s_i - s_f) (1 - (t - t_0) / (t_1 - t_0))^3.

    ``initial`` up to ``begin``, ``final`` from ``end`` on. Before ``begin`` nothing is pruned at all: 0.
    """
    if step < begin:
        return 0.0
    left = 1.0 if end == begin else 1 - min(1.0, (step - begin) / (end - begin))
    return final if step >= end else final + (initial - final) * left**3


def is_pruning_step(step: int, every: int, begin: int, end: int) -> bool:
    """Whether a gradual schedule prunes after ``step`` steps: at ``begin``, every so many steps after it, and at ``end``."""
    return begin <= step <= end and ((step - begin) % every == 0 or step == end)
