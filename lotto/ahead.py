"""The fits that a run of a plan would make, and how long each would take here.

Which stages are trained together and by which engine follows from the plan and from counts of weights, so it is known without training.
Each kind of fit is timed at a few densities (``lotto.calibration``); what lies between is interpolated.
"""

from __future__ import annotations

import functools
import json
import math
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from itertools import pairwise

import torch

from lotto.calibration import Calibration, Case, Cost
from lotto.estimate import Estimate, Part, Span
from lotto.models.build import skeleton
from lotto.plan import Plan
from lotto.pruning.allocate import Layer, Rule, budgets
from lotto.pruning.prune import layers_in
from lotto.request.hardware import HardwareSpec
from lotto.running.companies import Companies
from lotto.running.engines import Engines
from lotto.running.stacking import stacks
from lotto.schedule import Blocks, Density, Rounds, Target, from_fields
from lotto.spec import Spec
from lotto.stage import Stage, canonical
from lotto.store import Store
from lotto.training.engine import sparse_layers
from lotto.training.train import Stack, device_kind

# Seconds of measuring in all, and at least for each case.
BUDGET, LEAST = 8.0, 0.5

Kept = Mapping[str, Sequence[int]]  # for every masked weight how many remain, of how many; empty for a dense network


@dataclass(frozen=True)
class Ahead:
    """A fit that a run would make.

    Args:
        level: the lowest of its tickets.
        kept: of its first member.
    """

    stack: Stack
    level: int
    kept: Kept
    engine: str

    @property
    def members(self) -> int:
        return len(self.stack.stages)

    @property
    def steps(self) -> int:
        """Of each member."""
        return int(self.stack.recipe["stop"]) - self.stack.first

    @property
    def evaluations(self) -> int:
        """Of the validation split: before the first step, on the grid, and at the last step."""
        first, stop, every = self.stack.first, int(self.stack.recipe["stop"]), self.stack.recipe["evaluate_every"]
        return (self.stack.prefixes[0] is None) + stop // every - first // every + (stop % every > 0)

    @property
    def weight(self) -> int:
        """What its time is taken to depend on: the weights that remain where only those are there."""
        return sum(self.kept[name][0] for name in self.stack.sparse)

    @property
    def kind(self) -> str:
        """Fits of one kind differ in their numbers of members and of weights alone."""
        case = Case(self.stack.recipe, 1, {}, self.stack.sparse)
        return canonical([case.recipe, list(self.stack.sparse), bool(self.kept)])


def timed(spec: Spec, plan: Plan, missing: Mapping[str, Stage], store: Store) -> Estimate:
    """How long ``missing`` will take, after measuring what is not known yet.

    Raises:
        LottoError: the engine asked for is impossible, or nothing can be told from made-up images.
    """
    foreseen = Foreseen.of(spec, plan, missing, store)
    parts = []
    for engine in dict.fromkeys(fit.engine for fit in foreseen.fits):
        own = [(fit.level, span.seconds) for fit, span in foreseen.with_spans() if fit.engine == engine]
        levels = tuple(sorted({level for level, _ in own}))
        parts.append(Part(engine, levels, sum(seconds for _, seconds in own)))
    others = foreseen.others
    whole = sum(foreseen.spans, Span(others, others, others))
    return Estimate(whole, tuple(parts), device_words(spec.hardware), foreseen.measured)


@dataclass(frozen=True)
class Foreseen:
    """The fits of a run, in its order, and how long each will take.

    Args:
        others: seconds of everything that is no fit.
        measured: seconds that were spent on measuring.
    """

    fits: tuple[Ahead, ...]
    spans: tuple[Span, ...]
    others: float
    measured: float

    @classmethod
    def of(cls, spec: Spec, plan: Plan, missing: Mapping[str, Stage], store: Store) -> Foreseen:
        """Measures what is not known yet; raises as ``timed`` does."""
        calibration = Calibration(spec, store)
        engines = Engines(spec.engine, device_kind(spec.hardware), store, lambda reason: None)
        fits = tuple(fits_ahead(spec, plan, missing, store, engines))
        spans = tuple(_spans(spec, fits, engines, calibration))
        return cls(fits, spans, len(missing) * calibration.saving(), calibration.seconds)

    def with_spans(self) -> Iterator[tuple[Ahead, Span]]:
        return zip(self.fits, self.spans, strict=True)


def device_words(hardware: HardwareSpec) -> str:
    """What trains, in words."""
    if device_kind(hardware) == "cuda":
        return torch.cuda.get_device_name()
    threads = hardware.threads or torch.get_num_threads()
    return f"{threads} CPU core{'s' if threads > 1 else ''}"


