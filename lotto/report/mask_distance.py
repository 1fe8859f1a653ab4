"""The masks of an Early-Bird search epoch by epoch: how far any two lie apart, and when they had settled."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import matplotlib as mpl
import numpy as np
import pandas as pd
from matplotlib.figure import Figure

from lotto.early_bird.distance import by_chance
from lotto.early_bird.moment import FOUND, ratio_name
from lotto.report.beside import Exhibit
from lotto.report.figures import INK, STYLE
from lotto.store import TENSORS, Store

if TYPE_CHECKING:
    from numpy.typing import NDArray

PANEL, TRACES = 1.9, 1.5  # inches: side of a map, height of the lines below it
BOUNDS = (0.0, 0.01, 0.02, 0.05, 0.1, 0.15, 0.2, 0.3, 0.4, 0.5, 1.0)
"""Distances at which a map changes its colour; the usual epsilon is one of them."""


@dataclass(frozen=True)
class Searched:
    """One ticket's search.

    Args:
        masks: before every epoch, uint8 ``[epochs, C]``.
        found: the epoch before which they had settled, None if they had not.
        removes: what the ticket lacks, ``channels`` or ``weights``.
        of: what the masks are over.
        warning: what is to be told of the ticket, if anything.
    """

    level: int
    replicate: int
    ratio: float
    masks: NDArray[np.uint8]
    found: int | None
    epsilon: float
    num_masks: int
    removes: str
    of: str
    warning: str

    def distances(self) -> NDArray[np.float64]:
        """Of every two epochs, ``[epochs, epochs]``."""
        kept = self.masks.astype(np.float64)
        apart = kept @ (1 - kept).T
        return (apart + apart.T) / self.masks.shape[1]

    def trace(self) -> NDArray[np.float64]:
        """Before every epoch the largest distance to the masks in the queue; NaN until it is full."""
        between, older = self.distances(), self.num_masks - 1
        worst = [between[e, e - older : e].max() if e >= older else np.nan for e in range(len(between))]
        return np.array(worst)


def searches(table: pd.DataFrame, store: Store) -> list[Searched]:
    """The searches behind the tickets of a table, by level and replicate; those that are no longer stored are left out."""
    found = []
    tickets = table[table["branch"] == "ticket"].sort_values(["level", "replicate"])
    for key, level, replicate in zip(tickets["key"], tickets["level"], tickets["replicate"], strict=True):
        record = _record(store, str(key))
        start = _record(store, record["parents"].get("start")) if record else None
        if start is None or start["kind"] != "draw" or start["fields"]["step"] is not None:
            continue
        source = _record(store, start["parents"]["source"])
        if source is not None:
            found.append(_searched(store, int(level), int(replicate), start, source))
    return found


def mask_distance_exhibit(table: pd.DataFrame, store: Store) -> Exhibit | None:
    """What a report shows of them; None where nothing was searched for."""
    found = searches(table, store)
    if not found:
        return None
    return Exhibit("mask_distance", "Masks", "Channel masks epoch by epoch", _sentences(found), draw(found))


def draw(found: Sequence[Searched]) -> Figure:
    """For every ratio the map of the first replicate's distances, and below it the largest distance in the queue of all of them."""
    levels = sorted({one.level for one in found})
    with mpl.rc_context(STYLE):
        figure = Figure(figsize=(PANEL * len(levels) + 0.8, PANEL + TRACES), layout="constrained")
        axes = figure.subplots(2, len(levels), squeeze=False, height_ratios=[PANEL, TRACES], sharex="col")
        colours = mpl.colormaps["viridis"].resampled(len(BOUNDS) - 1)
        norm = mpl.colors.BoundaryNorm(BOUNDS, colours.N)
        filled = None
        for place, level in enumerate(levels):
            own = [one for one in found if one.level == level]
            top, below = axes[0, place], axes[1, place]
            top.set_title(f"p = {own[0].ratio:g}, replicate {own[0].replicate}", fontsize=8)
            if len(own[0].masks) > 1:
                filled = top.contourf(own[0].distances(), levels=BOUNDS, cmap=colours, norm=norm)
            if own[0].found is not None:
                top.axvline(own[0].found, color="white", linewidth=0.8, linestyle=":")
                top.axhline(own[0].found, color="white", linewidth=0.8, linestyle=":")
            for one in own:
                below.plot(one.trace(), linewidth=0.9)
                if one.found is not None:
                    below.plot(one.found, one.trace()[one.found], marker="o", color=INK)
            below.axhline(own[0].epsilon, color=INK, linestyle="--", linewidth=0.8)
            below.set_ylim(bottom=0)
            below.set_xlabel("epoch")
        axes[0, 0].set_ylabel("epoch")
        axes[1, 0].set_ylabel("largest distance\nin the queue")
        if filled is not None:
            figure.colorbar(filled, ax=axes[0, :].tolist(), label="distance", ticks=BOUNDS[::2])
    return figure


def _sentences(found: Sequence[Searched]) -> tuple[str, ...]:
    made = []
    for level in sorted({one.level for one in found}):
        own = [one for one in found if one.level == level]
        ratio = own[0].ratio
        settled = ", ".join(f"{one.found} (replicate {one.replicate})" for one in own if one.found is not None)
        lost = [one for one in own if one.found is None]
        text = f"Level {level}, {100 * ratio:g}% of the {own[0].removes} removed: "
        text += f"the masks had settled before epoch {settled}" if settled else "the masks never settled"
        if lost:
            where = f"; in replicate {', '.join(str(one.replicate) for one in lost)} they never did" if settled else ""
            text += (
                f"{where}, and the ticket is that of the end of the search, epoch {max(len(one.masks) for one in lost)}"
            )
        made.append(f"{text}. Random masks of this ratio differ in {100 * by_chance(ratio):.0f}%.")
        made += [f"Replicate {one.replicate}: {one.warning}" for one in own if one.warning]
    first = found[0]
    note = (
        f"A mask has settled where it differs from each of the {first.num_masks - 1} before it in at most {100 * first.epsilon:g}% of the "
        f"{first.of} (dashed). Maps: the distance of the masks of any two epochs, dotted where the ticket was drawn."
    )
    return (*made, note)


def _searched(
    store: Store, level: int, replicate: int, start: Mapping[str, Any], source: Mapping[str, Any]
) -> Searched:
    from safetensors import safe_open

    ratio = float(start["fields"]["ratio"])
    with safe_open(store.folder(source["key"]) / TENSORS, framework="numpy") as file:
        masks = file.get_tensor(f"{FOUND}{ratio_name(ratio)}/masks")
    regimen = source["fields"]["regimen"]
    return Searched(
        level,
        replicate,
        ratio,
        masks,
        start["result"]["found_epoch"],
        regimen["epsilon"],
        regimen["num_masks"],
        start["fields"]["removes"],
        "query and key weights" if regimen["_target_"].endswith("WormAttention") else "channels",
        start["result"].get("warning", ""),
    )


def _record(store: Store, key: str | None) -> Mapping[str, Any] | None:
    return store.record(key) if key and store.has(key) else None
