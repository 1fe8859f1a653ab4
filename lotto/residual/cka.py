"""CKA: blocks without which the logits stay alike go first. Not the paper's: a criterion of ours, beside KL."""

from __future__ import annotations

from collections.abc import Sequence

from torch import Tensor, nn

from lotto.pruning.criterion import Batch
from lotto.residual.scores import changed_outputs, of_weights


def scores(model: nn.Module, batches: Sequence[Batch]) -> dict[str, Tensor]:
    """1 - linear CKA (Kornblith et al. 2019) between the logits with a block and without it."""
    return of_weights(
        model, {path: 1 - linear_cka(whole, part) for path, whole, part in changed_outputs(model, batches)}
    )


def linear_cka(one: Tensor, other: Tensor) -> float:
    """||X^T Y||^2 / (||X^T X|| ||Y^T Y||) in Frobenius norms, of centred columns; ``[n, p]`` and ``[n, q]``. 1 if both are constant."""
    x, y = (found - found.mean(0) for found in (one, other))
    size = (x.T @ x).norm() * (y.T @ y).norm()
    if size == 0:
        return float((x.norm() == 0) == (y.norm() == 0))
    return float((x.T @ y).square().sum() / size)
