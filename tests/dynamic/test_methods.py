"""SET and RigL as requests: what they plan, what they refuse, and what comes out in the tables."""

from __future__ import annotations

import json
import signal
import time
from collections.abc import Callable
from pathlib import Path

import pandas as pd
import pytest
import torch

import lotto
from lotto.compose import composed, read_spec
from lotto.errors import BadRequest
from lotto.plan import Plan
from lotto.spec import Spec
from lotto.stages import mask_in
from lotto.store import Store
from tests.e2e import TINY, artifacts, start

SMALL = (
    *TINY,
    "schedule=densities",
    "schedule.densities=[0.3,0.1]",
    "schedule.levels=3",
    "prune.allocation=erk",
    "method.beside=[static,frozen]",
)
RIGL = ("method=rigl", "method.every=10it", *SMALL)
SET = ("method=set", "method.every=10it", *SMALL)


@pytest.fixture(scope="module", params=[RIGL, SET], ids=["rigl", "set"])
def run(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> tuple[list[str], Path]:
    """A finished run, its overrides and its store."""
    folder = tmp_path_factory.mktemp("run")
    overrides = [*request.param, f"store={folder / 'store'}", f"hydra.run.dir={folder / 'run'}"]
    lotto.run(overrides)
    return overrides, folder


@pytest.mark.parametrize("method", ["rigl", "set"])
def test_it_begins_at_random_unless_something_else_is_asked_for(method: str, spec_of: Callable[..., Spec]) -> None:
    assert spec_of(f"method={method}").criterion_name == "random"
    assert spec_of(f"method={method}", "prune=snip").criterion_name == "snip"
    assert spec_of("method=imp").criterion_name == "magnitude"


def test_the_first_mask_is_trained_as_pruning_before_training_would(spec_of: Callable[..., Spec]) -> None:
    at_init = Plan.of(spec_of("method=at_init", "prune=random", *SMALL[:-1]))
    beside = Plan.of(spec_of(*RIGL))
    static = {entry.trained.key for entry in beside.entries if entry.branch == "static"}
    assert static == {entry.trained.key for entry in at_init.entries if entry.branch == "ticket" and entry.level}
    both = Plan.union([beside, Plan.of(spec_of(*SET))])
    assert len([entry for entry in both.entries if entry.branch == "static"]) == 2 * len(static)
    assert len({entry.trained.key for entry in both.entries if entry.branch == "static"}) == len(static)


@pytest.mark.parametrize(
    ("field", "value"),
    [
        ("every", "0it"),
        ("every", "often"),
        ("end", "120%"),
        ("begin", "61it"),
        ("fraction", 1.5),
        ("fraction", "much"),
        ("decay", "linear"),
        ("least", 0.4),
        ("growth", "gradients"),
        ("replaces_step", 1),
        ("beside", "[dense]"),
        ("beside", "static"),
    ],
)
def test_what_is_out_of_range_is_refused(field: str, value: object, spec_of: Callable[..., Spec]) -> None:
    with pytest.raises(BadRequest, match=rf"^method\.{field}"):
        Plan.of(spec_of(*RIGL, f"method.{field}={value}"))


@pytest.mark.parametrize("method", ["rigl", "set", "gmp"])
def test_groups_of_weights_are_refused(method: str, spec_of: Callable[..., Spec]) -> None:
    with pytest.raises(BadRequest, match=rf"^prune\.structure=filter .* method={method}"):
        Plan.of(spec_of(f"method={method}", "prune.structure=filter"))


def test_an_option_that_is_none_is_refused(spec_of: Callable[..., Spec]) -> None:
    with pytest.raises(BadRequest, match="interval"):
        Plan.of(spec_of(*RIGL, "+method.interval=3"))


def test_lengths_of_a_method_are_in_steps(spec_of: Callable[..., Spec]) -> None:
    spec = spec_of("method=set", "train.steps=100it", "train.batch_size=60", "method.end=75%")
    (regimen,) = {
        json.dumps(stage.fields["regimen"], sort_keys=True)
        for stage in Plan.of(spec).stages.values()
        if stage.kind == "train" and stage.fields["regimen"]
    }
    found = json.loads(regimen)
    assert (found["every"], found["begin"], found["end"]) == (
        spec.train.steps_per_epoch,
        spec.train.steps_per_epoch,
        75,
    )


def test_the_table(run: tuple[list[str], Path]) -> None:
    overrides, _ = run
    table = lotto.run(overrides)
    assert bool(table["cached"].all())
    assert set(table["branch"]) == {"ticket", "reinit", "static", "frozen"}
    for level, density in ((1, 0.3), (2, 0.1)):
        own = table[table["level"] == level]
        assert own["weights_remaining"].nunique() == 1
        assert own["density"].iloc[0] == pytest.approx(density, abs=1e-3)
    tickets = table[(table["branch"] == "ticket") & (table["level"] > 0)].set_index(["level", "replicate"])
    still = table[table["branch"] == "static"].set_index(["level", "replicate"])
    assert bool((tickets["ever_active"] > tickets["density"]).all()) and bool((tickets["ever_active"] <= 1).all())
    assert bool((tickets["mask_updates"] > 0).all())
    assert tickets["flops_inference"].equals(still["flops_inference"])
    dense = table[table["level"] == 0].set_index("replicate")["flops_inference"].iloc[0]
    steps, images = 60, table["flops_training"] / table["flops_inference"] / 3
    examples = images[(table["branch"] == "static")].iloc[0]
    if "method=rigl" in overrides:
        moving = 45 / steps
        sparse, whole = moving * 32 / 11 + (1 - moving) * 3, moving / 11
        expected = (sparse * tickets["flops_inference"] + whole * dense) * examples
        assert tickets["flops_training"].to_numpy() == pytest.approx(expected.to_numpy())
        assert bool((tickets["flops_training"] > still["flops_training"]).all())
    else:
        assert tickets["flops_training"].equals(still["flops_training"])


def test_controls_are_made_of_the_last_mask_and_do_not_move(run: tuple[list[str], Path]) -> None:
    overrides, folder = run
    store = Store(folder / "store")
    plan = Plan.of(read_spec(composed(overrides)))
    for entry in plan.entries:
        if entry.level == 0:
            continue
        ticket = mask_in(store.tensors(entry.ticket.key))
        first = mask_in(store.tensors(next(e for e in plan.entries if e.trained is entry.ticket).start.key))
        assert ticket is not None and first is not None and ticket != first and ticket.counts() == first.counts()
        began = mask_in(store.tensors(entry.start.key))
        if entry.branch in ("frozen", "reinit"):
            assert began == ticket
        if entry.branch == "frozen":
            theta = store.tensors(entry.start.parents["weights"].key)
            tensors = store.tensors(entry.start.key)
            for name, kept in ticket.items():
                assert torch.equal(tensors[f"weights/{name}"], theta[f"weights/{name}"] * kept)
        if entry.branch != "ticket":
            assert entry.trained.fields["regimen"] is None
            assert mask_in(store.tensors(entry.trained.key)) is None
    assert len(artifacts(folder / "store")) == len(plan.stages)


@pytest.mark.parametrize("method", ["rigl", "gmp"])
def test_killed_in_the_middle_it_goes_on_to_the_same_bits(method: str, tmp_path: Path) -> None:
    options = [option for option in SMALL if "beside" not in option] + [
        f"method={method}",
        "method.every=5it",
        "controls=[]",
    ]
    options += ["hardware.checkpoint_every=0", "train.steps=400it", "train.evaluate_every=20it"]
    if method == "gmp":
        options.append("prune.rate=0.2")

    def overrides(name: str) -> list[str]:
        return [*options, f"store={tmp_path / name / 'store'}", f"hydra.run.dir={tmp_path / name / 'run'}"]

    quiet = lotto.run(overrides("quiet"))
    moving = {entry.trained.key for entry in Plan.of(read_spec(composed(overrides("quiet")))).entries if entry.level}
    store, kills = tmp_path / "killed" / "store", 0
    for _ in range(3):
        process = start(tmp_path, overrides("killed"))
        # The dense network is published first: what is unfinished then is a training whose mask moves.
        while process.poll() is None and not (
            artifacts(store) and any(store.glob("work/*/checkpoint.safetensors")) and not moving & artifacts(store)
        ):
            time.sleep(0.002)
        process.kill()
        process.communicate()
        kills += process.returncode == -signal.SIGKILL
    assert kills >= 1
    again = lotto.run(overrides("killed"))
    timed = ["wall_seconds", "cached"]
    pd.testing.assert_frame_equal(again.drop(columns=timed), quiet.drop(columns=timed))
    ours, theirs = Store(store), Store(tmp_path / "quiet" / "store")
    for key in moving:
        assert ours.metrics(key) == theirs.metrics(key)
        assert all(torch.equal(ours.tensors(key)[name], tensor) for name, tensor in theirs.tensors(key).items())
