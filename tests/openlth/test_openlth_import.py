"""A run that OpenLTH could have left becomes tickets bit for bit, and one that it could not is found out."""

from __future__ import annotations

from pathlib import Path

import pytest
import torch

from lotto.errors import BadRequest
from lotto.openlth.check import check
from lotto.openlth.convert import to_ticket
from lotto.openlth.defaults import FAMILIES, default_groups
from lotto.openlth.hashing import folder_name
from lotto.openlth.load import Replicate
from lotto.ticket_cli import main
from lotto.tickets import load_ticket, save_ticket, verify
from lotto.tickets.bits import same_bits
from tests.openlth.openlth_samples import lenet, resnet, rewrite, write_run


@pytest.fixture
def lenet_run(tmp_path: Path) -> Path:
    groups = default_groups(FAMILIES["mnist_lenet"], "mnist_lenet_20_10")
    return write_run(tmp_path / folder_name("lottery", groups) / "replicate_1", lenet(), ignored=["fc.weight"])


@pytest.fixture
def resnet_run(tmp_path: Path) -> Path:
    return write_run(
        tmp_path / "lottery_other" / "replicate_2", resnet(), levels=2, rewound="ep2_it218", end="ep160_it0"
    )


def test_a_sound_run_passes_every_check(lenet_run: Path, resnet_run: Path) -> None:
    assert check(Replicate(lenet_run)) == []
    assert check(Replicate(resnet_run)) == []


def test_what_is_read(lenet_run: Path) -> None:
    run = Replicate(lenet_run)
    assert (run.levels, run.rewind_step, run.iterations_per_epoch) == ([0, 1, 2, 3], 0, 469)
    level = run.level(1)
    assert level.mask.remaining == 15_980 - 3_196 - 1
    assert level.sparsity == (level.mask.remaining, 15_980)
    assert level.end_step == 18_760
    assert level.log[-1].accuracy == 0.9
    assert level.start["fc.weight"].shape == (10, 10)


def test_the_ticket_is_the_runs_own_bits(lenet_run: Path, tmp_path: Path) -> None:
    path = save_ticket(to_ticket(Replicate(lenet_run), 2), tmp_path / "ticket.safetensors")
    assert verify(path) == []
    model = load_ticket(path).apply_to(lenet())
    saved = torch.load(lenet_run / "level_2" / "main" / "model_ep0_it0.pth", weights_only=True)
    assert model.state_dict().keys() == saved.keys()
    assert all(same_bits(tensor, saved[name]) for name, tensor in model.state_dict().items())
    mask = torch.load(lenet_run / "level_2" / "main" / "mask.pth", weights_only=True)
    assert all(torch.equal(load_ticket(path).mask[name], kept == 1) for name, kept in mask.items())


def test_statistics_are_rewound_and_the_step_is_an_iteration(resnet_run: Path) -> None:
    ticket = to_ticket(Replicate(resnet_run), 1)
    assert ticket.rewind_step == 1000
    assert to_ticket(Replicate(resnet_run, iterations_per_epoch=10), 1).rewind_step == 238
    assert "bn.running_mean" in ticket.metadata["buffers"]
    model = ticket.apply_to(resnet())
    saved = torch.load(resnet_run / "level_1" / "main" / "model_ep2_it218.pth", weights_only=True)
    assert all(same_bits(tensor, saved[name]) for name, tensor in model.state_dict().items())


def test_initialisers_are_named_where_the_folder_tells_them(lenet_run: Path, resnet_run: Path) -> None:
    known, unknown = to_ticket(Replicate(lenet_run), 1), to_ticket(Replicate(resnet_run), 1)
    assert known.metadata["model"]["init"] == {"weights": "kaiming_normal", "batchnorm": "uniform"}
    assert known.metadata["method"]["default_hyperparameters"] is True
    assert "init" not in unknown.metadata["model"]
    assert unknown.metadata["method"]["experiment"] == "open_lth/cifar_resnet_8_4"


