"""The networks for pairs of residues against formulas written out pair by pair."""

from __future__ import annotations

import math

import pytest
import torch
import torch.nn.functional as F
from torch import Tensor, nn

from lotto.errors import BadRequest
from lotto.flops import network_flops
from lotto.models.anatomy import counts, kinds
from lotto.models.modular import ModularMLP, ModularTransformer
from lotto.store import Store

P = 11
PAIRS = torch.cartesian_prod(torch.arange(P), torch.arange(P))


def one_hot(pairs: Tensor) -> Tensor:
    return F.one_hot(pairs, P).double().unsqueeze(1)


def mlp(depth: int = 0) -> ModularMLP:
    torch.manual_seed(0)
    return ModularMLP((1, 2, P), P, embedding=13, hidden=7, depth=depth).double()


def transformer() -> ModularTransformer:
    torch.manual_seed(0)
    return ModularTransformer((1, 2, P), P, width=9, head=5, hidden=6).double()


@pytest.mark.parametrize(
    ("network", "size"),
    [(ModularMLP, 115_000), (ModularTransformer, 115_456)],
)
def test_sizes_at_p_67_are_the_papers(network: type[nn.Module], size: int) -> None:
    with torch.device("meta"):
        model = network((1, 2, 67), 67)
    assert sum(counts(model).values()) == size == sum(parameter.numel() for parameter in model.parameters())
    assert [name for name, kind in kinds(model).items() if kind == "output"] == ["unembedding.weight"]


@pytest.mark.parametrize("depth", [0, 2])
def test_the_mlp_adds_tokens_before_its_relu(depth: int) -> None:
    model = mlp(depth)
    embedding, inner, outer, unembedding = (
        getattr(model, name).weight for name in ("embedding", "inner", "outer", "unembedding")
    )
    expected = []
    for a, b in PAIRS.tolist():
        hidden = torch.clamp(inner @ embedding[:, a] + inner @ embedding[:, b], min=0)
        for layer in model.between:
            hidden = torch.clamp(layer.weight @ hidden, min=0)
        expected.append(unembedding @ (outer @ hidden))
    torch.testing.assert_close(model(one_hot(PAIRS)), torch.stack(expected))


def test_the_mlp_cannot_tell_a_pair_from_its_mirror_and_the_transformer_can() -> None:
    x, mirrored = one_hot(PAIRS), one_hot(PAIRS.flip(1))
    torch.testing.assert_close(mlp()(x), mlp()(mirrored))
    assert not torch.allclose(transformer()(x), transformer()(mirrored))


def test_the_transformer_is_that_of_pytorch_with_a_causal_mask() -> None:
    model = transformer()
    stream = model.embedding.weight.T[PAIRS]  # [N, 2, width]
    q, k, v = (F.linear(stream, getattr(model, name).weight) for name in ("query", "key", "value"))
    attended = F.scaled_dot_product_attention(q, k, v, is_causal=True)  # divides by the root of the head's width
    stream = stream + F.linear(attended, model.mixing.weight)
    stream = stream + F.linear(F.relu(F.linear(stream, model.inner.weight)), model.outer.weight)
    expected = F.linear(stream, model.unembedding.weight)[:, -1]
    torch.testing.assert_close(model(one_hot(PAIRS)), expected)


@pytest.mark.parametrize("make", [mlp, lambda: mlp(1), transformer])
def test_layer_by_layer_is_the_same_network(make) -> None:
    model, plain = make(), make()
    plain.by_layers = True
    x = one_hot(PAIRS[::3])
    torch.testing.assert_close(model(x), plain(x))
    for one in (model, plain):
        one(x).square().sum().backward()
    for (name, one), other in zip(model.named_parameters(), plain.parameters(), strict=True):
        torch.testing.assert_close(one.grad, other.grad, msg=name)


def test_what_units_read_and_write_are_the_products_of_weights() -> None:
    model = mlp()
    embedding, inner, outer, unembedding = (
        getattr(model, name).weight for name in ("embedding", "inner", "outer", "unembedding")
    )
    torch.testing.assert_close(model.read_in(), inner @ embedding)
    torch.testing.assert_close(model.read_out(), (unembedding @ outer).T)


@pytest.mark.parametrize("network", [ModularMLP, ModularTransformer])
def test_anything_but_pairs_is_refused(network: type[nn.Module]) -> None:
    with pytest.raises(BadRequest, match="no pair of tokens"):
        network((3, 32, 32), 10)
    with pytest.raises(BadRequest, match=r"model\.hidden"):
        network((1, 2, 5), 5, hidden=0)  # type: ignore[call-arg]


def test_weights_are_drawn_with_the_spread_of_the_paper(spec_of) -> None:
    from lotto.models.build import build

    spec = spec_of("experiment=grokking/mlp")
    model = build(spec.model, spec.data.input_shape, spec.data.classes, 0)
    for name, fan_in in (("embedding", 67), ("inner", 500), ("outer", 48), ("unembedding", 500)):
        assert float(getattr(model, name).weight.detach().std()) == pytest.approx(1 / math.sqrt(fan_in), rel=0.02)


def test_flops_are_counted_of_one_pair_and_by_layers(spec_of, tmp_path) -> None:
    found = network_flops(spec_of("experiment=grokking/mlp"), Store(tmp_path))
    assert found is not None
    assert list(found.layers.values()) == [2 * 67 * 500, 2 * 500 * 48, 2 * 48 * 500, 2 * 500 * 67]
    assert found.others == 0
