"""Energy by hand, its units everywhere the same, and runs with and without a meter."""

from __future__ import annotations

import sys
import time
from pathlib import Path
from types import ModuleType, SimpleNamespace
from typing import Any

import pytest

from lotto.compose import composed, read_spec
from lotto.energy import EnergySpec, energy_kwh, mean_watts, measuring
from lotto.errors import BadRequest
from lotto.plan import Plan
from tests.e2e import TINY, Shell, results

SHORT = (*TINY, "train.steps=15it", "schedule.levels=2", "hydra.run.dir=run")


@pytest.fixture
def lotto(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capfd: pytest.CaptureFixture[str]) -> Shell:
    return Shell(tmp_path, monkeypatch, capfd)


def record(seconds: float, watts: float | None = None) -> dict[str, Any]:
    return {"result": {"wall_seconds": seconds}} | ({} if watts is None else {"watts": watts})


def test_energy_by_hand() -> None:
    assert energy_kwh(250, 3600) == 0.25
    assert energy_kwh(100, 1800, pue=1.5) == pytest.approx(0.075)
    assert mean_watts(0.25, 3600) == 250
    assert mean_watts(energy_kwh(83, 12.5), 12.5) == pytest.approx(83)


def test_nothing_is_made_of_no_time() -> None:
    assert mean_watts(0.0, 0.0) is None
    assert mean_watts(1e-9, 0.0) is None
    assert mean_watts(0.0, 2.0) is None, "a meter that had no time to read"
    assert EnergySpec(watts=100).of_fit(record(0.0)) == {"energy_kwh": 0.0, "co2_kg": 0.0, "energy_from": "estimated"}


def test_half_the_time_is_half_the_carbon_dioxide() -> None:
    spec = EnergySpec(watts=65, pue=1.2, carbon_intensity=0.3)
    whole, half = spec.of_fit(record(100)), spec.of_fit(record(50))
    assert whole["co2_kg"] == pytest.approx(65 / 1000 * 100 / 3600 * 1.2 * 0.3)
    assert half["co2_kg"] == pytest.approx(whole["co2_kg"] / 2)
    # With constant power a speed-up of s saves 1 - 1/s (the papers' own columns of CO2 agree with that).
    for speed_up in (1.1, 1.57, 2.03):
        saved = 1 - spec.of_fit(record(100 / speed_up))["co2_kg"] / whole["co2_kg"]
        assert saved == pytest.approx(1 - 1 / speed_up)


def test_what_was_measured_goes_before_what_is_assumed() -> None:
    spec = EnergySpec(watts=65)
    assert spec.of_fit(record(3600, watts=100)) == {
        "energy_kwh": 0.1,
        "co2_kg": pytest.approx(0.0432),
        "energy_from": "measured",
    }
    assert EnergySpec().of_fit(record(3600)) == {}
    assert spec.of_fit({"result": {}}) == {}, "what is not trained"


@pytest.mark.parametrize(
    ("override", "sentence"),
    [
        ("hardware.energy=2", "hardware.energy=2 is neither true nor false"),
        ("hardware.watts=0", "hardware.watts=0 must be greater than 0"),
        ("hardware.pue=0.9", r"hardware.pue=0.9 is below 1"),
        ("hardware.carbon_intensity=-1", "hardware.carbon_intensity=-1 must not be negative"),
    ],
)
def test_settings_out_of_their_range(override: str, sentence: str) -> None:
    with pytest.raises(BadRequest, match=sentence):
        read_spec(composed([override]))


def test_no_key_depends_on_it() -> None:
    settings = ["hardware.energy=true", "hardware.watts=50", "hardware.pue=1.3", "hardware.carbon_intensity=0.1"]
    plain, measured = (Plan.of(read_spec(composed([*TINY, *more]))) for more in ([], settings))
    assert plain.stages.keys() == measured.stages.keys()


class Meter:
    """Stands for codecarbon's tracker: 36 J in the time that it says."""

    seconds = 2.0
    given: dict[str, Any] = {}  # noqa: RUF012 - what the last one was made with

    def __init__(self, **given: Any) -> None:
        type(self).given = given

    def start(self) -> None: ...

    def stop(self) -> None:
        self.final_emissions_data = SimpleNamespace(energy_consumed=1e-5, duration=self.seconds)


