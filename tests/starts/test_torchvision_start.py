"""torchvision's weights, out of torch.hub's folder; the network is never asked without being told to."""

from __future__ import annotations

from pathlib import Path

import pytest
import torch

from lotto.errors import BadRequest
from lotto.models.torchvision_model import build
from lotto.starts.fitting import fitted
from lotto.starts.torchvision import Torchvision

FILE = "squeezenet1_1-b8a52dc0.pth"


@pytest.fixture
def hub(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.setenv("TORCH_HOME", str(tmp_path))
    folder = tmp_path / "hub" / "checkpoints"
    folder.mkdir(parents=True)
    return folder


def test_weights_in_the_folder_are_read_as_torchvision_reads_them(hub: Path) -> None:
    torch.manual_seed(1)
    whole = build("squeezenet1_1", 1000)
    torch.save(whole.state_dict(), hub / FILE)
    source = Torchvision(model="squeezenet1_1", weights="IMAGENET1K_V1", head="fresh")
    found = fitted(source.read(), build("squeezenet1_1", 7), source.head, source.words)
    expected = {name: tensor for name, tensor in whole.state_dict().items() if not name.startswith("classifier.1")}
    assert found.mask is None
    assert found.weights.keys() == expected.keys()
    assert all(torch.equal(found.weights[name], tensor) for name, tensor in expected.items())
    same = Torchvision(model="squeezenet1_1", weights="IMAGENET1K_V1", head="fresh", download=True)
    assert same.identity == source.identity
    assert source.identity["sha256"] == source.sha256


def test_nothing_is_fetched_unasked(hub: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    asked: list[str] = []

    def refuse(url: str, *given: object, **named: object) -> None:
        asked.append(url)
        raise OSError("no network")

    monkeypatch.setattr(torch.hub, "download_url_to_file", refuse)
    with pytest.raises(BadRequest, match=rf"start\.download=true fetches it from https://.*{FILE}"):
        assert Torchvision(model="squeezenet1_1").sha256
    assert not asked
    with pytest.raises(BadRequest, match=r"cannot be fetched from https://.*: no network"):
        assert Torchvision(model="squeezenet1_1", download=True).sha256
    assert len(asked) == 1


@pytest.mark.parametrize(
    ("options", "sentence"),
    [
        ({"model": "squeezenet"}, r"start\.model=squeezenet is not a torchvision classifier \(did you mean"),
        ({"model": "squeezenet1_1", "weights": "V1"}, "unknown of squeezenet1_1: choose from IMAGENET1K_V1, DEFAULT"),
    ],
)
def test_names_that_torchvision_does_not_know(options: dict[str, str], sentence: str) -> None:
    with pytest.raises(BadRequest, match=sentence):
        assert Torchvision(**options).sha256