# -- what would be trained together ---------------------------------------------------------------------------------------------------


def fits_ahead(spec: Spec, plan: Plan, missing: Mapping[str, Stage], store: Store, engines: Engines) -> Iterator[Ahead]:
    """The fits of a run, in its order: whatever is cheap goes first, then what is ready with its whole company."""
    kept = forecast_kept(plan, store)
    levels = {entry.trained.key: entry.level for entry in reversed(plan.entries)}

    def rule(stage: Stage, members: int) -> tuple[int, tuple[str, ...]]:
        engine = engines.engine(stage)
        if stage.fields.get("regimen") or "found" in stage.parents:
            return (1 if "found" in stage.parents else engine.largest), ()
        own = kept[stage.parents["start"].key]
        return engine.largest, sparse_layers(engine, own, spec.engine, min(members, engine.largest))

    waiting = dict(missing)
    needs = {key: [need.key for need in plan.needs(stage)] for key, stage in missing.items()}
    recorded = _recorded(plan, missing, store)
    companies = Companies(plan)
    while waiting:
        ready = [stage for key, stage in waiting.items() if not any(need in waiting for need in needs[key])]
        done = [stage.key for stage in ready if stage.kind != "train"]
        made = [] if done else stacks(companies.complete(ready, waiting, ()), plan, rule, recorded)
        for stack in made:
            first = stack.stages[0]
            engine = "sparse" if stack.sparse else "stacked" if _is_stacked(stack, spec.engine) else "alone"
            level = min((levels[stage.key] for stage in stack.stages if stage.key in levels), default=0)
            yield Ahead(stack, level, kept[first.parents["start"].key], engine)
        for key in done or [stage.key for stack in made for stage in stack.stages]:
            waiting.pop(key, None)


def forecast_kept(plan: Plan, store: Store) -> dict[str, Kept]:
    """How many weights remain in each layer of every stage's artifact: as it is stored, or as the counts alone let it be foreseen."""
    kept: dict[str, Kept] = {}
    for key, stage in plan.stages.items():  # parents before children
        if stage.source is not None and stage.source.masked:
            kept[key] = {name: [int(t.sum()), t.numel()] for name, t in (stage.source.read().mask or {}).items()}
        elif stage.kind in ("init", "train", "probe") or (stage.kind == "rewind" and "mask" not in stage.parents):
            kept[key] = {}
        elif store.has(key):
            kept[key] = store.record(key)["result"].get("layers", {})
        elif stage.kind == "prune":
            mask = stage.parents.get("mask")
            counts = stage.parents.get("counts")
            kept[key] = kept[counts.key] if counts else _pruned(stage, kept[mask.key] if mask else {})
        elif stage.kind == "overlap":
            kept[key] = _overlapping(kept, stage)
        else:
            # A ticket has the weights of its mask, and a control as many as its ticket; what training will find cannot be foreseen.
            kept[key] = next(
                (kept[stage.parents[role].key] for role in ("mask", "ticket", "body") if role in stage.parents), {}
            )
    return kept


def _overlapping(kept: Mapping[str, Kept], stage: Stage) -> Kept:
    """What copies keep in common if each of them removes weights as if by chance."""
    masks = [kept[parent.key] for role, parent in stage.parents.items() if role.startswith("mask")]
    before = kept[stage.parents["before"].key] if "before" in stage.parents else {}
    found = {}
    for name, (_, total) in masks[0].items():
        alive = before[name][0] if before else total
        shares = [mask[name][0] / alive for mask in masks] if alive else [0.0]
        found[name] = [round(alive * math.prod(shares)), total]
    return found


def _pruned(stage: Stage, before: Kept) -> Kept:
    """The counts after pruning; what several layers keep between them is dealt in proportion, where scores will decide."""
    fields = stage.fields
    network = _network(canonical([fields["model"], fields["input_shape"], fields["classes"]]))
    layers = [replace(layer, alive=before[layer.name][0]) if before else layer for layer in network]
    rate = fields["rate"]
    rule = Rule(fields["allocation"], rate if isinstance(rate, float) else dict(rate), tuple(fields["exclude"]))
    target = from_fields({name: fields[name] for name in ("target", "count", "value") if name in fields})
    alive = {layer.name: layer.alive for layer in layers}
    if isinstance(target, Blocks):
        return {
            layer.name: [layer.alive, layer.total] for layer in layers
        }  # which blocks go, and so their size, is not known
    if fields.get("structure"):
        # Which groups go decides how many weights: taken to be in proportion.
        return {layer.name: [max(1, round(_part(layer, rule, target) * layer.alive)), layer.total] for layer in layers}
    left = {
        name: round(budget.keep * alive[name] / sum(alive[other] for other in budget.names))
        for budget in budgets(layers, rule, target)
        for name in budget.names
    }
    return {layer.name: [left[layer.name], layer.total] for layer in layers}


