"""Every refused setting gives one sentence that names it."""

from __future__ import annotations

import copy
from collections.abc import Iterator
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from omegaconf import OmegaConf

from lotto.compose import composed, read_spec
from lotto.errors import BadRequest
from lotto.spec import Spec

STEP = {"name": "step", "milestones": ["5ep"], "gamma": 0.1}


def _default() -> dict[str, Any]:
    config = composed([])
    plain = OmegaConf.to_container(OmegaConf.masked_copy(config, [name for name in config if name != "hydra"]))
    assert isinstance(plain, dict)
    return plain


DEFAULT = _default()


def read(config: dict[str, Any]) -> Spec:
    return read_spec(OmegaConf.create(config))


def changed(config: dict[str, Any], path: str, value: Any) -> dict[str, Any]:
    """A copy of ``config`` with another value at a dotted path; ``...`` removes what is there."""
    made = copy.deepcopy(config)
    *sections, name = path.split(".")
    inner = made
    for section in sections:
        inner = inner[section]
    if value is ...:
        del inner[name]
    else:
        inner[name] = value
    return made


REFUSALS: list[tuple[str, Any, str]] = [
    (
        "train.steps",
        "2x",
        "train.steps=2x is not a length: write iterations (500it), epochs (3ep) or both (2ep100it).",
    ),
    ("train.steps", 0, "train.steps=0 is too short: 1 iteration(s) at least."),
    ("train.steps", ..., "train.steps is missing: give train.steps=…."),
    ("train.evaluate_every", 0, "train.evaluate_every=0 is too short: 1 iteration(s) at least."),
    (
        "train.warmup",
        -1,
        "train.warmup=-1 is not a length: write iterations (500it), epochs (3ep) or both (2ep100it).",
    ),
    ("train.batch_size", 0, "train.batch_size=0 is not a whole number of 1 or more."),
    ("train.batch_size", 1.5, "train.batch_size=1.5 is not a whole number of 1 or more."),
    ("train.batch_size", True, "train.batch_size=True is not a whole number of 1 or more."),
    ("train.lr", 0, "train.lr=0 must be greater than 0."),
    ("train.lr", "fast", "train.lr=fast is not a number."),
    ("train.lr", float("nan"), "train.lr=nan is not a number."),
    ("train.lr", float("inf"), "train.lr=inf is not a number."),
    ("train.lr", True, "train.lr=True is not a number."),
    ("train.weight_decay", -0.1, "train.weight_decay=-0.1 must not be negative."),
    ("train.label_smoothing", 1.5, "train.label_smoothing=1.5 lies outside [0, 1]."),
    ("train.drop_last", "no", "train.drop_last=no is neither true nor false."),
    (
        "train.optimizer",
        None,
        "train.optimizer=None names no optimizer: give train/optimizer=adam|sgd|… or a _target_.",
    ),
    ("train.optimizer", {"momentum": 0.9}, "names no optimizer"),
    ("train.momentum", 0.9, "train.momentum=0.9 is no setting of train."),
    (
        "train",
        None,
        "train=None is not a section of settings: it needs steps, batch_size, lr, optimizer, lr_schedule, "
        "evaluate_every.",
    ),
    ("train.lr_schedule", None, "train.lr_schedule=None is not a section of settings: it needs name."),
    (
        "train.lr_schedule",
        {"name": "cosin"},
        "train.lr_schedule.name=cosin is unknown: choose from constant, step, linear, cosine; did you mean cosine?",
    ),
    (
        "train.lr_schedule",
        STEP | {"milestones": ["9it", "9it"]},
        "train.lr_schedule.milestones=[9, 9] must rise from one to the next.",
    ),
    (
        "train.lr_schedule",
        STEP | {"milestones": [0]},
        "train.lr_schedule.milestones=0 is too short: 1 iteration(s) at least.",
    ),
    (
        "train.lr_schedule",
        STEP | {"milestones": "5ep"},
        "train.lr_schedule.milestones=5ep is not a list: write train.lr_schedule.milestones=[…].",
    ),
    (
        "train.lr_schedule",
        {"name": "step"},
        "train.lr_schedule.milestones is missing: give train.lr_schedule.milestones=….",
    ),
    ("train.lr_schedule", STEP | {"gamma": 0}, "train.lr_schedule.gamma=0 must be greater than 0."),
    ("train.lr_schedule", {"name": "linear", "final": -1}, "train.lr_schedule.final=-1 must not be negative."),
    (
        "train.lr_schedule",
        {"name": "constant", "gamma": 1},
        "train.lr_schedule.gamma=1 is no setting of train.lr_schedule.",
    ),
    ("rewind.at", "600it", "rewind.at=600it is step 600, not before the end of training: train.steps comes to 600."),
    ("rewind.at", "30ep", "rewind.at=30ep is step 600, not before the end of training: train.steps comes to 600."),
    ("rewind.at", -1, "rewind.at=-1 is not a length"),
    ("rewind.at", ..., "rewind.at is missing: give rewind.at=…."),
    (
        "rewind.to",
        "weight",
        "rewind.to=weight is unknown: choose from weights, learning_rate, finetune, weights_only; did you mean weights?",
    ),
    (
        "rewind.optimizer",
        "folow",
        "rewind.optimizer=folow is unknown: choose from fresh, follow; did you mean follow?",
    ),
    ("rewind.batch_norm", "none", "rewind.batch_norm=none is unknown: choose from follow, keep, reset"),
    ("rewind.step", 3, "rewind.step=3 is no setting of rewind."),
    (
        "rewind.to",
        "finetune",
        "controls=[shuffle] starts from the weights of the rewinding point, which rewind.to=finetune does "
        "not go back to: drop this control, or choose rewind=weights.",
    ),
    ("controls.reinit.samples", 0, "controls.reinit.samples=0 is not a whole number of 1 or more."),
    ("controls.reinit.levels", 2, "controls.reinit.levels=2 is not a list: write controls.reinit.levels=[…]."),
    ("controls.reinit.levels", [0], "controls.reinit.levels names level 0, and schedule.levels="),
    ("controls.reinit.levels", [99], "controls.reinit.levels names level 99, and schedule.levels="),
    ("controls.reinit.needs_weights", "no", "controls.reinit.needs_weights=no is neither true nor false."),
    ("controls.reinit", None, "controls.reinit=None is not a section of settings: it needs _target_, needs_weights."),
    ("controls", "reinit", "controls=reinit is not a section of settings"),
    ("hardware.accelerator", "cuda", "hardware.accelerator=cuda is unknown: choose from auto, cpu, gpu"),
    ("hardware.precision", 16, "hardware.precision=16 is unknown: choose from 32, tf32, bf16, 64"),
    ("hardware.threads", 0, "hardware.threads=0 is not a whole number of 1 or more."),
    ("hardware.checkpoint_every", -1, "hardware.checkpoint_every=-1 must not be negative."),
    ("hardware.deterministic", "yes", "hardware.deterministic=yes is neither true nor false."),
    ("hardware.workers", 2, "hardware.workers=2 is no setting of hardware."),
    ("hardware.devices", 0, "hardware.devices=0 is not a whole number of 1 or more."),
    ("replicates", 0, "replicates=0 trains nothing: 1 or more."),
    ("replicates", 2.5, "replicates=2.5 is not a whole number."),
    ("seed", "abc", "seed=abc is not a whole number."),
    ("seed", True, "seed=True is not a whole number."),
    ("seed", "${sed}", "seed cannot be resolved: Interpolation key 'sed' not found."),
    (
        "engine",
        "stack",
        "engine=stack is unknown: choose from auto, alone, stacked, dense, sparse, slim; did you mean stacked?",
    ),
    ("name", None, "name=None is not a name."),
    ("store", "", "store= is not a name."),
    ("store", ..., "store is missing: give store=…."),
    (
        "method._target_",
        "no.such",
        "method._target_=no.such is no function that can be imported: No module named 'no'.",
    ),
    ("method._target_", "lotto.methods.imp.__doc__", "method._target_=lotto.methods.imp.__doc__ is no function."),
    ("method.iterative", "no", "method.iterative=no is neither true nor false."),
    ("method.rounds", 3, "method=imp cannot be set up: got an unexpected keyword argument 'rounds'."),
    ("prune.sigma", 3, "prune.sigma=3 is no setting of prune."),
    ("prune.rate", 0, "prune.rate=0.0 lies outside (0, 1)."),
    ("prune.rate", {"dense": 2}, "prune.rate.dense=2 lies outside (0, 1)."),
    ("prune.exclude", "output", "prune.exclude=output is not a list: write prune.exclude=[…]."),
    (
        "prune.allocation",
        "layer_wise",
        "prune.allocation=layer_wise is unknown: choose from layerwise, global, openlth, uniform, erk, er, "
        "balanced; did you mean layerwise?",
    ),
    ("schedule.levels", 0, "schedule.levels=0 is not a number of levels: 1 (the dense network alone) or more."),
    ("schedule.density", 1, "schedule.density=1 lies outside (0, 1)."),
    ("schedule.depth", 3, "schedule cannot be made: Geometric.__init__() got an unexpected keyword argument 'depth'"),
    ("model._target_", "???", "model._target_ is missing: give model._target_=…."),
    (
        "data.validation",
        1347,
        "data.validation=1347 is neither a count from 0 to 1346 nor a fraction of at least 0 and below 1 of "
        "the 1347 examples.",
    ),
    ("replicate", 3, "replicate=3 is no setting of lotto; did you mean replicates?"),
]


