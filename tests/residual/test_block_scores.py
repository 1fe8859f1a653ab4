"""Scores of blocks against values worked out by other means."""

from __future__ import annotations

import copy
from collections.abc import Callable
from typing import Any

import numpy as np
import pytest
import torch
from torch import Tensor, nn
from torch.nn.functional import cross_entropy

import lotto
from lotto.mask import Mask
from lotto.models.anatomy import kinds
from lotto.models.preresnet import PreResNet
from lotto.residual.blocks import removable, without
from lotto.residual.cka import linear_cka
from lotto.residual.pls import importances
from lotto.residual.selection import block_family, remove_blocks
from tests.residual.test_blocks import SHAPE, network

X = torch.randn(12, *SHAPE, generator=torch.Generator().manual_seed(5))
Y = torch.arange(12) % 10


def block_scores(model: nn.Module, criterion: str, pool: str = "mean", **options: Any) -> dict[str, float]:
    """By path, pooled as a prune stage pools them."""
    asked = {} if criterion == "block_random" else {"batches": [(X.to(next(model.parameters()).dtype), Y)]}
    scores = lotto.scores(model, criterion, **asked, **options)
    family = block_family(model, "downsample_only")
    assert family is not None
    everything = Mask.ones(scores)
    pooled = family.pooled(scores, everything, pool).tolist()
    return dict(zip([block.path for block in removable(model)], pooled, strict=True))


def outputs(model: nn.Module) -> dict[str, Tensor]:
    """What every candidate puts out, by running the parts of the network by hand."""
    model = copy.deepcopy(model).eval()
    found = {}
    with torch.no_grad():
        hidden = model.bn(model.conv(X)).relu()  # type: ignore[operator]
        for place, block in enumerate(model.blocks):  # type: ignore[arg-type]
            hidden = block(hidden)
            found[f"blocks.{place}"] = hidden
    return {block.path: found[block.path] for block in removable(model)}


def sensitivities(model: nn.Module, factor: float) -> dict[str, float]:
    """The mean of |w dL/dw| over every candidate's weights, of a loss scaled by ``factor``."""
    trial = copy.deepcopy(model).train()
    (factor * cross_entropy(trial(X.double()), Y)).backward()
    found = {}
    for block in removable(model):
        weights = [trial.get_parameter(name) for name in block.weights]
        products = torch.cat([(w.detach() * w.grad).abs().flatten() for w in weights if w.grad is not None])
        found[block.path] = float(products.mean())
    return found


def test_snip_is_the_mean_over_a_block_and_a_scaled_loss_changes_no_rank() -> None:
    model = network().double()
    found = block_scores(model, "block_snip")
    assert found == pytest.approx(sensitivities(model, 1.0), rel=1e-9)
    scaled = sensitivities(model, 7.0)
    assert scaled == pytest.approx({path: 7 * score for path, score in found.items()}, rel=1e-9)
    assert sorted(scaled, key=scaled.__getitem__) == sorted(found, key=found.__getitem__)


def test_a_dead_branch_scores_nothing_and_goes_first() -> None:
    model = network()
    dead = removable(model)[2]
    with torch.no_grad():
        model.get_parameter(dead.last[0]).zero_()  # the branch's last scale
    found = block_scores(model, "block_snip")
    assert found[dead.path] == 0.0 < min(score for path, score in found.items() if path != dead.path)
    family = block_family(model, "downsample_only")
    assert family is not None
    everything = Mask({name: torch.ones(model.get_parameter(name).shape) for name in kinds(model)})
    made = remove_blocks(family, torch.tensor(list(found.values()), dtype=torch.float64), everything, 1)
    assert not any(bool(made[name].any()) for name in dead.weights)


def test_where_all_branches_begin_dead_order_decides_with_a_warning() -> None:
    model = network()
    with torch.no_grad():
        for block in removable(model):
            model.get_parameter(block.last[0]).zero_()
    found = block_scores(model, "block_snip")
    assert set(found.values()) == {0.0}
    family = block_family(model, "downsample_only")
    assert family is not None
    everything = Mask({name: torch.ones(model.get_parameter(name).shape) for name in kinds(model)})
    with pytest.warns(UserWarning, match="have the same score, 0"):
        remove_blocks(family, torch.zeros(4, dtype=torch.float64), everything, 2)


def gradient_length(model: nn.Module, temperature: float) -> float:
    """Half the squared length of the gradient in the prunable weights, in training mode."""
    weights = [model.get_parameter(name) for name in kinds(model)]
    loss = cross_entropy(model(X.double()) / temperature, Y)
    return float(sum(g.square().sum() for g in torch.autograd.grad(loss, weights))) / 2


def test_grasp_is_the_change_of_the_gradients_length_as_a_block_shrinks() -> None:
    model = network().double().train()
    found = block_scores(model, "block_grasp", pool="sum", halves=False, temperature=2.0)
    step = 1e-4
    for block in removable(model):
        lengths = []
        for factor in (1 - step, 1 + step):
            trial = copy.deepcopy(model)
            with torch.no_grad():
                for name in block.weights:
                    trial.get_parameter(name).mul_(factor)
            lengths.append(gradient_length(trial, 2.0))
        slope = (lengths[0] - lengths[1]) / (
            2 * step
        )  # towards smaller weights: S_b = -theta H g; what is kept is -S_b
        assert found[block.path] == pytest.approx(-slope, rel=1e-4, abs=1e-9)


