"""One step: the lean update, the learning rate in place, what is counted; and, on a GPU, the captured graph."""

from __future__ import annotations

import pytest
import torch
import torch.nn.functional as F
from torch import nn

from lotto.request.hardware import HardwareSpec
from lotto.training.network import load_state
from lotto.training.optimizer import optimizer_for, set_rate, update_of
from lotto.training.tally import Tally
from tests.training.made_up import RECIPE, MadeUp, fitted, members, worst_difference
from tests.training.test_engines import NETWORKS

gpu = pytest.mark.gpu
needs_gpu = pytest.mark.skipif(not torch.cuda.is_available(), reason="needs a GPU")


@pytest.mark.parametrize("kind", ["Adam", "AdamW"])
@pytest.mark.parametrize("reached", [True, False])
def test_the_lean_update_is_the_optimizer_s_own_to_the_bit(kind: str, reached: bool) -> None:
    def trained(lean: bool) -> list[torch.Tensor]:
        torch.manual_seed(0)
        parameters = [nn.Parameter(torch.randn(5, 3)), nn.Parameter(torch.randn(4))]
        recipe = {"optimizer": {"_target_": f"torch.optim.{kind}"}, "lr": 0.1, "weight_decay": 0.02}
        optimizer = optimizer_for(recipe, parameters, captured=False)
        update = update_of(optimizer) if lean else optimizer.step
        assert (getattr(update, "__func__", update) is not type(optimizer).step) == lean
        for step in range(5):
            set_rate(optimizer, 0.1 / (step + 1))
            for parameter in parameters:
                parameter.grad = torch.randn(parameter.shape)
            if not reached:
                parameters[1].grad = None
            update()
        state = [slot for p in parameters for slot in optimizer.state.get(p, {}).values()]
        return [*(p.detach() for p in parameters), *state]

    for lean, whole in zip(trained(True), trained(False), strict=True):
        assert torch.equal(lean, whole)


def test_other_optimizers_update_by_themselves() -> None:
    parameters = [nn.Parameter(torch.ones(2))]
    optimizer = torch.optim.RMSprop(parameters)
    assert update_of(optimizer) == optimizer.step


@pytest.mark.parametrize("asked", ["alone", "stacked"])
def test_steps_are_those_of_a_loop_written_by_hand(asked: str) -> None:
    # Batches of 16, 16 and 8 in an epoch of 40: the last one is shorter, and its mean is over what it holds.
    taking_part = members(NETWORKS["lenet"], 2, 0.5)
    changes = {
        "stop": 6,
        "batch_size": 16,
        "lr": 0.05,
        "weight_decay": 0.0,
        "optimizer": {"_target_": "torch.optim.SGD"},
    }
    trained = fitted(NETWORKS["lenet"], taking_part, asked, **changes)
    data = MadeUp()
    data.place("cpu")
    for index, member in enumerate(taking_part):
        model = NETWORKS["lenet"]().double()
        load_state(model, member.state)
        batches = data.train_batches([member.streams], 0, 6, 16, False)
        sizes = []
        for x, y in batches:
            loss = F.cross_entropy(model(x[0].double()), y[0])
            gradients = torch.autograd.grad(loss, list(model.parameters()))
            with torch.no_grad():
                for (name, weight), gradient in zip(model.named_parameters(), gradients, strict=True):
                    weight -= 0.05 * gradient * member.mask.get(name, 1.0)
            sizes.append(len(y[0]))
        assert sizes == [16, 16, 8] * 2
        for name, weight in model.named_parameters():
            torch.testing.assert_close(trained[index].state[name], weight.detach(), rtol=0, atol=1e-12)


def test_among_equal_validation_losses_the_first_is_the_early_stop() -> None:
    recipe = {"lr": 0.0, "stop": 20, "evaluate_every": 5, "resumable": True}
    (trained,) = fitted(NETWORKS["lenet"], members(NETWORKS["lenet"], 1), "alone", **recipe)
    assert len({row["val_loss"] for row in trained.metrics}) == 1 and trained.results["early_stop_step"] == 0


