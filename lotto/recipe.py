"""The stages that methods are written in: one replicate's vocabulary. Imports no torch."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any

from lotto.data.part import Part, part_of
from lotto.errors import BadRequest
from lotto.limit import Limit
from lotto.pruning.allocate import Layer
from lotto.schedule import Target, as_fields
from lotto.spec import ControlSpec, Spec, TrainSpec, step_before_the_end
from lotto.stage import Stage
from lotto.starts.source import Source
from lotto.structures.request import Structure
from lotto.training.lr import factor


@dataclass(frozen=True, eq=False)
class Entry:
    """A ticket to be trained and reported: one row of the results table.

    Args:
        start: the artifact it is trained from: weights and, but for the dense network, a mask.
        trained: the train stage that ends at the last step.
        ticket: the trained ticket of its level: itself, unless this is a control.
        limit: where the search may have ended before it came to this level.
        noted: a stage with numbers (``numbers`` of its record) on how the ticket was found, which stand in its row.
    """

    branch: str
    level: int
    replicate: int
    sample: int
    start: Stage
    trained: Stage
    ticket: Stage
    limit: Limit | None = None
    noted: Stage | None = None


@dataclass(frozen=True, eq=False)
class Reading:
    """What a probe reads of a ticket: rows of ``probes.csv``.

    Args:
        stage: the probe stage.
        pair: the replicates it compares, as in ``0-1``; empty where it is about one.
    """

    probe: str
    entry: Entry
    stage: Stage
    pair: str = ""


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
        self._streams = {"seed": spec.seed, "replicate": replicate}

    @property
    def levels(self) -> int:
        return self.spec.schedule.levels

    def init(self) -> Stage:
        """The weights at initialisation, theta_0: drawn, or those of the file that the request starts from, which replicates share."""
        source = self.spec.start
        if source is None:
            return Stage("init", {**self._network(), **self._streams})
        return self.from_file(source)

    def from_file(self, source: Source) -> Stage:
        """The weights of a file, and the mask that it brings if it is a ticket."""
        drawn = self._streams if source.head == "fresh" else {}
        return Stage("init", {**self._network(), **drawn, "from": source.identity}, source=source)

    def dense(self, regimen: Regimen = None, scale_penalty: float = 0.0) -> Stage:
        """The dense network, trained to the last step.

        Args:
            scale_penalty: strength of ``lotto.training.scale_penalty``.
        """
        return self._train(
            self.init(), start=0, stop=self.spec.train.steps, regimen=regimen, scale_penalty=scale_penalty
        )

    def dense_until(self, stop: int, regimen: Regimen = None, scale_penalty: float = 0.0) -> Stage:
        """The same trained to an earlier step: a point on the way, or a search that ends there at the latest."""
        return self._train(
            self.init(), start=0, stop=stop, resumable=regimen is None, regimen=regimen, scale_penalty=scale_penalty
        )

    def draw(self, source: Stage, level: int, fields: Mapping[str, Any]) -> Stage:
        """The network in the middle of a training, less its least channels (``lotto.early_bird``).

        Args:
            source: the training; its artifact holds the moment that a search found, or ends with it (``step``).
            fields: ``ratio``, ``step``, ``weights``, ``channels`` and ``removes``.
        """
        parents = {"source": source}
        if fields["weights"] == "rewound":
            parents["weights"] = self.rewinding_point()
        return Stage("draw", {**self._network(), **self._streams, "level": level, **fields}, parents)

    def rewinding_point(self) -> Stage:
        """The dense network's weights at the step that tickets are rewound to, W_k."""
        if self.spec.rewind.at == 0:
            return self.init()
        return self._train(self.init(), start=0, stop=self.spec.rewind.at, resumable=True)

    def derived(self, spec: Spec) -> Recipe:
        """The same replicate's recipe for another experiment that this one needs."""
        return Recipe(spec, self.replicate, self.specs)

    def of_part(self, part: Part, train: Mapping[str, Any] | None = None) -> Recipe:
        """The recipe of a network that is trained on a part of the data; lengths in epochs are then the part's.

        Args:
            train: settings of ``train`` that differ.

        Raises:
            BadRequest: they cannot be read, or training would end before the rewinding point.
        """
        spec = self.spec
        data, config = part_of(spec.data, spec.data_config, part)
        settings = TrainSpec.read(
            {**spec.request["train"], **(train or {})}, data, "method.train" if train else "train"
        )
        if spec.rewind.at >= settings.steps:
            raise BadRequest(
                f"rewind.at={spec.rewind.at} is not before the end of training on data.part={config['part']}, which takes {settings.steps} "
                "steps: rewind to an earlier step."
            )
        return self.derived(replace(spec, data=data, data_config=config, train=settings))

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
            **self._network(),
            "criterion": dict(self.spec.criterion),
            "allocation": rule.allocation,
            "rate": rule.rate if isinstance(rule.rate, float) else dict(rule.rate),
            "exclude": self.excluded(spare),
            "structure": self.spec.structure.as_fields(),
            **as_fields(target or self.spec.schedule.target(level, since)),
            **self.spec.scoring.as_fields(self.spec.data.identity, self._streams),
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

    def overlap(self, masks: Sequence[Stage], before: Stage | None, spare: Sequence[str] = (), floor: int = 0) -> Stage:
        """The weights that all of several copies keep.

        Args:
            masks: prune stages of the copies.
            before: the overlap that they were pruned from; None if they were dense.
            spare: as the copies were pruned.
            floor: weights that every layer keeps at least.
        """
        copies = {f"mask{number}": mask for number, mask in enumerate(masks)}
        trained = {f"trained{number}": mask.parents["trained"] for number, mask in enumerate(masks) if floor}
        fields = {**self._network(), "exclude": self.excluded(spare), "floor": floor}
        return Stage("overlap", fields, {**copies, **trained, **({"before": before} if before else {})})

    def head(self, body: Stage, weights: Stage | None = None, begun: Stage | None = None) -> Stage:
        """The network of this recipe with the body of another: its weights, its mask, and a head of its own.

        Args:
            weights: whose output layer it has, and whose optimizer state as far as the rewinding has any; freshly drawn if None.
            begun: what a trained body was trained from, which holds its mask where training did not move it.
        """
        state = {} if weights is None else {"optimizer_state": self._optimizer_state()}
        parents = {"body": body, **({"weights": weights} if weights else {})}
        if begun is not None and begun is not body:
            parents["begun"] = begun
        return Stage("head", {**self._network(), **self._streams, **state}, parents)

    def ticket(self, weights: Stage, mask: Stage) -> Stage:
        """A ticket of weights that are given, with the statistics and the optimizer state that belong to them."""
        batch_norm = self.spec.rewind.batch_norm
        fields = {"optimizer_state": self._optimizer_state(), "batch_norm": batch_norm}
        return Stage("rewind", fields, {"weights": weights, "mask": mask})

    def dense_point(self) -> Stage:
        """The dense network's weights at the rewinding point, with the optimizer state that a ticket's training starts from."""
        point = self.rewinding_point()
        if self.spec.rewind.at == 0:
            return point
        parents = {"weights": point, **({"mask": mask} if (mask := self.first_mask()) else {})}
        return Stage("rewind", {"optimizer_state": self._optimizer_state(), "batch_norm": "follow"}, parents)

    def dense_again(self) -> Stage:
        """The dense network trained on from the rewinding point exactly as a ticket is: what a ticket's training is compared with."""
        return self.train(self.dense_point())

    def copy(self, start: Stage, noise: int) -> Stage:
        """A ticket, or the dense network at the rewinding point, trained with other noise: data order, augmentation and dropout."""
        return self._train(
            start,
            start=self.spec.rewind.at,
            stop=self.spec.train.steps,
            hold=self._last_rate(),
            noise=noise,
            settings=self._of_tickets(),
        )

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
        return Stage("rewind", {"optimizer_state": self._optimizer_state(), "batch_norm": batch_norm}, parents)

    def searched(self, start: Stage, regimen: Regimen, settings: TrainSpec | None = None) -> Stage:
        """A training from ``start`` by settings of its own, from its step 0: a search for a mask, say.

        Args:
            settings: in place of the experiment's.
        """
        train = settings or self.spec.train
        return self._train(start, start=0, stop=train.steps, regimen=regimen, settings=settings)

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
        return self._train(
            start,
            start=0 if found else self.spec.rewind.at,
            stop=self.spec.train.steps,
            hold=self._last_rate(),
            settings=self._of_tickets(),
            regimen=regimen,
            found=found,
            scale_penalty=scale_penalty,
        )

    def sample(self, weights: Stage, found: Stage, sample: int, rescale: bool) -> Stage:
        """A ticket whose mask is drawn from the probabilities that a search has ``found``, of the ``weights`` that it was made for."""
        fields = {**self._streams, "sample": sample, "rescale": rescale}
        return Stage("sample", fields, {"weights": weights, "found": found})

    def construct(self, candidates: int, solver: str) -> Stage:
        """The ticket of the initialisation that computes the model's target from so many candidates for each weight."""
        fields = {**self._network(), **self._streams, "candidates": candidates, "solver": solver}
        return Stage("construct", fields, {"weights": self.init()})

    def approximate(self, start: Stage) -> Stage:
        """How far a network that is not trained is from its target, at the points that the data are."""
        fields = {**self._network(), **self._streams, "points": dict(self.spec.data.identity)}
        return Stage("approximate", fields, {"start": start})

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
                start = self._control(control, ticket, level, sample, weights, structure)
                made = (train or self.train)(start)
                yield Entry(control.name, level, self.replicate, sample, start, made, trained)

    def dense_entry(self, dense: Stage) -> Entry:
        """The row of level 0."""
        return Entry("ticket", 0, self.replicate, 0, self.init(), dense, dense)

    def probe(self, fields: Mapping[str, Any], networks: Mapping[str, Stage], with_data: bool) -> Stage:
        """A probe of ``networks``, by the role each plays in it."""
        data = {"data": dict(self.spec.data.identity)} if with_data else {}
        return Stage("probe", {**self._network(), **self._streams, **data, "probe": dict(fields)}, networks)

    def _control(
        self,
        control: ControlSpec,
        ticket: Stage,
        level: int,
        sample: int,
        weights: Stage | None = None,
        structure: Structure | None = None,
    ) -> Stage:
        fields = {
            **self._network(),
            **self._streams,
            "control": dict(control.config),
            "level": level,
            "sample": sample,
            "structure": (structure or self.spec.structure).as_fields(),
        }
        parents = {"ticket": ticket}
        if control.needs_weights:
            parents["weights"] = weights or self.rewinding_point()
            # The state belongs to the weights of the rewinding point: a control that keeps them keeps it as its ticket does.
            fields["optimizer_state"] = self._optimizer_state()
        if control.needs_scores:
            parents["inverted"] = _inverted(control.name, ticket)
        return Stage("control", fields, parents)

    def _network(self) -> dict[str, Any]:
        data = self.spec.data
        return {"model": dict(self.spec.model), "input_shape": list(data.input_shape), "classes": data.classes}

    def _optimizer_state(self) -> str:
        """At initialisation there is no optimizer state to follow."""
        rewind = self.spec.rewind
        return "fresh" if rewind.goes_back and rewind.at == 0 else rewind.optimizer

    def _of_tickets(self) -> TrainSpec:
        """How tickets and their controls are trained."""
        train, weight_decay = self.spec.train, self.spec.rewind.weight_decay
        return train if weight_decay is None else replace(train, weight_decay=weight_decay)

    def _last_rate(self) -> float | None:
        """Fine-tuning, and going back in the weights alone, hold the last learning rate of the schedule, as a multiple of the base rate."""
        train = self.spec.train
        return factor(train.steps - 1, train.lr_schedule, train.warmup) if self.spec.rewind.holds_rate else None

    def _train(
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
            **self._network(),
            **self._streams,
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


def _inverted(control: str, ticket: Stage) -> Stage:
    """The mask that the ticket's criterion leaves if in every layer as many weights of the lowest scores are kept.

    Raises:
        BadRequest: the ticket's mask does not come from a criterion's scores.
    """
    mask = ticket.parents.get("mask")
    if mask is None or mask.kind != "prune":
        raise BadRequest(
            f"controls=[{control}] turns a criterion's scores round, and this method's tickets are not pruned by any: drop this control."
        )
    return Stage("prune", {**mask.fields, "keep": "lowest"}, {**mask.parents, "counts": mask})