@pytest.mark.parametrize(("path", "value", "fragment"), REFUSALS, ids=lambda given: str(given)[:40])
def test_refusals(path: str, value: Any, fragment: str) -> None:
    with pytest.raises(BadRequest) as refusal:
        read(changed(DEFAULT, path, value))
    sentence = str(refusal.value)
    assert fragment in sentence
    assert "\n" not in sentence


def paths(value: Any, path: str = "") -> Iterator[str]:
    for name, inner in value.items() if isinstance(value, dict) else ():
        below = f"{path}.{name}" if path else name
        # What lies inside the data section is lotto.data's to read.
        if not below.startswith("data."):
            yield below
            yield from paths(inner, below)


def test_no_setting_ends_in_a_traceback() -> None:
    """Every setting in turn at odd values, or gone: it is read, or it is refused in one line."""
    odd = (None, "abc", -1, float("nan"), [], {"a": 1}, ...)
    refused = 0
    for path in paths(DEFAULT):
        for value in odd:
            try:
                read(changed(DEFAULT, path, value))
            except BadRequest as reason:
                refused += 1
                assert len(str(reason).splitlines()) == 1, (path, value)
    assert refused > 200


def test_lengths_are_read_in_steps() -> None:
    # 1347 - 150 examples in batches of 60: 19 whole ones and 57 examples more.
    spec = read(changed(changed(DEFAULT, "train.steps", "3ep5it"), "rewind.at", "1ep"))
    assert (spec.train.steps_per_epoch, spec.train.steps, spec.rewind.at) == (20, 65, 20)
    dropped = read(changed(changed(DEFAULT, "train.steps", "3ep5it"), "train.drop_last", True))
    assert (dropped.train.steps_per_epoch, dropped.train.steps) == (19, 62)


@settings(max_examples=15)
@given(st.integers(-(10**9), 10**9), st.integers(1, 1000))
def test_any_seed_and_any_number_of_replicates_will_do(seed: int, replicates: int) -> None:
    spec = read(changed(changed(DEFAULT, "seed", seed), "replicates", replicates))
    assert (spec.seed, spec.replicates) == (seed, replicates)