def test_a_tally_does_not_depend_on_when_it_is_counted() -> None:
    generator = torch.Generator().manual_seed(0)
    steps = [
        (torch.rand(2, generator=generator), torch.randn(2, size, 5, generator=generator), torch.randint(5, (2, size)))
        for size in (7, 7, 7, 3, 7)
    ]
    often, once = Tally(2, torch.device("cpu")), Tally(2, torch.device("cpu"))
    for loss, logits, y in steps:
        often.add(loss, logits, y)
        often.count()
        once.add(loss, logits, y)
    once.count()
    expected = sum((logits.argmax(2) == y).double().mean(1) for _, logits, y in steps)
    assert torch.equal(often.correct, once.correct) and torch.equal(often.loss, once.loss)
    torch.testing.assert_close(once.correct, expected)
    assert once.steps == 5 and once.pending(1)[2] == 5


@gpu
@needs_gpu
@pytest.mark.parametrize("name", ["lenet", "conv2", "resnet20"])
@pytest.mark.parametrize("asked", ["alone", "stacked"])
@pytest.mark.parametrize("optimizer", ["Adam", "SGD"])
def test_a_captured_step_is_the_step(name: str, asked: str, optimizer: str) -> None:
    make = NETWORKS[name]
    taking_part = members(make, 1 if asked == "alone" else 3, 0.3)
    changes = {"optimizer": {"_target_": f"torch.optim.{optimizer}"}, "lr": 1e-3, "warmup": 20, "precision": "32"}
    hardware = HardwareSpec(accelerator="gpu", deterministic=True)
    captured = fitted(make, taking_part, asked, hardware=hardware, **changes)
    eager = fitted(make, taking_part, asked, hardware=hardware, graph=False, **changes)
    assert worst_difference(captured, eager) < 1e-5


@gpu
@needs_gpu
def test_a_gpu_and_a_cpu_agree() -> None:
    make = NETWORKS["lenet"]
    taking_part = members(make, 2, 0.3)
    on_gpu = fitted(make, taking_part, "stacked", hardware=HardwareSpec(accelerator="gpu", precision="64"), stop=50)
    on_cpu = fitted(make, taking_part, "stacked", stop=50)
    assert worst_difference(on_gpu, on_cpu) < 1e-9


@gpu
@needs_gpu
@pytest.mark.parametrize("precision", ["bf16", "tf32"])
def test_low_precision_keeps_single_precision_weights(precision: str) -> None:
    (member,) = members(NETWORKS["resnet20"], 1)
    hardware = HardwareSpec(accelerator="gpu", precision=precision)
    (result,) = fitted(NETWORKS["resnet20"], [member], "alone", hardware=hardware, precision=precision, stop=20)
    assert result.finite and {t.dtype for n, t in result.state.items() if n.endswith("weight")} == {torch.float32}


@gpu
@needs_gpu
def test_dropout_on_a_gpu_is_drawn_anew_at_every_step_and_alike_when_captured() -> None:
    make = NETWORKS["dropout"]
    (member,) = members(make, 1)
    hardware = HardwareSpec(accelerator="gpu")
    captured = fitted(make, [member], "alone", hardware=hardware, precision="32", stop=30)
    eager = fitted(make, [member], "alone", hardware=hardware, graph=False, precision="32", stop=30)
    assert worst_difference(captured, eager) < 1e-4


@gpu
@needs_gpu
@pytest.mark.parametrize("asked", ["alone", "stacked"])
def test_compiled_and_eager_agree(asked: str) -> None:
    make = NETWORKS["lenet"]
    taking_part = members(make, 1 if asked == "alone" else 2, 0.3)
    hardware = HardwareSpec(accelerator="gpu")
    compiled = fitted(make, taking_part, asked, hardware=hardware, compiled=True, precision="32", stop=30)
    eager = fitted(make, taking_part, asked, hardware=hardware, precision="32", stop=30)
    assert worst_difference(compiled, eager) < 1e-4


def test_the_recipe_of_these_tests_evaluates_off_its_end() -> None:
    assert RECIPE["stop"] % RECIPE["evaluate_every"], "so that the end of a fit is an evaluation off the grid"
