"""Energy and carbon dioxide of a training, from power and time. Imports no torch.

With P the mean power of a fit in watts and t its wall time in seconds, E [kWh] = P / 1000 * t / 3600 * PUE and CO2 [kg] = E * CI. PUE,
the power usage effectiveness, is what a data centre draws for every unit that computes, CI the carbon intensity of the grid in kg/kWh. P
is measured while the fit runs, by codecarbon without network (``hardware.energy=true``): of this process on the CPU, of its memory, and of
the GPUs that it sees; where the machine counts no energy, codecarbon itself estimates power from the processor's load. Or P is what the
request says of the device (``hardware.watts``): the result is then marked as estimated, and a saving in energy is one in time alone.
"""

from __future__ import annotations

import logging
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from importlib.util import find_spec
from typing import Any

from lotto.errors import BadRequest
from lotto.fields import flag, not_negative, positive

_WATTS_IN_KW, _SECONDS_IN_HOUR = 1000, 3600
MEASURED, ESTIMATED = "measured", "estimated"
# Of a country codecarbon needs one for its own estimate of emissions, which is not looked at.
_ANY_COUNTRY = "USA"


@dataclass(frozen=True)
class EnergySpec:
    """What is measured, and how power becomes energy and carbon dioxide. Changes no number but these.

    Args:
        measured: whether power is measured while networks are trained.
        watts: the device's power where it is not measured; None for no estimate.
        pue: power usage effectiveness, 1 or more.
        carbon_intensity: kg of CO2 for a kWh.
    """

    measured: bool = False
    watts: float | None = None
    pue: float = 1.0
    carbon_intensity: float = 0.432  # of older calculators of emissions from machine learning, as far as we remember

    @classmethod
    def taken_from(cls, hardware: dict[str, Any]) -> EnergySpec:
        """Take its settings out of the ``hardware`` section.

        Raises:
            BadRequest: one is out of its range.
        """
        own = cls()
        watts = hardware.pop("watts", None)
        made = cls(
            measured=flag("hardware.energy", hardware.pop("energy", own.measured)),
            watts=None if watts is None else positive("hardware.watts", watts),
            pue=positive("hardware.pue", hardware.pop("pue", own.pue)),
            carbon_intensity=not_negative(
                "hardware.carbon_intensity", hardware.pop("carbon_intensity", own.carbon_intensity)
            ),
        )
        if made.pue < 1:
            raise BadRequest(f"hardware.pue={made.pue:g} is below 1: all that computes is drawn at least once.")
        return made

    def check(self) -> None:
        """Raises BadRequest if power is to be measured and there is nothing to measure it with."""
        if self.measured and find_spec("codecarbon") is None:
            raise BadRequest(
                "hardware.energy=true measures with codecarbon, which is not installed: pip install 'lotto[energy]', or give "
                "hardware.watts=… for an estimate."
            )

    def of_fit(self, record: Mapping[str, Any]) -> dict[str, Any]:
        """Energy and carbon dioxide of the fit that a record is about, and how they are known; nothing where they are not."""
        watts = record.get("watts")
        how = MEASURED if watts is not None else ESTIMATED
        watts = self.watts if watts is None else watts
        seconds = record["result"].get("wall_seconds")
        if watts is None or seconds is None:  # what is not trained takes no time that is noted
            return {}
        energy = energy_kwh(watts, seconds, self.pue)
        return {"energy_kwh": energy, "co2_kg": energy * self.carbon_intensity, "energy_from": how}


def energy_kwh(watts: float, seconds: float, pue: float = 1.0) -> float:
    """Of a device that draws ``watts`` for so long, and of what it takes to run it."""
    return watts / _WATTS_IN_KW * seconds / _SECONDS_IN_HOUR * pue


def mean_watts(kwh: float, seconds: float) -> float | None:
    """The power behind an energy; None if there was no time to measure it in."""
    return kwh * _WATTS_IN_KW * _SECONDS_IN_HOUR / seconds if seconds > 0 and kwh > 0 else None


class Power:
    """Mean power of what ran in ``measuring``.

    Attributes:
        watts: None until it has ended, where it was not measured, and where it was over too soon to be.
    """

    watts: float | None = None


@contextmanager
def measuring(wanted: bool) -> Iterator[Power]:
    """Measure the mean power of what runs inside, if that is ``wanted``. Asks no network and writes no file."""
    power = Power()
    if not wanted:
        yield power
        return
    logging.getLogger("codecarbon").setLevel(logging.CRITICAL)  # it speaks before it has read its own log_level
    from codecarbon import OfflineEmissionsTracker

    tracker = OfflineEmissionsTracker(
        country_iso_code=_ANY_COUNTRY,
        tracking_mode="process",
        save_to_file=False,
        allow_multiple_runs=True,  # jobs of a sweep share a machine
        log_level="critical",
    )
    tracker.start()
    try:
        yield power
    finally:
        tracker.stop()
        found = tracker.final_emissions_data
        power.watts = mean_watts(found.energy_consumed, found.duration)
