"""What is looked at before anything is trained, and cleared away after it."""

from __future__ import annotations

import inspect
from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

from lotto.compose import imported
from lotto.errors import BadRequest
from lotto.plan import Plan
from lotto.probes.options import check_options, check_values
from lotto.pruning.allocate import forecast
from lotto.pruning.scoring import Scoring
from lotto.schedule import RemovedBlocks
from lotto.spec import Spec
from lotto.stage import Stage, canonical, stack_name
from lotto.starts.source import Source
from lotto.store import Store

if TYPE_CHECKING:
    from lotto.mask import Mask


def check_hardware(spec: Spec) -> None:
    """Raises BadRequest if the accelerator that is asked for is not there, or what is to measure its power."""
    spec.hardware.energy.check()
    if spec.hardware.accelerator != "gpu":
        return
    from lotto.running.loading import collector_paused

    with collector_paused():
        import torch

    if not torch.cuda.is_available():
        raise BadRequest("hardware=gpu asks for a GPU, and PyTorch finds none here: choose hardware=cpu or auto.")


def check_spec(spec: Spec) -> None:
    """Raises BadRequest for what shows only with the functions and the network at hand."""
    _check_functions(spec)
    _check_probes(spec)
    _check_levels(spec)


def _check_functions(spec: Spec) -> None:
    """An option that the criterion or a control does not take would else be found only after the dense network is trained."""
    functions = {
        "train.optimizer": spec.train.optimizer,
        "prune.criterion": spec.criterion,
        **{f"controls.{made.name}": made.config for made in spec.controls},
    }
    for field, config in functions.items():
        options = dict(config)
        function = imported(f"{field}._target_", options.pop("_target_"))
        try:
            inspect.signature(function).bind_partial(None, **options)
        except (TypeError, ValueError) as reason:
            raise BadRequest(f"{field} cannot be set up: {config['_target_']} has {reason}.") from None
        if field.startswith("controls."):
            check_values(field, function, options, {})
        if field == "prune.criterion":
            check_values("prune.criterion", function, options, {})
            _check_scoring(str(config["_target_"]), inspect.signature(function).parameters, spec.scoring)


def _check_scoring(target: str, names: Mapping[str, Any], scoring: Scoring) -> None:
    """What a criterion asks for must be in its replicate's key, and what it does not look at must not."""
    if "batches" in names and scoring.batches is None:
        raise BadRequest(f"prune.batches is null, and {target} looks at images: give prune.batches={{per_class: 10}}.")
    if "batches" not in names and scoring.batches is not None:
        raise BadRequest(f"prune.batches would change nothing: {target} does not take batches. Leave it null.")
    if "generator" in names and not scoring.draws and scoring.batches is None:
        raise BadRequest(
            f"prune.draws=false, and {target} takes a generator: give prune.draws=true, or all replicates draw alike."
        )


def _check_probes(spec: Spec) -> None:
    """A probe runs last: what its options lack must not show then."""
    sizes = {"train": spec.data.train, "validation": spec.data.validation, "test": spec.data.test}
    for probe in spec.probes:
        field, options = f"probes.{probe.name}", dict(probe.config)
        target = options.pop("_target_")
        check_options(field, target, imported(f"{field}._target_", target), options, sizes)
        for file in probe.files:
            _fitted(spec, file)


def _check_levels(spec: Spec) -> None:
    """Counts follow from arithmetic, so a level that cannot be reached is found before anything is trained."""
    from lotto.models.anatomy import kinds
    from lotto.models.build import skeleton
    from lotto.pruning.prune import layers_in, layers_of
    from lotto.structures.masks import check_levels

    model = skeleton(spec.model, spec.data.input_shape, spec.data.classes)
    layers = layers_in(model)
    if spec.start is not None and (mask := _fitted(spec, spec.start)) is not None:
        layers = layers_of(mask, kinds(model))
    if spec.schedule.levels == 1 or spec.iterative is None:
        return
    if isinstance(spec.schedule, RemovedBlocks) and spec.structure.name != "residual":
        raise BadRequest(
            f"schedule=blocks counts residual blocks, and prune.structure={spec.structure.name}: choose prune.structure=residual, "
            "or another schedule."
        )
    if spec.structure.is_grouped:
        check_levels(model, tuple(spec.data.input_shape), spec.rule, spec.schedule, spec.iterative, spec.structure)
    else:
        forecast(layers, spec.rule, spec.schedule, spec.iterative)


def _fitted(spec: Spec, source: Source) -> Mask | None:
    """The mask that a file brings, once all of its tensors are seen to be the network's."""
    from lotto.models.build import skeleton
    from lotto.starts.fitting import fitted

    model = skeleton(spec.model, spec.data.input_shape, spec.data.classes)
    return fitted(source.read(), model, source.head, source.words).mask


def check_heads(plan: Plan) -> None:
    """Raises BadRequest if a body is to be put under the head of a network that has another body."""
    from lotto.models.build import skeleton
    from lotto.models.head import misfit
    from lotto.training.network import state_of

    seen = set()
    for stage in plan.stages.values():
        if stage.kind != "head":
            continue
        body = stage.parents["body"]
        while "model" not in body.fields:  # a ticket is of the network of its weights
            body = body.parents["weights"]
        pair = canonical([_network_of(stage), _network_of(body)])
        if pair in seen:
            continue
        seen.add(pair)
        here, there = (
            skeleton(made["model"], tuple(made["input_shape"]), made["classes"]) for made in (stage.fields, body.fields)
        )
        if reason := misfit(here, {name: tensor.shape for name, tensor in state_of(there).items()}):
            shapes = " and ".join(str(list(made.fields["input_shape"])) for made in (body, stage))
            raise BadRequest(
                f"method.source.data: a ticket found there does not fit the network here, {reason} (inputs are {shapes})."
            )


def _network_of(stage: Stage) -> dict[str, Any]:
    return {name: stage.fields[name] for name in ("model", "input_shape", "classes")}


def tidy(plan: Plan, store: Store) -> None:
    """Remove unfinished work of killed runs that nothing will go on from: whole artifacts lie in its place."""
    store.discard_abandoned()
    trained = [key for key, stage in plan.stages.items() if stage.kind == "train" and store.has(key)]
    for company in {tuple(store.record(key).get("stack", ())) for key in trained}:
        if all(store.has(key) for key in company):
            store.discard(stack_name(company))