def test_activations_and_ranks_by_hand() -> None:
    model = network()
    by_hand = outputs(model)
    sizes, ranks = block_scores(model, "expect_abs"), block_scores(model, "hrank")
    for path, maps in by_hand.items():
        assert sizes[path] == pytest.approx(float(maps.abs().mean()), rel=1e-5)
        singular = torch.linalg.svdvals(maps)
        threshold = singular[..., :1] * max(maps.shape[-2:]) * torch.finfo(maps.dtype).eps
        assert ranks[path] == pytest.approx(float((singular > threshold).sum(-1).double().mean()))


def test_sizes_count_below_zero_as_above() -> None:
    """Blocks of a pre-activation network put out negative numbers, too: their mean is near 0, their mean size is not."""
    model = PreResNet(SHAPE, 10, depth=20, width=4)
    found: dict[str, float] = {}

    def keep(path: str) -> Callable[[nn.Module, object, Tensor], None]:
        return lambda module, given, maps: found.update({path: float(maps.double().abs().mean())})

    handles = [model.get_submodule(block.path).register_forward_hook(keep(block.path)) for block in removable(model)]
    with torch.no_grad():
        model.eval()(X)
    for handle in handles:
        handle.remove()
    assert block_scores(model, "expect_abs") == pytest.approx(found, rel=1e-6)


def test_divergence_and_likeness_of_the_answers_by_hand() -> None:
    model = network().double().eval()
    divergence, unlikeness = block_scores(model, "kl"), block_scores(model, "cka")
    with torch.no_grad():
        whole = model(X.double())
        for block in removable(model):
            with without(model, block):
                logits = model(X.double())
            expected = torch.nn.functional.kl_div(logits.softmax(1).log(), whole.softmax(1), reduction="batchmean")
            assert divergence[block.path] == pytest.approx(float(expected), rel=1e-9)
            one, other = (found - found.mean(0) for found in (whole, logits))
            inner = [found @ found.T for found in (one, other)]  # CKA by its other form, over images
            cka = (inner[0] * inner[1]).sum() / (inner[0].norm() * inner[1].norm())
            assert unlikeness[block.path] == pytest.approx(1 - float(cka), rel=1e-6, abs=1e-12)


def test_cka_of_the_same_and_of_a_rotated_answer_is_one() -> None:
    x = torch.randn(20, 4, dtype=torch.float64)
    rotation = torch.linalg.qr(torch.randn(4, 4, dtype=torch.float64)).Q
    assert linear_cka(x, x) == pytest.approx(1)
    assert linear_cka(x, 3 * x @ rotation) == pytest.approx(1)
    assert linear_cka(torch.ones(5, 2), torch.ones(5, 2)) == 1.0
    assert linear_cka(torch.ones(5, 2), torch.randn(5, 2)) == 0.0


def test_variable_importance_finds_the_feature_that_tells() -> None:
    generator = np.random.default_rng(0)
    labels = np.eye(2)[np.arange(200) % 2]
    features = generator.normal(size=(200, 6))
    features[:, 3] += 4 * labels[:, 0]
    found = importances(features, labels, 1)
    assert int(found.argmax()) == 3
    assert float((found**2).mean()) == pytest.approx(1), "the mean square of VIP is 1"
    # One component: weights are the covariances with the labels, so VIP follows from them alone.
    x = (features - features.mean(0)) / features.std(0, ddof=1)
    covariance = np.abs(x.T @ (labels[:, 0] - 0.5))
    assert found == pytest.approx(covariance / np.sqrt((covariance**2).mean()), rel=1e-6)


def test_features_that_explain_nothing_have_no_importance() -> None:
    labels = np.eye(2)[np.arange(20) % 2]
    telling = labels[:, :1] + np.arange(20)[:, None] / 100
    assert (importances(np.ones((20, 3)), labels, 2) == 0).all()
    assert (importances(telling, labels[:1].repeat(20, 0), 2) == 0).all()
    # A single dimension, and more components asked for: the constant feature beside it says nothing.
    assert importances(np.hstack([telling, np.ones((20, 1))]), labels, 2) == pytest.approx([2**0.5, 0])
    assert np.isnan(importances(telling * np.nan, labels, 2)).all()


def test_pls_is_the_mean_importance_of_a_blocks_pooled_features() -> None:
    model = network()
    pooled = {path: maps.double().mean((2, 3)) for path, maps in outputs(model).items()}
    whole = importances(torch.cat(list(pooled.values()), 1).numpy(), np.eye(10)[Y.numpy()], 2)
    found, first = block_scores(model, "pls"), 0
    for path, own in pooled.items():
        assert found[path] == pytest.approx(whole[first : first + own.shape[1]].mean(), rel=1e-3)
        first += own.shape[1]


def test_random_scores_differ_from_draw_to_draw() -> None:
    model = network()
    first, second = block_scores(model, "block_random"), block_scores(model, "block_random", seed=1)
    assert first == block_scores(model, "block_random") != second
