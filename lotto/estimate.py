"""The line of ``lotto plan`` that says how long the stages still to run will take here. Imports no torch if that is known already."""

from __future__ import annotations

import hashlib
import json
import os
import platform
import time
from collections.abc import Mapping, Sequence
from contextlib import suppress
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

from lotto.errors import LottoError
from lotto.plan import Plan
from lotto.report.aside import write_aside
from lotto.spec import Spec
from lotto.stage import Stage, canonical
from lotto.store import Store
from lotto.versions import versions


@dataclass(frozen=True)
class Span:
    """Seconds, and between what they lie as far as the machine varied while it was timed."""

    seconds: float
    low: float
    high: float

    def __add__(self, other: Span) -> Span:
        return Span(self.seconds + other.seconds, self.low + other.low, self.high + other.high)


@dataclass(frozen=True)
class Part:
    """What one engine trains."""

    engine: str
    levels: tuple[int, ...]
    seconds: float


@dataclass(frozen=True)
class Estimate:
    """How long a plan will take.

    Args:
        device: in words.
        calibrated: seconds that were spent on measuring.
    """

    whole: Span
    parts: tuple[Part, ...]
    device: str
    calibrated: float


def estimate_line(spec: Spec, plan: Plan, store: Store) -> str | None:
    """How long the training to run will take here, or why that is not known; None if there is nothing to train."""
    missing = plan.missing(store.has, store.record)
    if not plan.steps(list(missing.values())):
        return None
    if spec.hardware.devices != 1:
        return "no estimate: how fast several hardware.devices share a batch is not timed beforehand"
    try:
        return _known(spec, missing, store) or _timed(spec, plan, missing, store)
    except LottoError as reason:
        return f"no estimate: {reason}"
    except Exception as reason:
        # Whatever a network of the user's does when it is tried out: the plan is still good.
        return f"no estimate: {type(reason).__name__}: {next(iter(str(reason).splitlines()), 'no message')}"


def _known(spec: Spec, missing: Mapping[str, Stage], store: Store) -> str | None:
    found = Notes(store).find(_name(spec, missing))
    return sentence(_read(found["estimate"]), f"calibrated {found['noted']}") if found else None


def _timed(spec: Spec, plan: Plan, missing: Mapping[str, Stage], store: Store) -> str:
    from lotto.ahead import timed

    made = timed(spec, plan, missing, store)
    Notes(store).keep(_name(spec, missing), {"estimate": asdict(made)})
    return sentence(made, f"calibrated in {made.calibrated:.0f} s" if made.calibrated else "calibrated before")


def _name(spec: Spec, missing: Mapping[str, Stage]) -> dict[str, Any]:
    """All that decides an estimate."""
    return {"missing": _digest(list(missing)), "engine": spec.engine, **machine(spec)}


def _read(noted: Mapping[str, Any]) -> Estimate:
    parts = tuple(Part(part["engine"], tuple(part["levels"]), part["seconds"]) for part in noted["parts"])
    return Estimate(Span(**noted["whole"]), parts, noted["device"], noted["calibrated"])


# -- what is kept ---------------------------------------------------------------------------------------------------------------------


class Notes:
    """What was measured and what it came to, in ``<store>/calibration``, which may be removed to have it measured anew."""

    def __init__(self, store: Store) -> None:
        self._folder = store.root / "calibration"

    def find(self, name: Mapping[str, Any]) -> dict[str, Any] | None:
        """What is noted under ``name``, the JSON-able mapping of all that decides it."""
        try:
            note = json.loads(self._path(name).read_text())
        except (OSError, ValueError):
            return None
        return note if isinstance(note, dict) else None

    def keep(self, name: Mapping[str, Any], note: Mapping[str, Any]) -> None:
        """Note it, with the day; a store that cannot be written to is no reason to give no estimate."""
        whole = {**note, "of": name, "noted": time.strftime("%Y-%m-%d %H:%M")}
        with suppress(OSError):
            write_aside(self._path(name), json.dumps(whole, indent=1, sort_keys=True).encode())

    def _path(self, name: Mapping[str, Any]) -> Path:
        return self._folder / f"{_digest(name)}.json"


def _digest(value: Any) -> str:
    return hashlib.sha256(canonical(value).encode()).hexdigest()[:40]


def machine(spec: Spec) -> dict[str, Any]:
    """What decides how fast this machine computes for ``spec``, as far as it is known without PyTorch."""
    return {
        "node": platform.node(),
        "cpu": _cpu(),
        "cores": len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count(),
        "gpus": sorted(path.name for path in Path("/dev").glob("nvidia[0-9]*")),
        "environment": {name: os.environ.get(name) for name in _ENVIRONMENT},
        "hardware": {
            name: value for name, value in vars(spec.hardware).items() if name not in ("checkpoint_every", "energy")
        },
        "versions": versions(),
    }


_ENVIRONMENT = ("OMP_NUM_THREADS", "MKL_NUM_THREADS", "OMP_WAIT_POLICY", "GOMP_SPINCOUNT", "CUDA_VISIBLE_DEVICES")


def _cpu() -> str:
    with suppress(OSError):
        for line in Path("/proc/cpuinfo").read_text().splitlines():
            if line.startswith("model name"):
                return line.partition(":")[2].strip()
    return platform.processor()


# -- words ----------------------------------------------------------------------------------------------------------------------------


def sentence(made: Estimate, calibrated: str) -> str:
    """``about 58 min (55 min to 62 min) on 2 CPU cores, calibrated in 12 s: levels 0–7 stacked 30 min, levels 8–27 sparse 28 min``"""
    low, high = duration(made.whole.low), duration(made.whole.high)
    between = f" ({low} to {high})" if low != high else ""
    parts = ", ".join(f"{levels(part.levels)} {part.engine} {duration(part.seconds)}" for part in made.parts)
    return f"about {duration(made.whole.seconds)}{between} on {made.device}, {calibrated}: {parts}"


def duration(seconds: float) -> str:
    """A time as exact as an estimate is: ``40 s``, ``6.5 min``, ``58 min``, ``2.4 hours``."""
    if round(seconds) < 120:
        return f"{seconds:.0f} s"
    number, unit = (seconds / 60, "min") if seconds < 119.5 * 60 else (seconds / 3600, "hours")
    return f"{number:.{int(number < 9.95)}f} {unit}"


def levels(some: Sequence[int]) -> str:
    """``level 3``, ``levels 0–7``, ``levels 0–2 and 5``"""
    runs: list[list[int]] = []
    for level in some:
        if runs and level == runs[-1][-1] + 1:
            runs[-1].append(level)
        else:
            runs.append([level])
    words = [str(run[0]) if len(run) == 1 else f"{run[0]}\u2013{run[-1]}" for run in runs]
    return f"level{'s' if len(some) > 1 else ''} {' and '.join(words)}"
