"""What a regimen does to one replicate it does in a stack as well, and it goes on from a checkpoint as if it had never stopped."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import pytest
import torch
from torch import Tensor, nn

from lotto.models.lenet import LeNet
from lotto.stages import mask_in
from lotto.training.member import Fitted
from lotto.training.network import Tensors
from lotto.training.regimen import Regimen, View
from tests.training.made_up import IMAGE, fitted, members, worst_difference

HERE = __name__


class Dropping(Regimen):
    """Every fifteen steps each layer lets go of its smallest weight, grows one that is gone, and counts how often it did so."""

    moves_masks = True

    def __init__(self, view: View, every: int = 15) -> None:
        super().__init__(view)
        self._every, self._count, self._last = every, 0, 0.0

    def after_update(self, step: int) -> None:
        if (step + 1) % self._every:
            return
        self._count += 1
        for name in self.view.kinds:
            kept = self.view.kept(name).flatten()
            size = self.view.weight(name).flatten().abs().masked_fill(~kept, float("inf"))
            grown = int((~kept).nonzero()[self._count % int((~kept).sum())])
            kept[int(size.argmin())] = False
            kept[grown] = True
            self.view.keep(name, kept.view(self.view.weight(name).shape))
            self._last = float(self.view.weight(name).flatten()[grown])
            for slot in self.view.slots(name).values():
                assert float(slot.flatten()[grown]) == 0.0

    def row(self) -> dict[str, float]:
        return {"moved": float(self._count)}

    def state(self) -> Tensors:
        return {"count": torch.tensor(self._count)}

    def restore(self, state: Mapping[str, Tensor]) -> None:
        self._count = int(state["count"])

    def results(self) -> dict[str, Any]:
        return {"moved": self._count, "newborn": self._last}


class Scores(Regimen):
    """Weights stay as they are; a factor for each is trained in their place, by the gradient of the effective weight."""

    def __init__(self, view: View) -> None:
        super().__init__(view)
        self._frozen = {name: view.weight(name).clone() for name in view.kinds}
        self._factors = {name: nn.Parameter(torch.ones_like(weight)) for name, weight in self._frozen.items()}

    def trained(self) -> dict[str, nn.Parameter]:
        return self._factors

    def before_forward(self, step: int) -> None:
        for name, factor in self._factors.items():
            self.view.weight(name).copy_(self._frozen[name] * factor)

    before_evaluation = before_forward

    def after_backward(self, step: int) -> bool:
        for name, factor in self._factors.items():
            gradient = self.view.gradient(name)
            assert gradient is not None
            factor.grad = gradient * self._frozen[name]
        return True

    def state(self) -> Tensors:
        frozen = {f"frozen/{name}": weight for name, weight in self._frozen.items()}
        return frozen | {f"factor/{name}": factor.detach().clone() for name, factor in self._factors.items()}

    def restore(self, state: Mapping[str, Tensor]) -> None:
        for name, factor in self._factors.items():
            self._frozen[name] = state[f"frozen/{name}"]
            factor.copy_(state[f"factor/{name}"])

    def artifact(self) -> Tensors:
        return {f"weights/{name}": weight for name, weight in self._frozen.items()}


class Hasty(Regimen):
    """Has seen enough after as many steps as it is told; every other step is not taken."""

    def __init__(self, view: View, enough: int) -> None:
        super().__init__(view)
        self._enough, self._seen = enough, 0

    def after_backward(self, step: int) -> bool:
        self._seen += 1
        return step % 2 == 0

    @property
    def over(self) -> bool:
        return self._seen >= self._enough


def lenet() -> nn.Module:
    return LeNet(input_shape=IMAGE, classes=10, plan=(20, 10))


def regimen(name: str, **options: object) -> dict[str, object]:
    return {"_target_": f"{HERE}.{name}", **options}


def masked(outcome: Fitted) -> dict[str, Tensor]:
    mask = mask_in(outcome.own)
    assert mask is not None
    return dict(mask.items())


@pytest.mark.parametrize("name", ["Dropping", "Scores"])
def test_a_stack_does_what_each_replicate_does_alone(name: str) -> None:
    together = fitted(lenet, members(lenet, 3, 0.4), "stacked", regimen=regimen(name))
    apart = [
        outcome
        for member in members(lenet, 3, 0.4)
        for outcome in fitted(lenet, [member], "alone", regimen=regimen(name))
    ]
    assert worst_difference(together, apart) < 1e-10
    for one, other in zip(together, apart, strict=True):
        assert one.own.keys() == other.own.keys()
        assert all(torch.allclose(one.own[path].double(), tensor.double()) for path, tensor in other.own.items())
        assert one.results.get("moved") == other.results.get("moved")


def test_a_mask_that_moves_keeps_its_count_and_what_it_lets_go_of_is_zero() -> None:
    start = members(lenet, 2, 0.4)
    for member, outcome in zip(start, fitted(lenet, start, "stacked", regimen=regimen("Dropping")), strict=True):
        assert member.mask is not None
        assert outcome.results["moved"] == 6
        assert outcome.results["newborn"] == 0.0
        assert [row["moved"] for row in outcome.metrics] == [0.0, 2.0, 5.0, 6.0]
        grown = {name: kept & ~member.mask[name] for name, kept in masked(outcome).items()}
        assert any(bool(outcome.state[name][new].any()) for name, new in grown.items()), "what grew is trained"
        for name, kept in masked(outcome).items():
            assert kept.sum() == member.mask[name].sum()
            assert not torch.equal(kept, member.mask[name])
            assert not bool(outcome.state[name][~kept].any())
            assert not bool(outcome.slots[f"momentum_buffer/{name}"][~kept].any())


def test_a_dense_network_may_be_thinned_out_while_it_trains() -> None:
    class_path = regimen("Thinning")
    (outcome,) = fitted(lenet, members(lenet, 1), "alone", regimen=class_path)
    for name, kept in masked(outcome).items():
        assert int(kept.sum()) == kept.numel() - 5
        assert not bool(outcome.state[name][~kept].any())


class Thinning(Regimen):
    moves_masks = True

    def after_update(self, step: int) -> None:
        if step == 30:
            for name in self.view.kinds:
                kept = self.view.kept(name).clone()
                kept.view(-1)[:5] = False
                self.view.keep(name, kept)


def test_scores_are_trained_and_weights_are_not() -> None:
    start = members(lenet, 2, 0.4)
    for member, outcome in zip(start, fitted(lenet, start, "stacked", regimen=regimen("Scores")), strict=True):
        for path, tensor in outcome.own.items():
            assert torch.equal(tensor, member.state[path.removeprefix("weights/")].double())
        assert any(not torch.equal(outcome.state[name], member.state[name].double()) for name in outcome.state)
        # Nothing but what the regimen trains has optimizer state, under the names of the plain module.
        assert set(outcome.slots) == {f"momentum_buffer/{path.removeprefix('weights/')}" for path in outcome.own}


def test_the_fit_ends_when_all_replicates_are_over() -> None:
    outcome = fitted(lenet, members(lenet, 2), "stacked", regimen=regimen("Hasty", enough=47))
    assert [o.results["stopped_at"] for o in outcome] == [47, 47]
    assert [row["step"] for row in outcome[0].metrics] == [0, 40, 47]


def test_a_step_that_a_regimen_refuses_moves_nothing() -> None:
    (moved,) = fitted(lenet, members(lenet, 1), "alone", regimen=regimen("Hasty", enough=1))
    (still,) = fitted(lenet, members(lenet, 1), "alone", regimen=regimen("Never"))
    start = members(lenet, 1)[0].state
    assert all(torch.equal(still.state[name], tensor.double()) for name, tensor in start.items())
    assert any(not torch.equal(moved.state[name], tensor.double()) for name, tensor in start.items())


class Never(Regimen):
    def after_backward(self, step: int) -> bool:
        return False


class Interrupted:
    """Keeps the first checkpoint that it can and gives it to the next fit."""

    def __init__(self) -> None:
        self.kept: Any = None

    def load(self) -> Any:
        return self.kept

    def asked(self) -> bool:
        return False

    def due(self) -> bool:
        return self.kept is None

    def save(self, tensors: Tensors, state: dict[str, Any]) -> None:
        self.kept = ({name: tensor.clone() for name, tensor in tensors.items()}, state)


@pytest.mark.parametrize("name", ["Dropping", "Scores"])
def test_it_goes_on_from_a_checkpoint_to_the_same_bits(name: str) -> None:
    checkpoints = Interrupted()
    whole = fitted(lenet, members(lenet, 2, 0.4), "stacked", regimen=regimen(name), checkpoints=checkpoints)
    assert checkpoints.kept is not None
    again = fitted(lenet, members(lenet, 2, 0.4), "stacked", regimen=regimen(name), checkpoints=checkpoints)
    assert worst_difference(again, whole) == 0.0
    for one, other in zip(again, whole, strict=True):
        assert one.own.keys() == other.own.keys()
        assert all(torch.equal(one.own[path], tensor) for path, tensor in other.own.items())
        assert [row.get("moved") for row in one.metrics] == [row.get("moved") for row in other.metrics]
