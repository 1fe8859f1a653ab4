"""``bench.json``: every number of every round, beside what they come to and what they were measured on."""

from __future__ import annotations

from dataclasses import asdict
from typing import Any

from lotto.bench.results import BenchResults
from lotto.bench.rounds import Measured
from lotto.bench.summary import Block, Spread, peak_memory, rate


def as_json(results: BenchResults) -> dict[str, Any]:
    """Plain values; null stands for what was not or could not be measured."""
    return {
        "command": results.command,
        "settings": {**asdict(results.settings), "folder": str(results.settings.folder)},
        "machine": results.machine,
        "models": {block.model: _block(block) for block in results.blocks},
        "start_to_first_step": _start(results.start),
    }


def _block(block: Block) -> dict[str, Any]:
    return {
        "rows": [_row(block, measured) for measured in block.rows],
        "sparse_to_dense": {str(replicates): asdict(spread) for replicates, spread in block.sparse_to_dense.items()},
        "with_evaluation": _spread(block.with_evaluation),
    }


def _row(block: Block, measured: Measured) -> dict[str, Any]:
    who = measured.contestant
    return {
        "loop": who.loop,
        "replicates": who.replicates,
        "density": who.density,
        "evaluation": asdict(who.evaluation) if who.evaluation else None,
        "steps": measured.steps,
        "replicate_steps_per_second": asdict(rate(measured)),
        "to_plain": _spread(block.to_plain(measured)),
        "peak_memory_bytes": peak_memory(measured),
        "rounds": [
            {
                "seconds": measurement.seconds,
                "seconds_to_first_step": measurement.first_step,
                "replicate_steps_per_second": measurement.rate,
                "peak_memory_bytes": measurement.peak_memory,
                "engine": measurement.engine,
                "device": measurement.device,
            }
            for measurement in measured.rounds
        ],
    }


def _start(seconds: tuple[float, ...]) -> dict[str, Any] | None:
    return {**asdict(Spread.of(seconds)), "seconds": list(seconds)} if seconds else None


def _spread(spread: Spread | None) -> dict[str, float] | None:
    return None if spread is None else asdict(spread)
