"""The cheap stages, through a store: what is stored is what the next stage reads."""

from __future__ import annotations

from typing import Any

import pytest
import torch
from torch import Tensor

from lotto.mask import Mask
from lotto.stage import Stage
from lotto.stages import mask_in, model_of, run_stage, under
from lotto.store import Store
from lotto.training.network import state_of

NETWORK = {
    "model": {
        "_target_": "lotto.models.resnet.CifarResNet",
        "depth": 8,
        "width": 2,
        "init": {"weights": "glorot_normal", "biases": None, "batchnorm": "uniform"},
    },
    "input_shape": [1, 8, 8],
    "classes": 3,
}
STATISTICS = ("running_mean", "running_var", "num_batches_tracked")


def init(replicate: int = 0, seed: int = 0) -> Stage:
    return Stage("init", {**NETWORK, "seed": seed, "replicate": replicate})


@pytest.fixture(scope="module")
def store(tmp_path_factory: pytest.TempPathFactory) -> Store:
    """One store for all: artifacts are immutable."""
    return Store(tmp_path_factory.mktemp("store"))


def run(stage: Stage, store: Store) -> dict[str, Tensor]:
    if not store.has(stage.key):
        tensors, result = run_stage(stage, store)
        store.publish(stage.key, {**stage.description, "result": result}, tensors)
    return store.tensors(stage.key)


def trained(store: Store, stop: int) -> Stage:
    """A stand-in for training: other numbers everywhere, and momentum."""
    stage = Stage("train", {**NETWORK, "seed": 0, "replicate": 0, "stop": stop}, {"start": init()})
    if store.has(stage.key):
        return stage
    generator = torch.Generator().manual_seed(stop)
    shapes = state_of(model_of(NETWORK))
    weights = {
        f"weights/{name}": torch.randn(tensor.shape, generator=generator).abs() + 0.1
        if tensor.is_floating_point()
        else torch.tensor(stop)
        for name, tensor in shapes.items()
    }
    momentum = {
        name.replace("weights/", "optimizer/momentum_buffer/"): tensor + 1
        for name, tensor in weights.items()
        if not name.endswith(STATISTICS)
    }
    counter = {"optimizer/step/fc.weight": torch.tensor(float(stop))}
    store.publish(stage.key, {**stage.description, "result": {}}, weights | momentum | counter)
    return stage


def prune_stage(of: Stage, mask: Stage | None = None, count: int = 1, **fields: Any) -> Stage:
    chosen = {
        **NETWORK,
        "criterion": {"_target_": "lotto.pruning.magnitude.scores"},
        "allocation": "layerwise",
        "rate": 0.5,
        "exclude": [],
        "target": "rounds",
        "count": count,
        **fields,
    }
    return Stage("prune", chosen, {"trained": of, **({"mask": mask} if mask else {})})


def test_init_is_reproducible_and_replicates_differ(store: Store) -> None:
    first = under(run(init(), store), "weights/")
    again = under(run_stage(init(), store)[0], "weights/")
    assert all(torch.equal(first[name], again[name]) for name in first)
    assert {"fc.weight", "fc.bias", "bn.weight", "bn.running_mean"} <= first.keys()
    for other in (init(replicate=1), init(seed=1)):
        differs = under(run(other, store), "weights/")
        for name in ("conv.weight", "fc.weight", "fc.bias", "bn.weight"):
            assert not torch.equal(first[name], differs[name]), name


def test_prune_keeps_the_largest_of_every_layer_and_goes_on_from_a_mask(store: Store) -> None:
    dense = trained(store, stop=600)
    weights = under(store.tensors(dense.key), "weights/")
    first = prune_stage(dense)
    mask = mask_in(run(first, store))
    assert mask is not None
    for name, kept in mask.items():
        size = weights[name].abs()
        assert int(kept.sum()) == kept.numel() - round(kept.numel() / 2)
        assert size[kept].min() >= size[~kept].max()
    second = prune_stage(dense, first)
    further = mask_in(run(second, store))
    assert further is not None
    assert further <= mask
    result = store.record(second.key)["result"]
    assert (result["weights_remaining"], result["weights_total"]) == (further.remaining, further.total)
    assert result["layers"]["fc.weight"] == [6, 24]


@pytest.fixture(scope="module")
def ancestors(store: Store) -> tuple[Stage, Stage, Mask]:
    """The rewinding point, the mask's stage, and the mask."""
    run(init(), store)
    mask = prune_stage(trained(store, stop=600))
    made = mask_in(run(mask, store))
    assert made is not None
    return trained(store, stop=100), mask, made


def rewound(store: Store, weights: Stage, mask: Stage, end: Stage | None = None, **fields: str) -> dict[str, Tensor]:
    parents = {"weights": weights, "mask": mask, **({"trained": end} if end else {})}
    return run(Stage("rewind", {"optimizer_state": "fresh", "batch_norm": "follow", **fields}, parents), store)


