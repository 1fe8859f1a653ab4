"""The ticket file keeps every bit and notices every change."""

from __future__ import annotations

import hashlib
import json
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest
import safetensors.torch
import torch
from safetensors import safe_open

from lotto.errors import BadRequest
from lotto.mask import Mask
from lotto.tickets import Ticket, from_store, load_ticket, save_ticket
from lotto.tickets import file as ticket_file
from lotto.tickets.bits import same_bits
from lotto.tickets.metadata import FIELDS
from tests.tickets.ticket_samples import StoredRun


@pytest.fixture
def ticket(stored: StoredRun) -> Ticket:
    return from_store(stored.store, stored.stages["trained"].key, {"method": "imp", "level": 1})


@pytest.fixture
def path(ticket: Ticket, tmp_path: Path) -> Path:
    return save_ticket(ticket, tmp_path / "ticket.safetensors")


def entry_of(path: Path) -> dict[str, Any]:
    with safe_open(path, framework="pt") as file:
        return json.loads(file.metadata()["lotto"])  # type: ignore[no-any-return]


def test_a_ticket_is_read_back_bit_for_bit(ticket: Ticket, path: Path) -> None:
    read = load_ticket(path)
    assert list(read.weights) == list(ticket.weights)
    assert all(same_bits(read.weights[name], tensor) for name, tensor in ticket.weights.items())
    assert read.mask == ticket.mask and list(read.mask) == list(ticket.mask)
    assert read.metadata == ticket.metadata


def test_bits_that_compare_badly_are_kept(ticket: Ticket, tmp_path: Path) -> None:
    odd = torch.tensor([-0.0, torch.nan, torch.inf, 1e-45, -1.0])
    weights = {"w": odd, "half": odd.bfloat16(), "steps": torch.tensor(3), "flag": torch.tensor([True])}
    made = Ticket(weights, Mask({"w": odd == odd}), ticket.metadata)
    read = load_ticket(save_ticket(made, tmp_path / "odd.safetensors"))
    assert all(same_bits(read.weights[name], tensor) for name, tensor in weights.items())


def test_tensors_that_share_memory_are_written(ticket: Ticket, tmp_path: Path) -> None:
    whole = torch.arange(6.0).view(2, 3)
    made = Ticket({"a": whole, "b": whole.T}, Mask.ones({"a": whole}), ticket.metadata)
    assert torch.equal(load_ticket(save_ticket(made, tmp_path / "shared.safetensors")).weights["b"], whole.T)


def test_the_file_is_laid_out_as_documented(ticket: Ticket, path: Path) -> None:
    tensors = safetensors.torch.load_file(path)
    assert set(tensors) == {f"weights/{name}" for name in ticket.weights} | {f"mask/{name}" for name in ticket.mask}
    assert all(tensor.dtype == torch.uint8 for name, tensor in tensors.items() if name.startswith("mask/"))
    entry = entry_of(path)
    assert entry["format_version"] == 1
    assert set(FIELDS) <= set(entry)
    checksums = entry["checksums"]
    for name, tensor in tensors.items():
        assert checksums[name] == hashlib.sha256(tensor.numpy().tobytes()).hexdigest()


def test_the_same_ticket_gives_the_same_bytes_in_any_process(path: Path) -> None:
    again = path.with_name("again.safetensors")
    program = "import sys; from lotto.tickets import *; save_ticket(load_ticket(sys.argv[1]), sys.argv[2])"
    subprocess.run([sys.executable, "-c", program, str(path), str(again)], check=True)
    assert again.read_bytes() == path.read_bytes()


def test_a_changed_byte_is_noticed_wherever_it_is(path: Path) -> None:
    content = path.read_bytes()
    unnoticed = []
    for place in range(len(content)):
        # A digit becomes another digit; a space of the padding a tab, which reads the same.
        changed = b"\t" if content[place] == ord(" ") else bytes([content[place] ^ 1])
        path.write_bytes(content[:place] + changed + content[place + 1 :])
        try:
            load_ticket(path)
        except BadRequest:
            continue
        unnoticed.append(place)
    assert unnoticed == []


@pytest.mark.parametrize(
    "change", [lambda c: c[:-1], lambda c: c + b"\0", lambda c: c[:100], lambda c: b"", lambda c: b"{}"]
)
def test_a_file_of_another_length_is_refused(path: Path, change: Any) -> None:
    path.write_bytes(change(path.read_bytes()))
    with pytest.raises(BadRequest):
        load_ticket(path)


def test_foreign_files_are_refused_in_a_sentence(path: Path, tmp_path: Path) -> None:
    foreign = tmp_path / "foreign.safetensors"
    safetensors.torch.save_file({"w": torch.ones(2)}, foreign)
    with pytest.raises(BadRequest, match="no metadata entry lotto"):
        load_ticket(foreign)
    torch.save({"w": torch.ones(2)}, foreign)
    with pytest.raises(BadRequest, match="no ticket"):
        load_ticket(foreign)
    with pytest.raises(BadRequest, match="No such file"):
        load_ticket(tmp_path / "absent.safetensors")
    with pytest.raises(BadRequest, match="Is a directory"):
        load_ticket(tmp_path)


def test_a_newer_format_is_named(ticket: Ticket, path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    with monkeypatch.context() as later:
        later.setattr(ticket_file, "_version", lambda tensors: 3)
        save_ticket(ticket, path)
    with pytest.raises(BadRequest, match="has format version 3: this lotto reads up to 2"):
        load_ticket(path)


def test_what_is_missing_or_strange_is_named(ticket: Ticket, path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    with pytest.raises(BadRequest, match="metadata lack model"):
        save_ticket(Ticket(ticket.weights, ticket.mask), path)
    monkeypatch.setattr(ticket_file, "WEIGHTS", "strange/")
    save_ticket(ticket, path)
    monkeypatch.undo()
    with pytest.raises(BadRequest, match=r"holds strange/fc\.bias"):
        load_ticket(path)


def test_a_folder_that_cannot_be_written_to_is_named(ticket: Ticket, path: Path) -> None:
    with pytest.raises(BadRequest, match="cannot be written"):
        save_ticket(ticket, path / "below_a_file.safetensors")
    assert load_ticket(path).mask == ticket.mask
