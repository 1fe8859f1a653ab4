"""``lotto bench`` from the command line to its table, with sets of a few hundred made-up images."""

from __future__ import annotations

import json
import tempfile
from dataclasses import replace
from pathlib import Path

import pytest
import torch

from lotto.bench.cases import CASES, Case, Evaluation
from lotto.bench.contestants import Contestant
from lotto.bench.ours import measure_lotto
from lotto.bench.request import BenchRequest
from lotto.bench.theirs import plain_loop
from lotto.errors import StageFailed
from lotto.plan import Plan
from lotto.store import Store
from lotto.tickets import from_store
from tests.e2e import Shell

CPU = torch.device("cpu")
QUICK = ("bench.rounds=1", "bench.start=false", "bench.replicates=[5]", "hardware=cpu")


@pytest.fixture
def small(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(CASES, "lenet", Case("frankle2019/lenet", train=300, evaluation=Evaluation(20, 10)))
    monkeypatch.setitem(CASES, "resnet20", Case("frankle2019/resnet18", train=300))


@pytest.fixture
def shell(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capfd: pytest.CaptureFixture[str]) -> Shell:
    return Shell(tmp_path, monkeypatch, capfd)


@pytest.mark.usefixtures("small")
def test_the_table_is_printed_and_bench_json_lies_beside(shell: Shell, monkeypatch: pytest.MonkeyPatch) -> None:
    scratch = shell.folder / "scratch"
    scratch.mkdir()
    monkeypatch.setattr(tempfile, "tempdir", str(scratch))
    monkeypatch.setattr("lotto.bench.verb.steps_for", lambda seconds, train, unit: max(5, unit))
    said = shell("bench", "bench.models=lenet", "bench.dir=here", *QUICK)

    assert said.status == 0, said.err
    assert said.last_line.split() == ["bench.json", "here/bench.json"]
    assert [path.name for path in shell.folder.rglob("*") if path.is_file()] == ["bench.json"]
    assert not list(scratch.iterdir())
    made = json.loads((shell.folder / "here" / "bench.json").read_text())
    rows = made["models"]["lenet"]["rows"]
    assert [(row["loop"], row["replicates"], row["density"]) for row in rows] == [
        ("plain", 1, 1.0),
        ("lotto", 5, 1.0),
        ("plain", 1, 0.03),
        ("lotto", 5, 0.03),
        ("lotto", 5, 1.0),
    ]
    assert [row["steps"] for row in rows] == [5, 5, 5, 5, 10]
    assert rows[-1]["evaluation"] == {"examples": 20, "every": 10}
    assert all(len(row["rounds"]) == 1 and row["rounds"][0]["device"] == "cpu" for row in rows)
    assert made["settings"]["rounds"] == 1 and made["start_to_first_step"] is None
    assert made["machine"]["versions"]["torch"] == torch.__version__.partition("+")[0]
    table = [line.split()[:4] for line in said.out.splitlines()]
    for row in (
        ["plain", "loop", "1", "100%"],
        ["lotto", "5", "100%", "5"],
        ["plain", "loop", "1", "3%"],
        ["lotto", "5", "3%", "5"],
    ):
        assert row in table
    assert [line.partition(":")[0] for line in said.err.splitlines() if "round " in line] == ["round 1 of 1"] * 5


@pytest.mark.parametrize(
    ("line", "sentence"),
    [
        ("bench.rounds=0", "bench.rounds=0"),
        ("bench.dir=/proc/nowhere", "bench.dir=/proc/nowhere cannot be written to"),
        (
            "bench.density=1e-5",
            "bench.density=1e-05 cannot be reached with lenet: Pruning to density 1e-05 leaves no weight",
        ),
        ("engine=frob", "engine=frob is unknown"),
        ("-m", "lotto bench does not take -m"),
        ("--config-dir=.", "lotto bench does not take --config-dir"),
    ],
)
def test_a_wrong_request_is_refused_before_anything_is_measured(shell: Shell, line: str, sentence: str) -> None:
    said = shell("bench", *line.split())
    assert said.status == 2
    assert said.err.startswith("lotto: ") and sentence in said.err and said.err.count("\n") == 1, said.err
    assert said.out == ""


def test_a_gpu_that_is_not_there_is_refused(shell: Shell) -> None:
    if torch.cuda.is_available():
        pytest.skip("there is a GPU here")
    assert "hardware=gpu asks for a GPU" in shell("bench", "hardware=gpu").err


# -- what is compared ---------------------------------------------------------------------------------------------------------------


@pytest.mark.usefixtures("small")
def test_lotto_trains_anew_every_time_and_what_it_asked_for(tmp_path: Path) -> None:
    spec = BenchRequest.read(["hardware=cpu"]).spec(Contestant("lenet", "lotto", 2, 0.03), 6, tmp_path)
    trained = [entry.trained.key for entry in Plan.of(spec).entries]
    for _ in range(2):
        found = measure_lotto(spec, CPU)
        assert (found.replicates, found.steps, found.device) == (2, 6, "cpu")
        assert found.seconds > 0 and found.rate == pytest.approx(12 / found.seconds)
        assert not any(Store(tmp_path).has(key) for key in trained)


@pytest.mark.usefixtures("small")
def test_a_training_that_fails_is_no_measurement(tmp_path: Path) -> None:
    spec = BenchRequest.read(["hardware=cpu"]).spec(Contestant("lenet", "lotto", 1, 1.0), 6, tmp_path)
    # The note of the failure lies in a folder that will not be there any more, and is not named.
    with pytest.raises(StageFailed, match=r"was not finite: [^/]*$"):
        measure_lotto(replace(spec, train=replace(spec.train, lr=1e30)), CPU)


@pytest.mark.usefixtures("small")
@pytest.mark.parametrize("model", ["lenet", "resnet20"])
def test_the_plain_loop_starts_where_lotto_does_and_keeps_its_mask(model: str, tmp_path: Path) -> None:
    spec = BenchRequest.read(["hardware=cpu"]).spec(Contestant(model, "plain", 1, 0.03), 1, tmp_path)
    loop = plain_loop(spec, CPU)
    ticket = from_store(Store(tmp_path), Plan.of(spec).entries[0].start.key)
    assert ticket.mask.density == pytest.approx(0.03, rel=1e-3)
    weights = dict(loop.model.named_parameters())
    assert all(torch.equal(weights[name], ticket.weights[name]) for name in weights)

    loop.train(1)
    for name, mask in ticket.mask.items():
        assert bool((weights[name][~mask] == 0).all()), name
        assert not torch.equal(weights[name], ticket.weights[name]), name
