"""PLS: how much a block's features take part in telling the classes apart (Jordao et al. 2023 for whole blocks).

Features are the blocks' outputs averaged over places; partial least squares projects all of them together to a few components that
covary most with the one-hot labels. The variable importance in projection of feature j among p is
VIP_j = sqrt(p sum_a s_a w_ja^2 / sum_a s_a), with w_a the unit weights of component a and s_a = ||t_a||^2 ||q_a||^2 the variation
of the labels that it explains. A block's score is the mean over its features. The number of components is not stated in the paper.
"""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import torch
from torch import Tensor, nn
from torch.nn.functional import one_hot

from lotto.pruning.criterion import Batch
from lotto.residual.scores import block_outputs, of_weights


def scores(model: nn.Module, batches: Sequence[Batch], components: int = 2) -> dict[str, Tensor]:
    """The mean VIP of a block's pooled features, in evaluation mode.

    Args:
        components: of the projection.
    """
    features: dict[str, list[Tensor]] = {}
    labels = []
    for outputs, y in block_outputs(model, batches):
        labels.append(y)
        for path, maps in outputs.items():
            features.setdefault(path, []).append(maps.double().flatten(2).mean(2))
    pooled = {path: torch.cat(own) for path, own in features.items()}
    if not pooled:
        return of_weights(model, {})
    found = importances(
        torch.cat(list(pooled.values()), 1).numpy(force=True), one_hot(torch.cat(labels)).numpy(force=True), components
    )
    parts = torch.from_numpy(found).split([own.shape[1] for own in pooled.values()])
    return of_weights(model, {path: float(part.mean()) for path, part in zip(pooled, parts, strict=True)})


def importances(features: np.ndarray, labels: np.ndarray, components: int) -> np.ndarray:
    """VIP of every feature: float64 ``[p]``; its mean square is 1.

    Args:
        features: float64 ``[n, p]``.
        labels: one-hot ``[n, classes]``.
    """
    from sklearn.cross_decomposition import PLSRegression  # takes long to import

    fitted = PLSRegression(n_components=components).fit(features, labels.astype(float))
    weights = fitted.x_weights_ / np.linalg.norm(fitted.x_weights_, axis=0)
    explained = (fitted.x_scores_**2).sum(0) * (fitted.y_loadings_**2).sum(0)
    return np.sqrt(features.shape[1] * (weights**2 @ explained) / explained.sum())
