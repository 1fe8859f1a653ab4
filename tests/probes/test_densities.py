"""Densities and connections of masks that are written out."""

from __future__ import annotations

import pytest
import torch
from torch import nn

from lotto.probes.densities import connections, probe
from tests.probes.probe_samples import read, sparse, subject, weights


def module() -> nn.Module:
    return nn.Sequential(nn.Linear(3, 4), nn.Linear(4, 2))


MASK = {"0.weight": [[1, 1, 0], [1, 0, 0], [0, 0, 0], [1, 1, 0]], "1.weight": [[1, 1, 1, 1], [0, 0, 0, 1]]}


def test_layers_and_their_units() -> None:
    found = read(probe, subject({"trained": sparse(weights(module()), MASK)}, module))
    assert found[("density",)] == 10 / 20
    assert found[("remaining",)] == 10
    first = {key[0]: value for key, value in found.items() if key[1:] == ("0.weight",)}
    assert first == {
        "density": pytest.approx(5 / 12),
        "remaining": 5,
        # units keep 2, 1, 0 and 2 weights; inputs 3, 2 and 0
        "incoming_mean": 1.25,
        "incoming_sd": pytest.approx((((0.75) ** 2 * 2 + 0.25**2 + 1.25**2) / 4) ** 0.5),
        "incoming_min": 0,
        "incoming_max": 2,
        "without_incoming": 1,
        "outgoing_mean": pytest.approx(5 / 3),
        "outgoing_sd": pytest.approx(((16 / 9 + 1 / 9 + 25 / 9) / 3) ** 0.5),
        "outgoing_min": 0,
        "outgoing_max": 3,
        "without_outgoing": 1,
    }
    assert (found["incoming_sd", "1.weight"], found["without_outgoing", "1.weight"]) == (1.5, 0)


def test_a_dense_network_is_whole() -> None:
    found = read(probe, subject({"trained": weights(module())}, module))
    assert (found[("density",)], found[("remaining",)]) == (1.0, 20)
    assert found["incoming_sd", "0.weight"] == found["without_incoming", "0.weight"] == 0


@pytest.mark.parametrize(
    "layer",
    [
        nn.Conv2d(4, 6, 3),
        nn.Conv2d(4, 6, 3, groups=2),
        nn.Conv2d(4, 8, 3, groups=4),
        nn.ConvTranspose2d(4, 6, 2),
        nn.ConvTranspose2d(4, 6, 2, groups=2),
        nn.Conv1d(4, 2, 5),
        nn.Linear(4, 6),
    ],
    ids=str,
)
def test_connections_are_those_through_which_a_gradient_flows(layer: nn.Module) -> None:
    """With all weights and inputs 1 an output is the number of its weights, and the gradient of an input that of its own."""
    generator = torch.Generator().manual_seed(0)
    kept = torch.rand(layer.weight.shape, generator=generator) < 0.4
    with torch.no_grad():
        layer.weight.copy_(kept)
        layer.bias.zero_()
    # One place of output whose window is the whole input; transposed, one place of input.
    transposed = isinstance(layer, nn.ConvTranspose2d)
    sides = () if isinstance(layer, nn.Linear) else tuple(1 if transposed else side for side in layer.kernel_size)
    x = torch.ones(1, 4, *sides, requires_grad=True)
    y = layer(x)
    y.sum().backward()
    incoming, outgoing = connections(kept, layer)
    assert incoming.tolist() == y.detach().view(1, y.shape[1], -1).sum(2)[0].tolist()
    assert outgoing.tolist() == x.grad.view(1, 4, -1).sum(2)[0].tolist()
