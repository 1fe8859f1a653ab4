"""``lotto ticket`` from a store to a file and back."""

from __future__ import annotations

import csv
import subprocess
import sys
from pathlib import Path

import pytest

from lotto.errors import BadRequest
from lotto.ticket_cli import main
from lotto.tickets import load_ticket
from tests.tickets.ticket_samples import StoredRun

COLUMNS = ("experiment", "method", "criterion", "branch", "replicate", "level", "key", "sample")


@pytest.fixture
def run(stored: StoredRun, tmp_path: Path) -> Path:
    folder = tmp_path / "run"
    folder.mkdir()
    rows = [
        ("ticket", 0, 0, stored.dense),
        ("ticket", 0, 1, stored.stages["trained"]),
        ("shuffle", 1, 1, stored.control),
    ]
    with (folder / "results.csv").open("w", newline="") as file:
        writer = csv.writer(file)
        writer.writerow(COLUMNS)
        writer.writerows(
            ["toy", "imp", "magnitude", branch, 0, level, stage.key, sample] for branch, sample, level, stage in rows
        )
    return folder


def test_export_verify_inspect_and_diff(
    stored: StoredRun, tmp_path: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    key, control = stored.stages["trained"].key, stored.control.key
    assert main(["export", key[:8].upper(), "--store", "store"]) == 0
    first = Path("outputs/tickets") / f"{key[:12]}.safetensors"
    assert str(first) in capsys.readouterr().out
    assert load_ticket(first).mask == stored.mask
    assert main(["export", control, "--store", "store", "-o", "control.safetensors"]) == 0
    assert main(["verify", str(first), "--store", "store"]) == 0
    capsys.readouterr()
    assert main(["inspect", str(first)]) == 0
    assert key in capsys.readouterr().out
    assert main(["diff", str(first), "control.safetensors"]) == 0
    assert "Hamming" in capsys.readouterr().out

    first.write_bytes(first.read_bytes()[:-1] + b"\xff")
    assert main(["verify", str(first)]) == 1
    assert "damaged" in capsys.readouterr().out


def test_a_runs_rows_are_found(stored: StoredRun, run: Path, tmp_path: Path) -> None:
    file = tmp_path / "t.safetensors"
    options = ["--store", str(stored.store.root), "-o", str(file)]
    assert main(["export", str(run), *options]) == 0
    names = {"experiment": "toy", "method": "imp", "criterion": "magnitude", "branch": "ticket"}
    assert load_ticket(file).metadata["method"] == {**names, "replicate": 0, "level": 1, "sample": 0}
    assert main(["export", str(run), "--level", "0", *options]) == 0
    assert load_ticket(file).density == 1
    assert main(["export", str(run), "--branch", "shuffle", "--sample", "1", *options]) == 0
    assert load_ticket(file).metadata["key"] == stored.control.key


@pytest.mark.parametrize(
    ("arguments", "sentence"),
    [
        (["export", "{run}", "--level", "9"], "has 0 rows for --branch ticket --replicate 0 --sample 0 --level 9"),
        (["export", "{store}"], r"no results\.csv"),
        (["export", "abc"], "neither a run's folder nor a key"),
        (["export", "000000"], "matches in .* no artifact"),
        (["inspect", "absent"], "cannot be read"),
        (["verify", "absent", "--store", "nowhere"], "is no folder"),
        (["export"], "KEY_OR_RUN_FOLDER"),
        (["melt"], "melt"),
        ([], "required"),
        (["import", "{run}"], "no level_0/main"),
    ],
)
def test_wrong_requests_are_one_sentence(stored: StoredRun, run: Path, arguments: list[str], sentence: str) -> None:
    places = {"run": str(run), "store": str(stored.store.root)}
    written = [argument.format(**places) for argument in arguments]
    if arguments[:1] == ["export"] and len(arguments) > 1:
        written += ["--store", str(stored.store.root)]
    with pytest.raises(BadRequest, match=sentence) as refusal:
        main(written)
    assert "\n" not in str(refusal.value)


def test_a_prefix_of_several_keys_is_refused(tmp_path: Path) -> None:
    for end in "01":
        folder = tmp_path / "aa" / f"aaaaaa{end}"
        folder.mkdir(parents=True)
        (folder / "stage.json").touch()
    with pytest.raises(BadRequest, match="2 artifacts: give more digits"):
        main(["export", "aaaaaa", "--store", str(tmp_path)])


def test_help_does_not_wait_for_torch() -> None:
    program = (
        "import sys; from lotto.ticket_cli import _parser; _parser().format_help(); sys.exit('torch' in sys.modules)"
    )
    assert subprocess.run([sys.executable, "-c", program], check=False).returncode == 0