def test_the_rule_that_prunes_is_the_runs(tmp_path: Path) -> None:
    run = Replicate(write_run(tmp_path / "lottery_x" / "replicate_1", lenet(), levels=1, fraction=0.5))
    assert check(run, fraction=0.5, exclude=[]) == []
    assert "pruning_fraction was not 0.2" in check(run)[0]
    assert "pruning_layers_to_ignore was not fc.weight" in check(run, fraction=0.5)[0]


@pytest.mark.parametrize(
    ("file", "name", "index", "value", "sentence"),
    [
        (
            "level_1/main/model_ep0_it0.pth",
            "fc.bias",
            0,
            9.0,
            "Level 1 does not start from its mask times level 0's start: fc.bias",
        ),
        ("level_0/main/mask.pth", "fc_layers.0.weight", 0, 0, "Level 0 is not dense"),
        ("level_0/main/model_ep40_it0.pth", "fc_layers.0.weight", 0, 9e9, "mask differs at"),
        ("level_1/main/mask.pth", "fc.weight", 0, 0, "sparsity_report.json says"),
    ],
)
def test_a_change_is_found_out(lenet_run: Path, file: str, name: str, index: int, value: float, sentence: str) -> None:
    if "ep40" in file:  # a weight that was pruned, so that another would have been in its place
        mask = torch.load(lenet_run / "level_1" / "main" / "mask.pth", weights_only=True)[name]
        index = int((mask.view(-1) == 0).nonzero()[0])
    rewrite(lenet_run / file, name, index, value)
    assert any(sentence in problem for problem in check(Replicate(lenet_run), levels=[0, 1]))


def test_pruned_weights_that_live_at_the_end_are_found_out(lenet_run: Path) -> None:
    main_folder = lenet_run / "level_1" / "main"
    mask = torch.load(main_folder / "mask.pth", weights_only=True)["fc_layers.0.weight"]
    rewrite(main_folder / "model_ep40_it0.pth", "fc_layers.0.weight", int((mask.view(-1) == 0).nonzero()[0]), 1.0)
    assert check(Replicate(lenet_run), [1]) == [
        "Level 1 ends with 1 pruned weights of fc_layers.0.weight that are not zero."
    ]


def test_files_that_do_not_belong_together_are_refused(lenet_run: Path) -> None:
    with pytest.raises(BadRequest, match="has no level 9: its levels are 0, 1, 2, 3"):
        Replicate(lenet_run).level(9)
    with pytest.raises(BadRequest, match="no level_0/main"):
        Replicate(lenet_run.parent)
    main_folder = lenet_run / "level_1" / "main"
    mask = torch.load(main_folder / "mask.pth", weights_only=True)
    torch.save({**mask, "fc.weight": torch.ones(2, 2)}, main_folder / "mask.pth")
    with pytest.raises(BadRequest, match=r"has a mask of shape \[2, 2\] for fc\.weight"):
        Replicate(lenet_run).level(1)
    torch.save({"fc.weight": mask["fc.weight"]}, main_folder / "mask.pth")
    with pytest.raises(BadRequest, match=r"masks fc\.weight, and not the network's"):
        Replicate(lenet_run).level(1)
    (main_folder / "model_ep0_it0.pth").unlink()
    with pytest.raises(BadRequest, match="has no model of step 0"):
        Replicate(lenet_run).level(1)


def test_the_command_imports_a_sound_level_and_refuses_another(
    lenet_run: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.chdir(tmp_path)
    assert main(["import", str(lenet_run)]) == 0
    (written,) = Path("outputs/tickets").iterdir()
    assert written.name.endswith("replicate_1-level_3.safetensors")
    assert main(["verify", str(written)]) == 0
    assert main(["import", str(lenet_run), "--level", "1", "--exclude", "", "-o", "refused.safetensors"]) == 1
    assert "No ticket was written" in capsys.readouterr().err
    assert not Path("refused.safetensors").exists()