@pytest.fixture
def meter(monkeypatch: pytest.MonkeyPatch) -> type[Meter]:
    module = ModuleType("codecarbon")
    module.OfflineEmissionsTracker = Meter  # type: ignore[attr-defined]
    module.__spec__ = SimpleNamespace()  # type: ignore[assignment]
    monkeypatch.setitem(sys.modules, "codecarbon", module)
    return Meter


def test_the_meter_says_mean_power_also_of_what_fails(meter: type[Meter], monkeypatch: pytest.MonkeyPatch) -> None:
    with measuring(True) as power:
        assert power.watts is None
    assert power.watts == pytest.approx(18)
    assert meter.given["save_to_file"] is False
    with pytest.raises(KeyError), measuring(True) as power:
        raise KeyError
    assert power.watts == pytest.approx(18)
    monkeypatch.setattr(meter, "seconds", 0.0)
    with measuring(True) as power:
        pass
    assert power.watts is None
    with measuring(False) as power:
        pass
    assert power.watts is None


@pytest.mark.usefixtures("meter", "without_figures")
def test_a_run_that_measures_says_so_in_its_table_and_report(lotto: Shell, tmp_path: Path) -> None:
    said = lotto(*SHORT, "hardware.energy=true", "hardware.pue=1.5", "hardware.carbon_intensity=0.2", "logger=csv")
    assert said.status == 0, said.err
    rows = results(tmp_path / "run")
    for row in rows:
        energy = 18 / 1000 * float(row["wall_seconds"]) / 3600 * 1.5
        assert float(row["energy_kwh"]) == pytest.approx(energy)
        assert float(row["co2_kg"]) == pytest.approx(0.2 * energy)
        assert row["energy_from"] == "measured"
    mirrored = "".join(path.read_text() for path in (tmp_path / "run" / "scalars").glob("*.csv"))
    assert f",{rows[0]['energy_kwh']}" in mirrored, "the same numbers in the same unit"
    report = (tmp_path / "run" / "report.md").read_text()
    assert "fits, measured; PUE 1.5, 0.2 kg of CO2 for a kWh" in report
    assert "energy of the fits, measured" in (tmp_path / "run" / "report.html").read_text()
    # What is stored was measured, whoever asks later.
    again = lotto(*SHORT, "hardware.watts=1000", "seed=0")
    assert {row["energy_from"] for row in results(tmp_path / "run")} == {"measured"}, again.err
    assert "0 training steps run" in again.out


@pytest.mark.usefixtures("without_figures")
def test_a_run_that_does_not_measure_may_estimate(lotto: Shell, tmp_path: Path) -> None:
    assert lotto(*SHORT).status == 0
    assert "energy_kwh" not in results(tmp_path / "run")[0]
    assert lotto(*SHORT, "hardware.watts=1000").status == 0
    for row in results(tmp_path / "run"):
        assert float(row["energy_kwh"]) == pytest.approx(float(row["wall_seconds"]) / 3600)
        assert row["energy_from"] == "estimated"
    assert "fits, estimated; PUE 1, 0.432 kg" in (tmp_path / "run" / "report.md").read_text()


def test_without_codecarbon_a_sentence_says_what_to_install(lotto: Shell, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("lotto.energy.find_spec", lambda name: None)
    said = lotto(*SHORT, "hardware.energy=true")
    assert said.status == 2
    assert "pip install 'lotto[energy]'" in said.err


def test_codecarbon_itself_measures_without_network_and_files(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    pytest.importorskip("codecarbon")

    def refuse(*given: object, **named: object) -> None:
        raise AssertionError("the network was asked")

    monkeypatch.setattr("socket.socket.connect", refuse)
    monkeypatch.chdir(tmp_path)
    with measuring(True) as power:
        ending = time.monotonic() + 0.3
        while time.monotonic() < ending:
            sum(range(10_000))
    assert power.watts is not None and 0 < power.watts < 10_000
    assert not list(tmp_path.iterdir())
