"""Every way in which a ticket can be wrong is found, and named."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
import torch

from lotto.errors import BadRequest
from lotto.mask import Mask
from lotto.store import Store
from lotto.tickets import Ticket, from_store, save_ticket, verify
from lotto.tickets import file as ticket_file
from lotto.tickets.trust import is_ours
from tests.tickets.ticket_samples import StoredRun


@pytest.fixture
def ticket(stored: StoredRun) -> Ticket:
    return from_store(stored.store, stored.stages["trained"].key)


def with_metadata(ticket: Ticket, **fields: Any) -> Ticket:
    return replace(ticket, metadata={**ticket.metadata, **fields})


def test_a_sound_ticket_has_no_problems(stored: StoredRun, ticket: Ticket, tmp_path: Path) -> None:
    path = save_ticket(ticket, tmp_path / "ticket.safetensors")
    assert verify(path) == []
    assert verify(path, stored.store) == []


def test_pruned_weights_that_live_are_counted(ticket: Ticket, tmp_path: Path) -> None:
    weights = {**ticket.weights, "fc.weight": torch.ones_like(ticket.weights["fc.weight"])}
    path = save_ticket(replace(ticket, weights=weights), tmp_path / "ticket.safetensors")
    pruned = int((~ticket.mask["fc.weight"]).sum())
    assert verify(path) == [f"fc.weight has {pruned} pruned weights that are not zero."]


def test_counts_must_be_the_masks(ticket: Ticket, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(ticket_file, "counts", lambda mask: {"weights_remaining": 1})
    path = save_ticket(ticket, tmp_path / "ticket.safetensors")
    assert verify(path) == [f"The metadata's weights_remaining is 1, and the mask's is {ticket.mask.remaining}."]


def test_a_mask_of_another_shape_is_found(ticket: Ticket, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    with monkeypatch.context() as unchecked:
        unchecked.setattr(Ticket, "__post_init__", lambda self: None)
        wrong = replace(ticket, mask=Mask({**ticket.mask, "fc.weight": torch.ones(2)}))
        path = save_ticket(wrong, tmp_path / "ticket.safetensors")
    assert verify(path) == ["The ticket's mask of fc.weight has shape [2], its weights have [3, 5]."]


def test_the_model_must_build_and_take_the_ticket(ticket: Ticket, tmp_path: Path) -> None:
    other = with_metadata(ticket, model={**ticket.metadata["model"], "plan": [4]})
    (problem,) = verify(save_ticket(other, tmp_path / "other.safetensors"))
    assert "fc_layers.0.weight has shape [5, 6]" in problem
    broken = with_metadata(ticket, model={**ticket.metadata["model"], "plan": [0]})
    (problem,) = verify(save_ticket(broken, tmp_path / "broken.safetensors"))
    assert "model.plan=0" in problem


def test_foreign_code_is_not_run_unless_trusted(ticket: Ticket, tmp_path: Path) -> None:
    mark = tmp_path / "run"
    foreign = with_metadata(
        ticket, model={"_target_": "pathlib.Path.touch", "self": {"_target_": "pathlib.Path", "_args_": [str(mark)]}}
    )
    path = save_ticket(foreign, tmp_path / "foreign.safetensors")
    (problem,) = verify(path)
    assert "pathlib.Path.touch was not built" in problem
    assert not mark.exists()
    verify(path, trust_model=True)
    assert mark.exists()


@pytest.mark.parametrize(
    ("config", "ours"),
    [
        ({"_target_": "lotto.models.lenet.LeNet", "plan": [3]}, True),
        ({"_target_": "lotto.models.torchvision_model.build", "name": "resnet18"}, True),
        ({"_target_": "lotto.models.lenet.torch.hub.load"}, False),
        ({"_target_": "lotto.models.init.partial"}, False),
        ({"_target_": "lotto.models.lenet.LeNet", "plan": [{"_target_": "os.system"}]}, False),
        ({"_target_": "lotto.models.lenet.Missing"}, False),
        ({"_target_": "lotto.models.missing.LeNet"}, False),
        ({"_target_": "os.system"}, False),
        ({}, False),
    ],
)
def test_only_lottos_own_networks_are_trusted(config: dict[str, Any], ours: bool) -> None:
    assert is_ours(config) is ours


def test_the_artifact_must_agree_bit_for_bit(stored: StoredRun, ticket: Ticket, tmp_path: Path) -> None:
    weights = {**ticket.weights, "fc.bias": ticket.weights["fc.bias"].nextafter(torch.tensor(9.0))}
    mask = ticket.mask.shuffle(torch.Generator().manual_seed(3))
    path = save_ticket(Ticket(mask.apply(weights), mask, ticket.metadata), tmp_path / "ticket.safetensors")
    assert verify(path) == []
    problems = " ".join(verify(path, stored.store))
    assert "The mask is not that of the artifact" in problems and "fc.bias is not, bit for bit," in problems

    assert "missing or damaged" in verify(path, Store(tmp_path / "empty"))[0]
    unnamed = save_ticket(with_metadata(ticket, key=None), tmp_path / "unnamed.safetensors")
    assert "names no artifact" in verify(unnamed, stored.store)[0]


def test_damage_is_a_problem_and_absence_a_wrong_request(ticket: Ticket, tmp_path: Path) -> None:
    path = save_ticket(ticket, tmp_path / "ticket.safetensors")
    path.write_bytes(path.read_bytes()[:-1] + b"\xff")
    assert "is damaged" in verify(path)[0]
    with pytest.raises(BadRequest, match="is not there"):
        verify(tmp_path / "absent")
