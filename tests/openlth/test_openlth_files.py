"""OpenLTH's files are read as they are, and refused in a sentence where they are not."""

from __future__ import annotations

import pickle
from pathlib import Path

import pytest
import torch

from lotto.errors import BadRequest
from lotto.lengths import Length
from lotto.openlth.files import Evaluation, read_log, read_mask, read_sparsity, read_state
from lotto.openlth.steps import file_at, step_of


def test_a_step_is_epochs_and_iterations() -> None:
    assert step_of("model_ep2_it218.pth") == Length(2, 218)
    assert step_of("model_ep2_it218.pth").steps(391) == 1000
    assert file_at(1000, 391) == "model_ep2_it218.pth"
    assert file_at(62_560, 391) == "model_ep160_it0.pth"
    with pytest.raises(BadRequest, match=r"checkpoint\.pth is not a name"):
        step_of("checkpoint.pth")


def test_the_log_becomes_evaluations(tmp_path: Path) -> None:
    path = tmp_path / "logger"
    path.write_text(
        "test_loss,100,0.5\ntest_accuracy,100,0.75\ntest_examples,100,10\ntrain_loss,100,0.25\ntest_loss,0,2.5\n"
    )
    assert read_log(path) == [
        Evaluation("test", 0, 2.5, None),
        Evaluation("test", 100, 0.5, 0.75),
        Evaluation("train", 100, 0.25, None),
    ]
    path.write_text("test_loss,100,0.5\ntest accuracy\n")
    with pytest.raises(BadRequest, match="line 2, is not"):
        read_log(path)
    with pytest.raises(BadRequest, match="No such file"):
        read_log(tmp_path / "absent")


def test_a_mask_is_zeros_and_ones(tmp_path: Path) -> None:
    path = tmp_path / "mask.pth"
    torch.save({"fc.weight": torch.tensor([0, 1, 1], dtype=torch.int32)}, path)
    assert torch.equal(read_mask(path)["fc.weight"], torch.tensor([False, True, True]))
    torch.save({"fc.weight": torch.tensor([0, 2], dtype=torch.int32)}, path)
    with pytest.raises(BadRequest, match=r"fc\.weight holds other values"):
        read_mask(path)


def test_the_sparsity_report(tmp_path: Path) -> None:
    path = tmp_path / "sparsity_report.json"
    path.write_text('{"total": 266200.0, "unpruned": 212959.0}')
    assert read_sparsity(path) == (212_959, 266_200)
    for wrong in ("{}", "[]", "total"):
        path.write_text(wrong)
        with pytest.raises(BadRequest, match="no sparsity report"):
            read_sparsity(path)


class Opens:
    def __init__(self, path: Path) -> None:
        self.path = path

    def __reduce__(self) -> tuple[object, tuple[str, str]]:
        return open, (str(self.path), "w")


def test_nothing_in_a_file_is_run(tmp_path: Path) -> None:
    mark, path = tmp_path / "run", tmp_path / "model.pth"
    torch.save({"fc.weight": Opens(mark)}, path)
    with pytest.raises(BadRequest, match="holds more than tensors"):
        read_state(path)
    path.write_bytes(pickle.dumps(Opens(mark), protocol=2))
    with pytest.raises(BadRequest, match="holds more than tensors"):
        read_state(path)
    assert not mark.exists()


@pytest.mark.parametrize("content", [b"", b"PK\x03\x04", b"\x80\x02}q", b"text", bytes(64)])
def test_damage_is_a_sentence(tmp_path: Path, content: bytes) -> None:
    path = tmp_path / "model.pth"
    path.write_bytes(content)
    with pytest.raises(BadRequest, match="is damaged"):
        read_state(path)


def test_only_tensors_by_name_are_a_state(tmp_path: Path) -> None:
    path = tmp_path / "model.pth"
    torch.save([torch.ones(1)], path)
    with pytest.raises(BadRequest, match="something else than tensors"):
        read_state(path)
