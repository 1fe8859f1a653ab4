from __future__ import annotations

import io
import json

import pytest

from lotto.bench.bench_json import as_json
from lotto.bench.results import BenchResults
from lotto.bench.tables import print_results
from tests.bench.bench_examples import results


def printed(found: BenchResults) -> str:
    """The table, with hyphens for the dashes that stand between two numbers."""
    stream = io.StringIO()
    print_results(found, stream)
    return stream.getvalue().replace("\N{EN DASH}", "-")


def test_a_row_says_all_of_a_contestant() -> None:
    lines = [line.split() for line in printed(results()).splitlines()]

    assert ["plain", "loop", "1", "100%", "100", "1,000", "(500-2,000)", "-", "300", "plain"] in lines
    assert ["lotto", "1", "100%", "100", "900", "(550-2,000)", "1.00", "(0.90-1.10)", "300", "alone"] in lines
    assert ["plain", "loop", "1", "3%", "100", "800", "(400-1,600)", "-", "-", "plain"] in lines
    assert ["lotto", "5", "3%", "100", "6,000", "(3,500-10,000)", "7.50", "(6.25-8.75)", "300", "alone"] in lines
    assert ["lotto+eval", "5", "100%", "100", "1,500", "(750-3,000)", "-", "300", "alone"] in lines


def test_what_follows_stands_below() -> None:
    text = " ".join(printed(results()).split())

    assert "lotto at 3% density ÷ lotto at 100%: 1.20 (1.09-1.33) with 1 replicate, 3.00 (2.50-3.50) with 5" in text
    assert "5,000 examples evaluated every 100 steps" in text and "0.75 (0.75-0.75) of the speed without" in text
    assert "Process start to first training step: 5.0 s (4.5-6.0), n = 3" in text
    assert "of 3 rounds" in text
    assert "A Processor, 2 cores, 2 threads; GPU: none used; trained on cpu, precision 32" in text
    assert "lotto 0.1.0, torch 2.11.0" in text


def test_a_slow_step_has_digits_too() -> None:
    assert "9.00 (5.50-20.0)" in printed(results(0.01))


def test_no_word_of_a_start_that_was_not_measured() -> None:
    assert "Process start" not in printed(results(start=()))


@pytest.mark.parametrize("scale", [0.01, 1.0, 100.0])
def test_plain_text_of_at_most_100_columns(scale: float) -> None:
    text = printed(results(scale))

    assert "\x1b" not in text and "…" not in text
    assert max(map(len, text.splitlines())) <= 100


def test_json_holds_every_round_and_what_they_come_to() -> None:
    made = json.loads(json.dumps(as_json(results()), allow_nan=False))

    assert made["command"] == "lotto bench bench.models=lenet"
    assert made["settings"]["rounds"] == 3 and made["settings"]["folder"] == "outputs/bench"
    assert made["machine"]["threads"] == 2 and made["machine"]["versions"]["torch"] == "2.11.0"
    assert made["start_to_first_step"] == {"median": 5.0, "least": 4.5, "most": 6.0, "seconds": [5.0, 4.5, 6.0]}
    lenet = made["models"]["lenet"]
    sparse = lenet["rows"][5]
    assert (sparse["loop"], sparse["replicates"], sparse["density"], sparse["steps"]) == ("lotto", 5, 0.03, 100)
    assert [row["replicate_steps_per_second"] for row in sparse["rounds"]] == pytest.approx([6000, 10000, 3500])
    assert [row["seconds"] for row in sparse["rounds"]] == pytest.approx([500 / 6000, 500 / 10000, 500 / 3500])
    assert [row["engine"] for row in sparse["rounds"]] == ["alone"] * 3
    assert sparse["to_plain"] == pytest.approx({"median": 7.5, "least": 6.25, "most": 8.75})
    assert lenet["sparse_to_dense"]["5"] == pytest.approx({"median": 3.0, "least": 2.5, "most": 3.5})
    assert lenet["rows"][3]["peak_memory_bytes"] is None
    assert lenet["rows"][6]["evaluation"] == {"examples": 5000, "every": 100}
    assert lenet["with_evaluation"]["median"] == pytest.approx(0.75)


def test_json_of_what_was_not_measured_is_null() -> None:
    assert as_json(results(start=()))["start_to_first_step"] is None