@pytest.mark.parametrize("to", ["point", "init"])
def test_a_ticket_is_the_mask_times_the_weights_bit_for_bit(
    store: Store, ancestors: tuple[Stage, Stage, Mask], to: str
) -> None:
    point, mask_stage, mask = ancestors
    origin = point if to == "point" else init()
    ticket = rewound(store, origin, mask_stage)
    weights, before = under(ticket, "weights/"), under(store.tensors(origin.key), "weights/")
    assert weights.keys() == before.keys()
    for name, tensor in before.items():
        expected = tensor * mask[name].to(tensor.dtype) if name in mask else tensor
        assert weights[name].numpy().tobytes() == expected.numpy().tobytes(), name
    assert mask_in(ticket) == mask
    assert mask.density < 0.6
    assert not any(name.startswith("optimizer/") for name in ticket)
    assert sum(int((weights[name] != 0).sum()) for name in mask) == mask.remaining


@pytest.mark.parametrize("choice", ["follow", "keep", "reset"])
def test_batch_norm_statistics(store: Store, ancestors: tuple[Stage, Stage, Mask], choice: str) -> None:
    point, mask_stage, mask = ancestors
    end = mask_stage.parents["trained"]
    keep = end if choice == "keep" else None
    weights = under(rewound(store, point, mask_stage, keep, batch_norm=choice), "weights/")
    source = under(store.tensors(end.key if choice == "keep" else point.key), "weights/")
    fixed = {"running_mean": 0.0, "running_var": 1.0, "num_batches_tracked": 0}
    checked = set()
    for name, tensor in weights.items():
        statistic = name.rpartition(".")[2]
        if statistic in fixed:
            expected = torch.full_like(tensor, fixed[statistic]) if choice == "reset" else source[name]
            assert torch.equal(tensor, expected), name
            checked.add(statistic)
        elif name not in mask:  # scale and shift, and the bias, are parameters: always the point's
            assert torch.equal(tensor, under(store.tensors(point.key), "weights/")[name]), name
    assert checked == fixed.keys()


def test_optimizer_state_that_follows_is_masked(store: Store, ancestors: tuple[Stage, Stage, Mask]) -> None:
    point, mask_stage, mask = ancestors
    slots = under(rewound(store, point, mask_stage, optimizer_state="follow"), "optimizer/")
    before = under(store.tensors(point.key), "optimizer/")
    assert slots.keys() == before.keys()
    for path, slot in before.items():
        name = path.partition("/")[2]
        expected = slot * mask[name] if path.startswith("momentum") and name in mask else slot
        assert torch.equal(slots[path], expected), path
    assert float(slots["step/fc.weight"]) == 100
    assert not slots["momentum_buffer/fc.weight"][~mask["fc.weight"]].any()


def control_stage(name: str, ticket: Stage, weights: Stage | None, sample: int = 0) -> Stage:
    fields = {
        **NETWORK,
        "seed": 0,
        "replicate": 0,
        "control": {"_target_": f"lotto.controls.{name}.make"},
        "level": 1,
        "sample": sample,
    }
    return Stage("control", fields, {"ticket": ticket, **({"weights": weights} if weights else {})})


@pytest.mark.parametrize("name", ["reinit", "random", "shuffle", "prune_at_init", "noise", "reinit_from_ticket"])
def test_a_control_is_stored_masked_with_the_tickets_counts(
    store: Store, ancestors: tuple[Stage, Stage, Mask], name: str
) -> None:
    point, mask_stage, mask = ancestors
    ticket = Stage(
        "rewind", {"optimizer_state": "fresh", "batch_norm": "reset"}, {"weights": point, "mask": mask_stage}
    )
    started = under(run(ticket, store), "weights/")
    stage = control_stage(name, ticket, None if name in ("reinit", "random") else point)
    made = run(stage, store)
    weights, own = under(made, "weights/"), mask_in(made)
    assert own is not None
    assert own.counts() == mask.counts()
    assert store.record(stage.key)["result"]["weights_remaining"] == mask.remaining
    assert all(not bool(weights[tensor][~own[tensor]].any()) for tensor in own)
    assert weights.keys() == started.keys()
    assert any(not torch.equal(weights[tensor], started[tensor]) for tensor in mask)
    # Statistics were reset for the ticket; a control of the same network starts with the same.
    for tensor in weights:
        if tensor.endswith(STATISTICS):
            assert torch.equal(weights[tensor], started[tensor]), tensor


def test_reinit_is_not_the_initialisation_again(store: Store, ancestors: tuple[Stage, Stage, Mask]) -> None:
    _, mask_stage, mask = ancestors
    ticket = Stage(
        "rewind", {"optimizer_state": "fresh", "batch_norm": "follow"}, {"weights": init(), "mask": mask_stage}
    )
    started = under(run(ticket, store), "weights/")
    drawn = [under(run(control_stage("reinit", ticket, None, sample), store), "weights/") for sample in (0, 1)]
    for name in mask:
        kept = mask[name]
        assert bool((drawn[0][name][kept] != started[name][kept]).all())
        assert bool((drawn[0][name][kept] != drawn[1][name][kept]).all())
