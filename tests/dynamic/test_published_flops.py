"""Training FLOPs of ResNet-50 on ImageNet by RigL, from counts alone, beside those that its authors publish."""

from __future__ import annotations

from collections.abc import Callable

import pytest

from lotto.flops import Flops, _counted
from lotto.models.build import skeleton
from lotto.passes import STATIC, by_gradient
from lotto.pruning.allocate import Rule, budgets
from lotto.pruning.prune import layers_in
from lotto.schedule import Density
from lotto.spec import Spec


@pytest.mark.parametrize(
    ("rule", "density", "published"),
    [
        (Rule("erk", 0.2), 0.2, 0.42),
        (Rule("erk", 0.2), 0.1, 0.24),
        (Rule("erk", 0.2), 0.05, 0.13),
        (Rule("uniform", 0.2, ("conv1.weight",)), 0.2, 0.23),
        (Rule("uniform", 0.2, ("conv1.weight",)), 0.1, 0.13),
    ],
    ids=lambda value: value.allocation if isinstance(value, Rule) else str(value),
)
def test_resnet50_costs_what_rigl_says(
    rule: Rule, density: float, published: float, spec_of: Callable[..., Spec]
) -> None:
    spec = spec_of("experiment=rigl2020/resnet50")
    layers = layers_in(skeleton(spec.model, spec.data.input_shape, spec.data.classes))
    keep = {budget.names[0]: budget.keep for budget in budgets(layers, rule, Density(density))}
    found = _counted(spec)
    flops = Flops(found["layers"], found["others"])
    sparse, dense = flops.inference({one.name: (keep[one.name], one.total) for one in layers}), flops.inference({})
    moving = by_gradient(100).mixed(STATIC, 25_000 / 32_000)
    assert moving.flops(sparse, dense) / STATIC.flops(dense, dense) == pytest.approx(published, abs=0.011)
