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
    """VIP of every feature: float64 ``[p]``; its mean square is 1, or all are 0 if nothing about the labels is explained.

    Args:
        features: float64 ``[n, p]``. NaN for every feature if one entry is no number.
        labels: one-hot ``[n, classes]``.
        components: fewer if the features have no more dimensions.
    """
    from sklearn.cross_decomposition import PLSRegression  # takes long to import

    count = features.shape[1]
    if not np.isfinite(features).all():
        return np.full(count, np.nan)
    spread = features.std(0)
    scaled = (features - features.mean(0)) / np.where(spread > 0, spread, 1.0)
    possible = min(components, int(np.linalg.matrix_rank(scaled)))
    if possible == 0 or (labels == labels[0]).all():  # features or labels are the same for all images
        return np.zeros(count)
    fitted = PLSRegression(n_components=possible).fit(features, labels.astype(float))
    lengths = np.linalg.norm(fitted.x_weights_, axis=0)
    weights = fitted.x_weights_ / np.where(lengths > 0, lengths, 1.0)
    explained = (fitted.x_scores_**2).sum(0) * (fitted.y_loadings_**2).sum(0)
    return np.sqrt(count * (weights**2 @ explained) / explained.sum()) if explained.sum() > 0 else np.zeros(count)
