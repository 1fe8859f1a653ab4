"""One page for several runs, points of sweeps or tickets: the same figures, a line for every run and branch."""

from __future__ import annotations

import hashlib
from collections.abc import Sequence
from html import escape
from pathlib import Path

import pandas as pd

from lotto.report.beside import NOTHING, Beside
from lotto.report.branches import KNOWN, SPARE, TICKET, in_order
from lotto.report.compared import Compared, differing
from lotto.report.evidence import Evidence
from lotto.report.finding import Finding, find
from lotto.report.measures import ACCURACY, Measure, weights_percent
from lotto.report.page import markup
from lotto.report.page.assets import fingerprint
from lotto.report.page.besides import add_claims, add_probes
from lotto.report.page.cost import cost
from lotto.report.page.costing import cost_cells, cost_header, cost_tiles
from lotto.report.page.density import ACCURACIES, COSTS, EARLY_STOP, density_sets
from lotto.report.page.document import Page
from lotto.report.page.layers import layer_densities
from lotto.report.page.lines import line_id, run_lines
from lotto.report.page.masks import BUDGET, first_layer_masks
from lotto.report.page.profile import learning_curves
from lotto.report.page.provenance import origins
from lotto.report.page.tickets import Named, ticket_layers, ticket_overlaps, ticket_pictures, ticket_table
from lotto.report.summary import level_densities

COMPARED = "lotto-compared"

# Levels of two runs are called alike where their densities differ by less than this share.
_ALIKE = 0.005

_COLOURS = [look.colour for look in (*KNOWN.values(), *SPARE)]


def compare(
    runs: Sequence[Compared],
    tickets: Named = (),
    measure: str = ACCURACY.column,
    beside: Beside = NOTHING,
    title: str | None = None,
) -> str:
    """The page of at least one of ``runs`` or ``tickets``, with the claims ``beside`` them.

    Args:
        title: of the page; what is compared unless said.

    Raises:
        BadRequest: ``measure`` is no accuracy.
    """
    counted = " and ".join(filter(None, (_counted(len(runs), "run"), _counted(len(tickets), "ticket"))))
    page = Page(title or f"{counted} compared", "lotto report", COMPARED, _digest(runs, tickets, beside))
    page.data |= {"lines": [], "runs": [], "levels": {}, "level": 0, "masks": []}
    stored = [Evidence.read(run.table, run.store) for run in runs]
    add_claims(page, beside)
    if runs:
        _runs(page, runs, stored, measure)
    probed = [_named(run.probes, place) for place, run in enumerate(runs) if run.probes is not None]
    add_probes(page, pd.concat(probed, ignore_index=True) if probed else None)
    if tickets:
        _tickets(page, tickets)
    if page.data["masks"]:
        page.add("mask", "Mask", "Masks of the first layer", markup.place("masks"))
    if runs:
        _cost(page, runs, stored)
        _origins(page, runs, stored)
    return page.text()


def _runs(page: Page, runs: Sequence[Compared], stored: Sequence[Evidence], measure: str) -> None:
    tables = {
        line_id(place, branch): run.table[run.table["branch"] == branch]
        for place, run in enumerate(runs)
        for branch in in_order(run.table["branch"])
    }
    page.data |= {
        "lines": run_lines([(run.label, run.table) for run in runs]),
        "runs": [{"name": run.label, "colour": _COLOURS[place % len(_COLOURS)]} for place, run in enumerate(runs)],
        "levels": _levels(runs),
        "level": max(int(run.table["level"].max()) for run in runs),
    }
    page.add("findings", "Findings", "Findings", _findings(runs, measure))
    if different := differing(runs):
        rows = (markup.row([name, *values]) for name, values in different.items())
        content = markup.table("Settings that differ", ["setting", *(run.label for run in runs)], rows, is_named=True)
        page.add("settings", "Settings", "Settings that differ", content)
    first = sorted(ACCURACIES, key=lambda shown: shown.column != measure)
    colours = markup.place("colours") if len(runs) > 1 else ""
    for name, short, title, shown in (
        ("accuracy", "Accuracy", "Accuracy against density", first),
        ("early_stop", "Early stop", "Early stopping against density", EARLY_STOP),
        ("costs", "FLOPs and energy", "FLOPs and energy against density", COSTS),
    ):
        page.data[name] = density_sets(tables, shown)
        if page.data[name]:
            page.add(name.replace("_", "-"), short, title, (colours if name == "accuracy" else "") + markup.place(name))
    page.add("levels", "Densities", "Tickets at every density", _by_density(runs, ACCURACY))
    _insides(page, runs, stored)


