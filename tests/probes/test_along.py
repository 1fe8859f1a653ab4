"""What probes read along a training: norms, frequencies, and the distance to the last mask."""

from __future__ import annotations

import math
from collections import Counter

import pytest
import torch
from torch import Tensor, nn

from lotto.compose import composed, read_spec
from lotto.errors import BadRequest
from lotto.mask import Mask
from lotto.models.modular import ModularMLP
from lotto.plan import Plan
from lotto.probes import frequency, mask_distance, norms
from lotto.probes.subject import State
from tests.probes.probe_samples import read, sparse, subject, weights

WEIGHTS = {"0.weight": torch.tensor([[3.0, -4.0]]), "1.weight": torch.tensor([[1.0], [0.0]])}


def two_layers() -> nn.Module:
    return nn.Sequential(nn.Linear(2, 1, bias=False), nn.Linear(1, 2, bias=False))


def test_norms_by_hand_and_pruned_weights_count_as_zero() -> None:
    pruned = sparse(WEIGHTS, {"0.weight": [[1, 0]], "1.weight": [[1], [1]]})
    networks = {"step5": State(WEIGHTS, None, 5), "trained": State(pruned.weights, pruned.mask, 9)}
    found = read(norms.probe, subject(networks, two_layers))
    assert found[("l1", "0.weight", 5)] == 7
    assert found[("l2", "0.weight", 5)] == 5
    assert (found[("l1", 5)], found[("l2", 5)]) == (4, 3)  # means over the tensors: (7 + 1) / 2, (5 + 1) / 2
    assert (found[("l1", 9)], found[("l2", 9)]) == (2, 2)


def waves(*amplitudes: float, p: int = 13) -> Tensor:
    """A row of length p with those amplitudes at frequencies 1, 2, …, at various phases, and a mean that must not count."""
    place = torch.arange(p) * 2 * math.pi / p
    waves = [size * torch.cos(number * place + number) for number, size in enumerate(amplitudes, 1)]
    return 5 + torch.stack(waves).sum(0)


def test_entropy_of_known_waves() -> None:
    assert frequency.entropy(waves(1.0)[None]) == pytest.approx(0, abs=1e-4)
    assert frequency.entropy(waves(0.5, 0.5)[None]) == pytest.approx(math.log(2), rel=1e-4)
    assert frequency.entropy(torch.stack([waves(1.0), waves(1.0, 3.0)])) == pytest.approx(
        (0 - 0.25 * math.log(0.25) - 0.75 * math.log(0.75)) / 2, rel=1e-4
    )
    # frequencies are 1 to floor(13 / 2) - 1 = 5: the sixth is not looked at
    assert frequency.entropy(waves(1, 0, 0, 0, 0, 50)[None]) == pytest.approx(0, abs=1e-3)
    assert frequency.entropy(torch.stack([waves(1.0, 1.0), torch.zeros(13)])) == pytest.approx(math.log(2), rel=1e-4)


def test_frequencies_are_those_of_what_units_read_and_write() -> None:
    torch.manual_seed(0)
    model = ModularMLP((1, 2, 13), 13, embedding=13, hidden=2)
    with torch.no_grad():
        model.embedding.weight.copy_(torch.eye(13))
        model.inner.weight.copy_(torch.stack([waves(1.0), waves(1.0, 1.0)]))
        model.unembedding.weight.copy_(torch.eye(13))
        model.outer.weight.copy_(torch.stack([waves(1.0), waves(1.0)], 1))
    networks = {"trained": State(weights(model), None, 7)}
    found = read(frequency.probe, subject(networks, lambda: ModularMLP((1, 2, 13), 13, embedding=13, hidden=2)))
    assert found[("entropy_in", 7)] == pytest.approx(math.log(2) / 2, rel=1e-4)
    assert found[("entropy_out", 7)] == pytest.approx(0, abs=1e-4)


def flat(*values: float) -> State:
    return State({"weight": torch.tensor([values])}, None)


def test_distance_to_the_last_mask_by_hand() -> None:
    networks = {
        "step1": flat(9, 8, 1, 1, 1),  # keeps 0 and 1
        "step2": flat(9, 0, 8, 1, 1),  # keeps 0 and 2
        "trained": flat(1, -7, 9, 0, 0),  # keeps 1 and 2
    }
    networks["step3"] = State({"weight": -2 * networks["trained"].weights["weight"]}, None)
    found = read(mask_distance.probe, subject(networks, lambda: nn.Linear(5, 1, bias=False)), density=0.4)
    assert found[("jaccard", 1)] == pytest.approx(2 / 3)  # one in common of three
    assert found[("jaccard", 2)] == pytest.approx(2 / 3)
    assert found[("jaccard", 3)] == 0
    assert found[("jaccard",)] == 0  # to itself; made-up states have no step


def test_two_independent_masks_of_density_04_have_distance_075() -> None:
    torch.manual_seed(0)
    networks = {name: State({"weight": torch.randn(300, 300)}, None) for name in ("step0", "trained")}
    made = subject(networks, lambda: nn.Linear(300, 300, bias=False))
    assert read(mask_distance.probe, made, density=0.4)[("jaccard", 0)] == pytest.approx(1 - 0.4 / 1.6, abs=0.01)
    masks = [mask_distance.largest(made, state, 0.4) for state in networks.values()]
    assert all(isinstance(mask, Mask) and mask.remaining == 36_000 for mask in masks)


BASE = ("replicates=2", "schedule.levels=2", "controls=[]", "train.steps=60it", "train.evaluate_every=20it")


def planned(*overrides: str) -> Plan:
    return Plan.of(read_spec(composed([*BASE, *overrides])))


def test_steps_are_points_of_the_same_training_and_cost_no_step_more() -> None:
    without, plan = planned(), planned("probes=[norms]", "probes.norms.steps=[0,20it,40it]")
    for reading in plan.readings:
        parents = reading.stage.parents
        assert list(parents) == ["trained", "step0", "step20", "step40"]
        assert parents["step0"].key == reading.entry.trained.parents["start"].key
        assert {parents[role].trajectory for role in ("step20", "step40")} == {reading.entry.trained.trajectory}
        assert [parents[role].fields["stop"] for role in ("step20", "step40")] == [20, 40]
    assert [entry.trained.key for entry in plan.entries] == [entry.trained.key for entry in without.entries]
    assert plan.steps(list(plan.stages.values())) == without.steps(list(without.stages.values()))
    kinds = Counter(stage.kind for key, stage in plan.stages.items() if key not in without.stages)
    assert kinds == {"probe": 4, "train": 8}


def test_steps_before_the_rewinding_point_are_the_dense_networks_alone() -> None:
    plan = planned("rewind.at=30it", "probes=[norms]", "probes.norms.steps=[0,20it,40it]")
    roles = {reading.entry.level: list(reading.stage.parents) for reading in plan.readings}
    assert roles == {0: ["trained", "step0", "step20", "step40"], 1: ["trained", "step40"]}


def test_a_step_behind_the_end_is_refused() -> None:
    with pytest.raises(BadRequest, match=r"probes\.norms\.steps=60it is step 60, not before the end of training"):
        planned("probes=[norms]", "probes.norms.steps=[60it]")
