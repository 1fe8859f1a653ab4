"""The hand-written loop: that it computes what it is compared for."""

from __future__ import annotations

import pytest
import torch
import torch.nn.functional as F
from torch import Tensor, nn

from lotto.bench.plain import Batches, PlainLoop, cropped_batches, whole_batches

LR, MOMENTUM, DECAY = 0.1, 0.9, 0.01


def network() -> nn.Sequential:
    torch.manual_seed(0)
    return nn.Sequential(nn.Linear(6, 5), nn.Tanh(), nn.Linear(5, 3)).double()


def masks() -> dict[str, Tensor]:
    torch.manual_seed(1)
    return {"0.weight": torch.rand(5, 6) < 0.5, "2.weight": torch.rand(3, 5) < 0.5}


def batch(number: int) -> tuple[Tensor, Tensor]:
    drawn = torch.Generator().manual_seed(number)
    return torch.randn(8, 6, generator=drawn).double(), torch.randint(3, (8,), generator=drawn)


def start(kept: dict[str, Tensor]) -> tuple[nn.Module, dict[str, Tensor]]:
    """The network with its pruned weights at zero, and its weights once more."""
    model = network()
    with torch.no_grad():
        for name, mask in kept.items():
            model.get_parameter(name).mul_(mask)
    return model, {name: tensor.detach().clone() for name, tensor in model.named_parameters()}


def gradients(weights: dict[str, Tensor], x: Tensor, y: Tensor, kept: dict[str, Tensor]) -> dict[str, Tensor]:
    """Of the mean cross-entropy, by the formula; zero where a weight is pruned."""
    hidden = torch.tanh(x @ weights["0.weight"].T + weights["0.bias"])
    out = ((hidden @ weights["2.weight"].T + weights["2.bias"]).softmax(1) - F.one_hot(y, 3)) / len(y)
    inner = (out @ weights["2.weight"]) * (1 - hidden**2)
    found = {"0.weight": inner.T @ x, "0.bias": inner.sum(0), "2.weight": out.T @ hidden, "2.bias": out.sum(0)}
    return {name: gradient * kept[name] if name in kept else gradient for name, gradient in found.items()}


@pytest.mark.parametrize("kept", [{}, masks()], ids=["dense", "sparse"])
def test_steps_of_sgd(kept: dict[str, Tensor]) -> None:
    model, weights = start(kept)
    optimizer = torch.optim.SGD(model.parameters(), lr=LR, momentum=MOMENTUM, weight_decay=DECAY, fused=True)
    loop = PlainLoop(model, optimizer, kept, iter(()))
    velocity = {name: torch.zeros_like(tensor) for name, tensor in weights.items()}
    for number in range(3):
        x, y = batch(number)
        loop.step(x, y)
        for name, gradient in gradients(weights, x, y, kept).items():
            velocity[name] = MOMENTUM * velocity[name] + gradient + DECAY * weights[name]
            weights[name] = weights[name] - LR * velocity[name]
    assert_close(model, weights, kept)


@pytest.mark.parametrize("kept", [{}, masks()], ids=["dense", "sparse"])
def test_steps_of_adam(kept: dict[str, Tensor]) -> None:
    model, weights = start(kept)
    loop = PlainLoop(model, torch.optim.Adam(model.parameters(), lr=LR, fused=True), kept, iter(()))
    first = {name: torch.zeros_like(tensor) for name, tensor in weights.items()}
    second = dict(first)
    for number in range(3):
        x, y = batch(number)
        loop.step(x, y)
        for name, gradient in gradients(weights, x, y, kept).items():
            first[name] = 0.9 * first[name] + 0.1 * gradient
            second[name] = 0.999 * second[name] + 0.001 * gradient**2
            mean, square = first[name] / (1 - 0.9 ** (number + 1)), second[name] / (1 - 0.999 ** (number + 1))
            weights[name] = weights[name] - LR * mean / (square.sqrt() + 1e-8)
    assert_close(model, weights, kept)


def assert_close(model: nn.Module, weights: dict[str, Tensor], kept: dict[str, Tensor]) -> None:
    for name, tensor in model.named_parameters():
        torch.testing.assert_close(tensor.detach(), weights[name], rtol=1e-10, atol=1e-12)
    for name, mask in kept.items():
        found = model.get_parameter(name)
        assert bool((found[~mask] == 0).all()) and bool((found[mask] != 0).all())


def test_train_takes_as_many_steps_as_are_asked_for_and_goes_on_from_there() -> None:
    model = network().float()
    taken: list[int] = []

    def batches() -> Batches:
        for number in range(100):
            taken.append(number)
            x, y = batch(number)
            yield x.float(), y

    loop = PlainLoop(model, torch.optim.SGD(model.parameters(), lr=LR), {}, batches(), bf16=True)
    loop.train(3)
    loop.train(2)
    assert taken == [0, 1, 2, 3, 4]
    assert {tensor.dtype for tensor in model.parameters()} == {torch.float32}


# -- batches ------------------------------------------------------------------------------------------------------------------------

MEAN, STD = [0.2, 0.4, 0.6], [0.1, 0.3, 0.5]


def numbered(count: int, side: int) -> tuple[Tensor, Tensor]:
    """Images of which no two are alike, each with its own number as its label."""
    torch.manual_seed(0)
    return torch.randint(1, 256, (count, 3, side, side), dtype=torch.uint8), torch.arange(count)


def normalised(images: Tensor) -> Tensor:
    return (images.float() / 255 - torch.tensor(MEAN).view(3, 1, 1)) / torch.tensor(STD).view(3, 1, 1)


def epoch(batches: Batches, sizes: list[int]) -> list[tuple[Tensor, Tensor]]:
    taken = [next(batches) for _ in sizes]
    assert [len(y) for _, y in taken] == sizes
    return taken


def test_every_image_once_an_epoch_normalised() -> None:
    images, labels = numbered(10, 4)
    batches = whole_batches(images, labels, 4, MEAN, STD)
    orders = []
    for _ in range(2):
        taken = epoch(batches, [4, 4, 2])
        orders.append(torch.cat([y for _, y in taken]).tolist())
        for x, y in taken:
            torch.testing.assert_close(x, normalised(images[y]), rtol=1e-5, atol=1e-5)
            assert x.is_contiguous(memory_format=torch.channels_last)
    assert sorted(orders[0]) == sorted(orders[1]) == list(range(10)) and orders[0] != orders[1]


def test_an_augmented_image_is_one_of_its_crops_or_of_those_of_its_mirror_image() -> None:
    images, labels = numbered(6, 4)
    padded = F.pad(images, (1,) * 4)
    possible = {
        (number, mirrored, top, left): normalised(view[:, top : top + 4, left : left + 4])
        for number, image in enumerate(padded)
        for mirrored, view in enumerate((image, image.flip(-1)))
        for top in range(3)
        for left in range(3)
    }
    batches = cropped_batches(images, labels, 4, MEAN, STD, padding=1)
    seen = set()
    for _ in range(60):
        taken = epoch(batches, [4, 2])
        assert sorted(torch.cat([y for _, y in taken]).tolist()) == list(range(6))
        for x, y in taken:
            assert x.is_contiguous(memory_format=torch.channels_last)
            for image, number in zip(x, y.tolist(), strict=True):
                (how,) = [
                    how
                    for how, crop in possible.items()
                    if how[0] == number and torch.allclose(image, crop, rtol=1e-5, atol=1e-5)
                ]
                seen.add(how[1:])
    assert len(seen) == 2 * 3 * 3