def _insides(page: Page, runs: Sequence[Compared], stored: Sequence[Evidence]) -> None:
    """Curves, layers and masks of all runs that are stored."""
    curves, layers = [], []
    for place, (run, evidence) in enumerate(zip(runs, stored, strict=True)):
        curves.append(evidence.curves(run.table, line_id(place, "")))
        if found := layer_densities(run.table, evidence, line_id(place, "")):
            layers.append(found)
        if masks := first_layer_masks(run.table, evidence, BUDGET // len(runs)):
            page.data["masks"].append({"run": run.label, **masks})
    page.data |= {"curves": learning_curves(pd.concat(curves, ignore_index=True)), "layers": layers}
    if page.data["curves"]:
        page.add("curves", "Curves", "Learning curves", markup.place("curves"))
    if layers:
        page.add("layers", "Layers", "Density of each layer", markup.place("layers"))


def _findings(runs: Sequence[Compared], measure: str) -> str:
    """The findings side by side, then each in its own words."""
    found = {run.label: find(run.table, measure) for run in runs}
    rows = (markup.row([label, *_finding(finding)]) for label, finding in found.items())
    header = ["run", "dense %", "smallest ticket that matches", "its accuracy %", "controls"]
    (phrase,) = {finding.measure.phrase for finding in found.values()}
    note = f"{phrase.capitalize()}: mean ± standard deviation (n replicates). Controls: at that level, less the ticket, in points."
    words = markup.terms({label: finding.sentence for label, finding in found.items()})
    return f'{markup.table("Findings", header, rows, is_named=True)}<p class="note">{escape(note)}</p><div class="words">{words}</div>'


def _finding(finding: Finding) -> list[str]:
    """The cells of one finding: what is not known is empty."""
    dense, smallest, shown = finding.dense, finding.smallest, finding.measure
    return [
        "" if dense is None else f"{shown.mean_and_spread(dense.accuracy, finding.dense_sd)} ({dense.n})",
        "none" if smallest is None else f"{weights_percent(smallest.density)}% (level {smallest.level})",
        "" if smallest is None else shown.text(smallest.accuracy),
        "; ".join(f"{name} {shown.difference(found.mean)}" for name, found in finding.controls.items() if found.n),
    ]


def _by_density(runs: Sequence[Compared], measure: Measure) -> str:
    """What the tickets of every run have at each density; densities that round to the same percentage share a row."""
    cells: dict[str, dict[str, str]] = {}
    for run in runs:
        tickets = run.table[(run.table["branch"] == TICKET) & run.table[measure.column].notna()]
        for _, rows in sorted(tickets.groupby("level")):
            values = rows.groupby("replicate")[measure.column].mean()
            text = f"{measure.mean_and_spread(float(values.mean()), float(values.std(ddof=1)))} ({len(values)})"
            cells.setdefault(weights_percent(float(rows["density"].mean())), {})[run.label] = text
    densities = sorted(cells, key=float, reverse=True)
    rows_shown = (markup.row([density, *(cells[density].get(run.label, "") for run in runs)]) for density in densities)
    note = f"{measure.phrase.capitalize()} in percent: mean ± standard deviation (n replicates)."
    grid = markup.table("Tickets at every density", ["density %", *(run.label for run in runs)], rows_shown)
    return f'{grid}<p class="note">{escape(note)}</p>'


def _levels(runs: Sequence[Compared]) -> dict[str, float]:
    """The density of each level, where all runs that have the level agree on it."""
    every = pd.concat([level_densities(run.table) for run in runs])
    spread = every.groupby(level=0).agg(["mean", "min", "max"])
    alike = spread[spread["max"] - spread["min"] <= _ALIKE * spread["mean"]]
    return {str(level): float(mean) for level, mean in alike["mean"].items()}


def _cost(page: Page, runs: Sequence[Compared], stored: Sequence[Evidence]) -> None:
    together = pd.concat([run.table for run in runs], ignore_index=True)
    every = Evidence(runs[0].store, {key: record for evidence in stored for key, record in evidence.trained.items()})
    rows = [
        markup.row([run.label, *cost_cells(cost(run.table, evidence), together)])
        for run, evidence in zip(runs, stored, strict=True)
    ]
    whole = cost(together, every)
    rows.append(markup.row(["all together", *cost_cells(whole, together)], is_marked=True))
    note = "All together, a network that several runs share counts once, as does a fit of networks that were stacked."
    grid = markup.table("Cost", ["run", *cost_header(together)], rows, is_named=True)
    page.add("cost", "Cost", "Cost", f'{cost_tiles(whole)}{grid}<p class="note">{note}</p>')


def _origins(page: Page, runs: Sequence[Compared], stored: Sequence[Evidence]) -> None:
    page.data["origins"] = [
        origins(run.table, evidence, line_id(place, ""))
        for place, (run, evidence) in enumerate(zip(runs, stored, strict=True))
    ]
    commands = "".join(
        f"<h3>{escape(run.label)}</h3>{markup.command(run.command)}"
        f'<p class="note">{escape(str(run.folder))}, store {escape(str(run.store.root))}</p>'
        for run in runs
    )
    page.add("provenance", "Provenance", "Provenance", f"{commands}<h3>One number</h3>{markup.place('origins')}")


def _tickets(page: Page, tickets: Named) -> None:
    page.add("tickets", "Tickets", "Tickets", ticket_table(tickets))
    page.add("ticket-layers", "Ticket layers", "Density of the tickets' layers", ticket_layers(tickets))
    if overlaps := ticket_overlaps(tickets):
        note = (
            "IoU: weights that both keep as a share of those that either keeps. By chance: masks that keep as many weights of every layer, "
            "drawn at random; z: how many standard deviations of that the common weights lie above its mean."
        )
        page.add("overlaps", "Overlaps", "Overlaps", f'{overlaps}<p class="note">{note}</p>')
    page.data["masks"] += ticket_pictures(tickets)


def _counted(count: int, noun: str) -> str:
    return f"{count} {noun}{'s' if count > 1 else ''}" if count else ""


def _named(probes: pd.DataFrame, place: int) -> pd.DataFrame:
    """Rows of probes whose branch is the line of this run."""
    return probes.assign(branch=line_id(place, "") + probes["branch"])


def _digest(runs: Sequence[Compared], tickets: Named, beside: Beside) -> str:
    parts = [
        fingerprint(),
        beside.words(),
        *(key for run in runs for key in run.table["key"]),
        *(str(t.metadata) for _, t in tickets),
    ]
    return hashlib.sha256("\n".join(map(str, parts)).encode()).hexdigest()


def page_folder(paths: Sequence[Path]) -> Path:
    """Where the comparison of these folders is written: the same for the same folders, in whatever order."""
    names = sorted(str(path.resolve()) for path in paths)
    return Path("outputs/reports") / hashlib.sha256("\n".join(names).encode()).hexdigest()[:8]