def _part(layer: Layer, rule: Rule, target: Target) -> float:
    """The part of a layer's weights that remain, in proportion."""
    rate = rule.rate_of(layer)
    if rate == 0:
        return 1.0
    if isinstance(target, Density):
        return min(1.0, target.value * layer.total / layer.alive)
    return (1 - rate) ** target.count if isinstance(target, Rounds) else 1 - target.value


@functools.cache
def _network(description: str) -> Sequence[Layer]:
    """Kind and number of weights of every prunable tensor."""
    model, input_shape, classes = json.loads(description)
    return layers_in(skeleton(model, tuple(input_shape), classes))


def _recorded(plan: Plan, missing: Mapping[str, Stage], store: Store) -> dict[str, tuple[str, ...]]:
    """In what company stored stages were trained: what is missing of it is trained in the same again."""
    recorded: dict[str, tuple[str, ...]] = {}
    for key, stage in plan.stages.items():
        if stage.kind == "train" and key not in missing and store.has(key):
            company = tuple(store.record(key).get("stack", ()))
            recorded.update(dict.fromkeys(company, company))
    return recorded


def _is_stacked(stack: Stack, asked: str) -> bool:
    return len(stack.stages) > 1 or asked == "stacked"


# -- how long it takes ----------------------------------------------------------------------------------------------------------------


def _spans(spec: Spec, ahead: Sequence[Ahead], engines: Engines, calibration: Calibration) -> list[Span]:
    by_kind: dict[str, list[Ahead]] = {}
    for fit in ahead:
        by_kind.setdefault(fit.kind, []).append(fit)
    cases = {kind: _cases(fits) for kind, fits in by_kind.items()}
    each = max(LEAST, BUDGET / sum(len(line) for lines in cases.values() for line in lines.values()))
    known: dict[str, dict[int, dict[int, Cost]]] = {}
    for kind, lines in cases.items():
        fits = by_kind[kind]
        recordings = engines.engine(fits[0].stack.stages[0]).recordings
        steps = sum(fit.steps for fit in fits)
        known[kind] = {
            members: {weight: calibration.cost(case, recordings, steps, each) for weight, case in line.items()}
            for members, line in lines.items()
        }
    return [_span(spec, fit, known[fit.kind]) for fit in ahead]


def _cases(fits: Sequence[Ahead]) -> dict[int, dict[int, Case]]:
    """What is timed of one kind, by members and by weights that remain: the most and the fewest, and of weights one between them."""
    by_weight = {fit.weight: fit for fit in sorted(fits, key=lambda fit: fit.weight)}
    middle = (min(by_weight) + max(by_weight)) / 2
    weights = {min(by_weight), min(by_weight, key=lambda weight: abs(weight - middle)), max(by_weight)}
    members = [fit.members for fit in fits]
    return {
        count: {
            weight: Case(by_weight[weight].stack.recipe, count, by_weight[weight].kept, by_weight[weight].stack.sparse)
            for weight in sorted(weights, reverse=True)
        }
        for count in sorted({min(members), max(members)})
    }


def _span(spec: Spec, fit: Ahead, known: Mapping[int, Mapping[int, Cost]]) -> Span:
    lines = {members: interpolated(fit.weight, line) for members, line in known.items()}
    cost = interpolated(fit.members, lines)
    sizes = spec.data
    # The test split is read at the end: with the last weights and with those of the early-stopping step.
    examples = fit.evaluations * sizes.validation + sizes.test * (2 if sizes.validation else 1)
    varying = fit.steps * cost.step + examples * cost.example
    return Span(cost.besides + varying, cost.besides + cost.low * varying, cost.besides + cost.high * varying)


def interpolated(at: float, known: Mapping[int, Cost]) -> Cost:
    """Linearly between the nearest two that are known; beyond all of them, as the nearest."""
    for (low, below), (high, above) in pairwise(sorted(known.items())):
        if low <= at <= high:
            part = (at - low) / (high - low)
            return Cost(*(a + part * (b - a) for a, b in zip(below, above, strict=True)))
    return known[min(known, key=lambda place: abs(place - at))]
