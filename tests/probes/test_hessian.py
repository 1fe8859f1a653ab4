"""Eigenvalues and trace against the whole Hessian, by torch.func of a loss that is written out again."""

from __future__ import annotations

import sys
from typing import Any

import pytest
import torch
import torch.nn.functional as F
from torch import Tensor, nn
from torch.func import functional_call, hessian

from lotto.checks import check_spec
from lotto.compose import composed, read_spec
from lotto.errors import BadRequest
from lotto.probes.hessian import probe
from lotto.probes.subject import Subject
from tests.probes.probe_samples import Given, drawn, read, sparse, subject, weights

OPTIONS: dict[str, Any] = {
    "parameters": "trained",
    "eigenvalues": 3,
    "tolerance": 0,
    "vectors": 60,
    "split": "train",
    "examples": 20,
}
KEPT = {"1.weight": torch.arange(12).view(3, 4) % 3 > 0, "4.weight": torch.arange(9).view(3, 3) % 2 == 0}
PRUNABLE = sum(int(kept.sum()) for kept in KEPT.values())


def module() -> nn.Module:
    return nn.Sequential(nn.Flatten(), nn.Linear(4, 3), nn.BatchNorm1d(3), nn.Tanh(), nn.Linear(3, 3)).double()


def made() -> Subject:
    torch.manual_seed(3)
    given = weights(module())
    given["2.running_mean"] = torch.tensor([0.3, -0.2, 0.1]).double()
    given["2.running_var"] = torch.tensor([2.0, 0.5, 1.0]).double()
    x, y = drawn(3, (1, 2, 2), 30)
    return subject({"trained": sparse(given, KEPT)}, module, Given(3, 12, train=(x, y)))


def whole_hessian(of: Subject) -> tuple[Tensor, list[str]]:
    """``[P, P]`` over every parameter, flat and in order, and the name of each coordinate."""
    state = dict(of.networks["trained"].weights)
    plain = of.module()
    names = [name for name, _ in plain.named_parameters()]
    shapes = [state[name].shape for name in names]
    x, y = (tensor[:20] for tensor in of.data.splits["train"])

    def loss(flat: Tensor) -> Tensor:
        parts = [p.view(s) for p, s in zip(flat.split([s.numel() for s in shapes]), shapes, strict=True)]
        return F.cross_entropy(functional_call(plain, {**state, **dict(zip(names, parts, strict=True))}, x.double()), y)

    flat = torch.cat([state[name].flatten() for name in names])
    return hessian(loss)(flat), [name for name in names for _ in range(state[name].numel())]


def coordinates(names: list[str], parameters: str) -> Tensor:
    """Which of the flat parameters are meant."""
    seen: dict[str, int] = {}
    chosen = []
    for name in names:
        place = seen[name] = seen.get(name, -1) + 1
        remains = bool(KEPT[name].flatten()[place]) if name in KEPT else parameters != "prunable"
        chosen.append(remains or parameters == "all")
    return torch.tensor(chosen)


@pytest.mark.parametrize("parameters", ["trained", "prunable", "all"])
def test_against_the_whole_hessian(parameters: str) -> None:
    of = made()
    whole, names = whole_hessian(of)
    chosen = coordinates(names, parameters)
    exact = whole[chosen][:, chosen]
    found = read(probe, of, **OPTIONS | {"parameters": parameters})
    largest = torch.linalg.eigvalsh(exact).flip(0)
    for rank in (1, 2, 3):
        assert found["eigenvalue", rank] == pytest.approx(float(largest[rank - 1]), rel=1e-9)
    assert (
        found[("parameters",)]
        == len(exact)
        == {"trained": PRUNABLE + 3 + 6 + 3, "prunable": PRUNABLE, "all": 33}[parameters]
    )
    # Hutchinson's variance with random signs is that of the entries off the diagonal.
    variance = 2 * float((exact - exact.diag().diag()).square().sum())
    assert found[("trace_se",)] == pytest.approx((variance / 60) ** 0.5, rel=0.4)
    assert abs((found[("trace",)] or 0) - float(exact.trace())) < 4 * (variance / 60) ** 0.5


def test_replicates_draw_for_themselves() -> None:
    of = made()
    other = subject(of.networks, module, of.data, replicate=1)
    first, again, second = (read(probe, one, **OPTIONS | {"vectors": 2}) for one in (of, made(), other))
    assert first == again
    assert first[("trace",)] != second[("trace",)]
    assert first["eigenvalue", 1] == pytest.approx(second["eigenvalue", 1])


def test_without_the_library_a_sentence_names_the_extra(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "curvlinops", None)
    monkeypatch.delitem(sys.modules, "lotto.probes.hessian")
    with pytest.raises(BadRequest) as refusal:
        check_spec(read_spec(composed(["probes=[hessian]"])))
    assert str(refusal.value) == "probes=[hessian] needs an extra that is not installed: pip install 'lotto[hessian]'."
