"""The stages that methods are written in: one replicate's vocabulary. Imports no torch."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import replace
from typing import Any

from lotto.controls.planning import control_stage
from lotto.entry import Entry
from lotto.errors import BadRequest
from lotto.pruning.allocate import Layer
from lotto.request.train import TrainSpec, step_before_the_end
from lotto.schedule import Target, as_fields
from lotto.spec import Spec
from lotto.stage import Stage
from lotto.starts.source import Source
from lotto.structures.request import Structure
from lotto.training.lr import factor

# What a train stage's ``regimen`` says: a class (``_target_``) below ``lotto.training.regimen.Regimen``, and its options.
Regimen = Mapping[str, Any] | None
# The regimen of networks whose weights must not move.
STILL: Regimen = {"_target_": "lotto.training.still.Still"}


class Recipe:
    """Makes the stages of one replicate of an experiment. A method asks for them by these names and never spells out a field.

    Attributes:
        specs: the experiment's, and those that other recipes were derived for: of its parts, or of where a ticket comes from.
    """

    def __init__(self, spec: Spec, replicate: int, specs: list[Spec] | None = None) -> None:
        self.spec = spec
        self.replicate = replicate
        self.specs = [] if specs is None else specs
        self.specs.append(spec)
        self.streams = {"seed": spec.seed, "replicate": replicate}

    @property
    def levels(self) -> int:
        return self.spec.schedule.levels

    def init(self) -> Stage:
        """The weights at initialisation, theta_0: drawn, or those of the file that the request starts from, which replicates share."""
        source = self.spec.start
        if source is None:
            return Stage("init", {**self.network(), **self.streams})
        return self.from_file(source)

    def from_file(self, source: Source) -> Stage:
        """The weights of a file, and the mask that it brings if it is a ticket."""
        drawn = self.streams if source.head == "fresh" else {}
        return Stage("init", {**self.network(), **drawn, "from": source.identity}, source=source)

    def dense(self, regimen: Regimen = None, scale_penalty: float = 0.0) -> Stage:
        """The dense network, trained to the last step.

        Args:
            scale_penalty: strength of ``lotto.training.scale_penalty``.
        """
        return self.training(
            self.init(), start=0, stop=self.spec.train.steps, regimen=regimen, scale_penalty=scale_penalty
        )

    def dense_until(self, stop: int, regimen: Regimen = None, scale_penalty: float = 0.0) -> Stage:
        """The same trained to an earlier step: a point on the way, or a search that ends there at the latest."""
        return self.training(
            self.init(), start=0, stop=stop, resumable=regimen is None, regimen=regimen, scale_penalty=scale_penalty
        )

    def rewinding_point(self) -> Stage:
        """The dense network's weights at the step that tickets are rewound to, W_k."""
        if self.spec.rewind.at == 0:
            return self.init()
        return self.training(self.init(), start=0, stop=self.spec.rewind.at, resumable=True)

    def derived(self, spec: Spec) -> Recipe:
        """The same replicate's recipe for another experiment that this one needs."""
        return Recipe(spec, self.replicate, self.specs)

    def prune(
        self,
        trained: Stage,
        mask: Stage | None,
        level: int,
        since: int,
        target: Target | None = None,
        spare: Sequence[str] = (),
    ) -> Stage:
        """The mask of ``level``, from a trained network and, unless it is dense, its own mask (that of level ``since``).

        Args:
            target: in place of the schedule's.
            spare: kinds of layers that are not pruned, beside those that ``prune.exclude`` names.
        """
        rule = self.spec.rule
        fields = {
            **self.network(),
            "criterion": dict(self.spec.criterion),
            "allocation": rule.allocation,
            "rate": rule.rate if isinstance(rule.rate, float) else dict(rule.rate),
            "exclude": self.excluded(spare),
            "structure": self.spec.structure.as_fields(),
            **as_fields(target or self.spec.schedule.target(level, since)),
            **self.spec.scoring.as_fields(self.spec.data.identity, self.streams),
        }
        before = mask or self.first_mask()
        parents = {"trained": trained, **({"mask": before} if before else {})}
        return Stage("prune", fields, parents | ({"initial": self.init()} if self.spec.scoring.initial else {}))

    def first_mask(self) -> Stage | None:
        """What holds the mask of level 0: the start, if that is a ticket already."""
        return self.init() if self.spec.start is not None and self.spec.start.masked else None

    def excluded(self, spare: Sequence[str] = ()) -> list[str]:
        """What is not pruned: as ``prune.exclude`` says, and ``spare``."""
        own = self.spec.rule.exclude
        return [*own, *(name for name in spare if name not in own)]

    def layers(self) -> list[Layer]:
        """The prunable tensors of the network, all of their weights alive. Imports torch."""
        from lotto.models.build import skeleton
        from lotto.pruning.prune import layers_in

        return layers_in(skeleton(self.spec.model, self.spec.data.input_shape, self.spec.data.classes))

    def ticket(self, weights: Stage, mask: Stage) -> Stage:
        """A ticket of weights that are given, with the statistics and the optimizer state that belong to them."""
        batch_norm = self.spec.rewind.batch_norm
        fields = {"optimizer_state": self.optimizer_state(), "batch_norm": batch_norm}
        return Stage("rewind", fields, {"weights": weights, "mask": mask})

    def dense_point(self) -> Stage:
        """The dense network's weights at the rewinding point, with the optimizer state that a ticket's training starts from."""
        point = self.rewinding_point()
        if self.spec.rewind.at == 0:
            return point
        parents = {"weights": point, **({"mask": mask} if (mask := self.first_mask()) else {})}
        return Stage("rewind", {"optimizer_state": self.optimizer_state(), "batch_norm": "follow"}, parents)

    def dense_again(self) -> Stage:
        """The dense network trained on from the rewinding point exactly as a ticket is: what a ticket's training is compared with."""
        return self.train(self.dense_point())

    def earlier(self, trained: Stage, at: object, field: str) -> Stage:
        """The network of a training as it was at a step before its end.

        Args:
            at: a length, such as ``300it``; None for the end.
            field: of the request, that ``at`` is the value of.

        Raises:
            BadRequest: the step is not one of that training.
        """
        if at is None:
            return trained
        step = step_before_the_end(field, at, self.spec.train)
        if step < trained.fields["start"]:
            raise BadRequest(f"{field}={at} lies before rewind.at, where the training of tickets begins.")
        return self.at_step(trained, step)

    def at_step(self, trained: Stage, step: int) -> Stage:
        """The network at one step of its training, from the first, where it is what training starts from, to the last."""
        if step == trained.fields["stop"]:
            return trained
        if step == trained.fields["start"]:
            return trained.parents["start"]
        return Stage("train", {**trained.fields, "stop": step, "resumable": True}, trained.parents)

    def rewind(self, trained: Stage, mask: Stage) -> Stage:
        """The ticket: the mask and the weights that training goes on from."""
        rewind = self.spec.rewind
        weights = self.rewinding_point() if rewind.goes_back else trained
        parents = {"weights": weights, "mask": mask}
        batch_norm = rewind.batch_norm
        if batch_norm == "keep" and weights is not trained:
            parents["trained"] = trained
        elif batch_norm == "keep":
            batch_norm = "follow"  # the weights are the trained network's, and so are its statistics
        return Stage("rewind", {"optimizer_state": self.optimizer_state(), "batch_norm": batch_norm}, parents)

    def searched(self, start: Stage, regimen: Regimen, settings: TrainSpec | None = None) -> Stage:
        """A training from ``start`` by settings of its own, from its step 0: a search for a mask, say.

        Args:
            settings: in place of the experiment's.
        """
        train = settings or self.spec.train
        return self.training(start, start=0, stop=train.steps, regimen=regimen, settings=settings)

    def settings(self, own: str, changes: Mapping[str, Any]) -> TrainSpec:
        """The experiment's ``train`` section with ``changes``, which the request calls ``own``.

        Raises:
            BadRequest: a change is no setting of training, or out of its range.
        """
        return TrainSpec.read({**self.spec.request["train"], **changes}, self.spec.data, own)

    def whole(self, weights: Stage, mask: Stage) -> Stage:
        """A mask beside weights that it does not prune: where a search that may bring weights back starts from."""
        fields = {"optimizer_state": "fresh", "batch_norm": "follow", "unpruned": True}
        return Stage("rewind", fields, {"weights": weights, "mask": mask})

    def masked(self, weights: Stage, mask: Stage) -> Stage:
        """The ticket of these weights, whatever the request's rewinding point is."""
        return Stage("rewind", {"optimizer_state": "fresh", "batch_norm": "follow"}, {"weights": weights, "mask": mask})

    def train(
        self, start: Stage, regimen: Regimen = None, found: Stage | None = None, scale_penalty: float = 0.0
    ) -> Stage:
        """A ticket or control trained from the rewinding point to the last step, at the absolute position in the schedule.

        Args:
            regimen: what happens in training beside the optimizer's updates (``lotto.training.regimen``).
            found: a training whose regimen found a step (``found_step`` of its record) to go on from, instead of the rewinding point.
        """
        return self.training(
            start,
            start=0 if found else self.spec.rewind.at,
            stop=self.spec.train.steps,
            hold=self.last_rate(),
            settings=self.of_tickets(),
            regimen=regimen,
            found=found,
            scale_penalty=scale_penalty,
        )

    def entries(
        self,
        level: int,
        ticket: Stage,
        trained: Stage,
        start: Stage | None = None,
        train: Callable[[Stage], Stage] | None = None,
        weights: Stage | None = None,
        structure: Structure | None = None,
    ) -> Iterator[Entry]:
        """The rows of a level: the ticket and every sample of every control.

        Args:
            start: what ``trained`` was trained from, where that is not the ticket because its mask moved in training.
            train: how a control is trained, if not as tickets of an experiment are.
            weights: the unpruned weights that controls take, if not those of the rewinding point.
            structure: of what the ticket lacks, if not the request's.
        """
        yield Entry("ticket", level, self.replicate, 0, start or ticket, trained, trained)
        for control in self.spec.controls:
            for sample in range(control.samples) if control.at(level) else ():
                start = control_stage(self, control, ticket, level, sample, weights, structure)
                made = (train or self.train)(start)
                yield Entry(control.name, level, self.replicate, sample, start, made, trained)

    def dense_entry(self, dense: Stage) -> Entry:
        """The row of level 0."""
        return Entry("ticket", 0, self.replicate, 0, self.init(), dense, dense)

    def network(self) -> dict[str, Any]:
        data = self.spec.data
        return {"model": dict(self.spec.model), "input_shape": list(data.input_shape), "classes": data.classes}

    def optimizer_state(self) -> str:
        """At initialisation there is no optimizer state to follow."""
        rewind = self.spec.rewind
        return "fresh" if rewind.goes_back and rewind.at == 0 else rewind.optimizer

    def of_tickets(self) -> TrainSpec:
        """How tickets and their controls are trained."""
        train, weight_decay = self.spec.train, self.spec.rewind.weight_decay
        return train if weight_decay is None else replace(train, weight_decay=weight_decay)

    def last_rate(self) -> float | None:
        """Fine-tuning, and going back in the weights alone, hold the last learning rate of the schedule, as a multiple of the base rate."""
        train = self.spec.train
        return factor(train.steps - 1, train.lr_schedule, train.warmup) if self.spec.rewind.holds_rate else None

    def training(
        self,
        parent: Stage,
        start: int,
        stop: int,
        resumable: bool = False,
        hold: float | None = None,
        noise: int = 0,
        regimen: Regimen = None,
        found: Stage | None = None,
        settings: TrainSpec | None = None,
        scale_penalty: float = 0.0,
    ) -> Stage:
        train = settings or self.spec.train
        keeps_state = self.spec.rewind.optimizer == "follow" and not self.spec.rewind.goes_back
        fields = {
            **self.network(),
            **self.streams,
            "noise": noise,
            "data": dict(self.spec.data.identity),
            "start": start,
            "stop": stop,
            "resumable": resumable or keeps_state,
            "hold": hold,
            "batch_size": train.batch_size,
            "drop_last": train.drop_last,
            "optimizer": dict(train.optimizer),
            "lr": train.lr,
            "lr_schedule": dict(train.lr_schedule),
            "warmup": train.warmup,
            "weight_decay": train.weight_decay,
            "label_smoothing": train.label_smoothing,
            "loss": train.loss,
            "evaluate_every": train.evaluate_every,
            "precision": self.spec.hardware.precision,
            "regimen": dict(regimen) if regimen else None,
            "scale_penalty": scale_penalty,
        }
        return Stage("train", fields, {"start": parent, **({"found": found} if found else {})})
