"""A structured ticket outside of the run that found it: what went with its channels stays away."""

from __future__ import annotations

from pathlib import Path

import pytest
import safetensors.torch
import torch
from torch.nn import functional as F

import lotto
from lotto.tickets import Ticket, load_ticket
from tests.e2e import Shell, results

pytestmark = pytest.mark.usefixtures("without_figures")
SMALL = (
    "model=resnet20",
    "model.depth=8",
    "model.width=4",
    "prune.structure=filter",
    "prune.rate=0.4",
    "train.steps=12it",
    "train.evaluate_every=3it",
    "train.lr=0.1",
    "replicates=1",
    "schedule.levels=2",
    "controls=[]",
    "hydra.run.dir=run",
)


@pytest.fixture
def run(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capfd: pytest.CaptureFixture[str]) -> Shell:
    shell = Shell(tmp_path, monkeypatch, capfd)
    said = shell(*SMALL)
    assert said.status == 0, said.err
    return shell


def exported(folder: Path) -> tuple[Path, Ticket]:
    """The ticket of level 1, the only one that lacks anything."""
    (path,) = [path for path in (folder / "run" / "tickets").iterdir() if load_ticket(path).density < 1]
    return path, load_ticket(path)


def test_its_file_says_what_went_with_its_channels(run: Shell, tmp_path: Path) -> None:
    path, ticket = exported(tmp_path)
    tensors = safetensors.torch.load_file(path)
    assert {name for name in tensors if name.startswith("zeroed/")} == {f"zeroed/{name}" for name in ticket.zeroed}
    assert ticket.metadata["density"] == ticket.mask.density
    for name, zero in ticket.zeroed.items():
        convolution = name.rpartition(".")[0].replace("bn", "conv") + ".weight"
        if zero.dim() == 1 and convolution in ticket.mask:
            assert torch.equal(zero, ~ticket.mask[convolution].flatten(1).any(1))
        assert not ticket.weights[name][zero].any()
    assert any(zero.any() and not zero.all() for zero in ticket.zeroed.values())
    assert run("ticket", "verify", str(path), "--store=outputs/store").status == 0


def test_a_plain_loop_holds_it_at_zero(run: Shell, tmp_path: Path) -> None:
    _, ticket = exported(tmp_path)
    about = ticket.metadata
    model = ticket.apply_to(lotto.models.build.build(about["model"], tuple(about["input_shape"]), about["classes"], 3))
    ticket.mask_gradients(model)
    optimizer = torch.optim.SGD(model.parameters(), lr=0.1, momentum=0.9, weight_decay=0.1)
    x, y = torch.randn(8, 1, 8, 8, generator=torch.Generator().manual_seed(0)), torch.arange(8)
    for _ in range(3):
        optimizer.zero_grad()
        F.cross_entropy(model(x), y).backward()
        optimizer.step()
    for name, zero in ticket.zeroed.items():
        assert not model.get_parameter(name)[zero].any()
        assert zero.all() or (model.get_parameter(name)[~zero] != ticket.weights[name][~zero]).any()


def test_a_run_that_starts_from_it_trains_it_as_the_run_that_found_it(run: Shell, tmp_path: Path) -> None:
    path, _ = exported(tmp_path)
    again = ("start=checkpoint", f"start.path={path}", "schedule.levels=1", "hydra.run.dir=again")
    said = run(*SMALL, *again)
    assert said.status == 0, said.err
    (first,) = results(tmp_path / "again")
    found = results(tmp_path / "run")[1]
    assert first["engine"] == found["engine"]
    for column in ("weights_remaining", "weights_slimmed", "early_stop_step", "val_loss_min", "test_accuracy"):
        assert float(first[column]) == float(found[column]), column
