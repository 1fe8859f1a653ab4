"""The results table: a pure function of the plan and the store."""

from __future__ import annotations

import math
from collections.abc import Collection
from typing import TYPE_CHECKING, Any

from lotto.early_bird.columns import whole_numbers, with_drawn
from lotto.entry import Entry
from lotto.flops import Flops, examples, network_flops
from lotto.passes import STATIC, Passes
from lotto.plan import Plan
from lotto.rounds import rounds_columns
from lotto.slimmed import slimmed_columns
from lotto.sparsity import network_weights
from lotto.spec import Spec
from lotto.store import Store

if TYPE_CHECKING:
    import pandas as pd


def results_table(spec: Spec, plan: Plan, store: Store, cached: Collection[str]) -> pd.DataFrame:
    """One row for every ticket of ``plan`` that is stored, level by level, with the contract's columns and a few more.

    Args:
        cached: keys that were stored before this run began.
    """
    import pandas as pd

    # A method may have branches of its own besides the request's controls.
    branches = ["ticket", *(control.name for control in spec.controls), *(entry.branch for entry in plan.entries)]
    order = {name: place for place, name in enumerate(dict.fromkeys(branches))}
    entries = sorted(plan.entries, key=lambda entry: (entry.level, order[entry.branch], entry.replicate, entry.sample))
    stored = [entry for entry in entries if store.has(entry.trained.key)]
    flops = network_flops(spec, store) if stored else None
    rows = [
        result_row(spec, entry, store.record(entry.trained.key), cached)
        | _of_the_weights(spec, entry, store, flops)
        | _numbers(entry, store)
        | rounds_columns(spec, entry, store)
        | slimmed_columns(spec, entry, store)
        for entry in stored
    ]
    return whole_numbers(pd.DataFrame(with_drawn(spec, stored, rows, store, flops)))


def _numbers(entry: Entry, store: Store) -> dict[str, Any]:
    """Columns that a kind of stage fills for itself: of how a ticket was found, of what the row started from, and of its end."""
    stages = [stage for stage in (entry.noted, entry.start, entry.trained) if stage is not None]
    found = [store.record(stage.key)["result"] for stage in stages if store.has(stage.key)]
    return {name: value for result in found for name, value in result.get("numbers", {}).items()}


def _of_the_weights(spec: Spec, entry: Entry, store: Store, flops: Flops | None) -> dict[str, float | None]:
    """FLOPs of the forward pass of one example, and of the whole fit; and how sparse the network is, counted in other ways."""
    # An imported ticket's start may be gone, or be a network of weights alone.
    result = store.record(entry.trained.key)["result"]
    own = result.get("layers")  # of a mask that training moved
    kept = own or (store.record(entry.start.key)["result"].get("layers", {}) if store.has(entry.start.key) else None)
    if flops is None or (kept is None and entry.level > 0):
        unknown = ("flops_inference", "flops_training", "sparsity_pruned", "sparsity_weights")
        return dict.fromkeys(unknown)
    inference = flops.inference(kept or {})
    first, stop = entry.trained.fields.get("start", 0), entry.trained.fields.get("stop", 0)
    if found := entry.trained.parents.get("found"):
        first = store.record(found.key)["result"]["found_step"]
    passes = Passes(**result["passes"]) if "passes" in result else STATIC
    # Where density changes in training, what counts is the mean over its steps.
    mean = flops.inference(result["mean_layers"]) if "mean_layers" in result else inference
    trained = passes.flops(mean, flops.inference({})) * examples(spec, first, stop)
    sparsities = network_weights(spec, store).sparsities(kept or {}, spec.rule)
    return {"flops_inference": inference, "flops_training": trained, **sparsities}


def result_row(spec: Spec, entry: Entry, record: dict[str, Any], cached: Collection[str] = ()) -> dict[str, Any]:
    """The row of one ticket, from the record of its trained artifact."""
    result = record["result"]
    return {
        "experiment": spec.name,
        "method": spec.method_name,
        "criterion": spec.criterion_name,
        "branch": entry.branch,
        "replicate": entry.replicate,
        "level": entry.level,
        "density": result["weights_remaining"] / result["weights_total"],
        "weights_remaining": result["weights_remaining"],
        "weights_total": result["weights_total"],
        "early_stop_step": result.get("early_stop_step"),
        "val_loss_min": result.get("val_loss_min"),
        "test_accuracy_early_stop": result.get("test_accuracy_early_stop"),
        "test_accuracy": result.get("test_accuracy", math.nan),
        "train_steps": result["train_steps"],
        "wall_seconds": result.get("wall_seconds", math.nan),
        "cached": entry.trained.key in cached,
        "key": entry.trained.key,
        "sample": entry.sample,
        "val_accuracy": result.get("val_accuracy"),
        "engine": record.get("engine", ""),
        **spec.hardware.energy.of_fit(record),
    }
