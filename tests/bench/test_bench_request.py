"""What may be asked for, and what lotto is asked for in turn."""

from __future__ import annotations

import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import pytest

from lotto.bench.cases import CASES
from lotto.bench.contestants import Contestant, contestants_of
from lotto.bench.request import FEW, BenchRequest
from lotto.bench.settings import BenchSettings
from lotto.errors import BadRequest
from lotto.plan import Plan
from lotto.spec import Spec

BAD = [
    ("bench.models=[lent]", "bench.models=lent is unknown: choose from lenet, conv2, resnet20; did you mean lenet?"),
    ("bench.models=[]", "bench.models=[] leaves nothing to measure"),
    ("bench.models=lenet,conv2", "bench.models=lenet,conv2 gives several values: write a list as [a,b]"),
    ("bench.models={a:1}", "cannot be composed"),
    ("bench.replicates=[1,0]", "bench.replicates=0 is not a whole number of 1 or more"),
    ("bench.replicates=[]", "bench.replicates=[] leaves nothing to measure"),
    ("bench.density=0", "bench.density=0 lies outside (0, 1)"),
    ("bench.density=1", "bench.density=1 lies outside (0, 1)"),
    ("bench.density=true", "bench.density=True lies outside (0, 1)"),
    ("bench.rounds=0", "bench.rounds=0 is not a whole number of 1 or more"),
    ("bench.rounds=2.5", "bench.rounds=2.5 is not a whole number"),
    ("bench.seconds=0", "bench.seconds=0 is not a number of seconds greater than 0"),
    ("bench.seconds=.inf", "bench.seconds=.inf is not a number of seconds"),
    ("bench.seconds=nan", "bench.seconds=nan is not a number of seconds"),
    ("bench.start=maybe", "bench.start=maybe is neither true nor false"),
    ("bench.dir=null", "bench.dir=None is not a folder"),
    ("bench.dir=${nope}", "cannot be composed"),
    ("bench.rond=3", "bench.rond is no setting of lotto bench; did you mean bench.rounds or"),
    ("+bench.foo=1", "bench.foo=1 is no setting of bench"),
    ("bench=3", "bench=3 is not a section of settings"),
    ("~bench", "bench is missing"),
    ("~bench.rounds", "bench.rounds is missing"),
    ("train.steps=3", "train.steps is no setting of lotto bench: there are bench.models"),
    ("model=conv2", "model is no setting of lotto bench"),
    ("+seed=1", "seed is no setting of lotto bench"),
    ("hydra.run.dir=x", "hydra.run.dir is no setting of lotto bench"),
    ("hardware=nope", "hardware=nope is unknown. There are auto, cpu, ddp, gpu"),
    ("hardware.devices=2", "lotto bench measures one process on one device: leave hardware.devices at 1."),
    ("hardware.precision=16", "hardware.precision=16 is unknown"),
    ("hardware.threads=0", "hardware.threads=0"),
    ("seed", "'seed' cannot be read as an override"),
    ("bench.models=[lenet", "cannot be read as an override"),
]


@pytest.mark.parametrize(("override", "sentence"), BAD, ids=[override for override, _ in BAD])
def test_a_wrong_request_is_one_sentence(override: str, sentence: str) -> None:
    with pytest.raises(BadRequest) as refusal:
        BenchRequest.read([override])
    assert sentence in str(refusal.value) and "\n" not in str(refusal.value)


def test_what_is_measured_unless_something_else_is_asked_for() -> None:
    request = BenchRequest.read([])
    assert request.settings == BenchSettings(
        tuple(CASES), (1, 5, 16), 0.03, rounds=5, seconds=2.0, start=True, folder=Path("outputs/bench")
    )
    assert request.hardware.accelerator == "auto"


def test_one_value_stands_for_a_list_and_repeated_ones_count_once() -> None:
    settings = BenchRequest.read(["bench.models=conv2", "bench.replicates=[5,1,5]"]).settings
    assert settings.models == ("conv2",) and settings.replicates == (5, 1)


def test_nothing_is_read_with_torch() -> None:
    program = "import sys, lotto.bench.request as r; r.BenchRequest.read([]); print({'torch', 'lightning'} & set(sys.modules))"
    done = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, timeout=60)
    assert (done.stdout, done.stderr) == ("set()\n", "")


def test_everybody_is_measured_dense_and_sparse_and_lotto_once_with_the_papers_evaluation() -> None:
    settings = BenchRequest.read([]).settings
    rows = [(c.loop, c.replicates, c.density, c.evaluation is not None) for c in contestants_of("lenet", settings)]
    alone = [("plain", 1), ("lotto", 1), ("lotto", 5), ("lotto", 16)]
    expected = [(*who, density, False) for density in (1.0, 0.03) for who in alone]
    assert rows == [*expected, ("lotto", 5, 1.0, True)]
    assert len(contestants_of("conv2", settings)) == 8


@pytest.mark.parametrize(("model", "density"), [("lenet", 1.0), ("conv2", 0.03), ("resnet20", 0.03)])
def test_lotto_is_asked_for_the_papers_recipe(
    model: str, density: float, tmp_path: Path, spec_of: Callable[..., Spec]
) -> None:
    case = CASES[model]
    paper = spec_of(f"experiment={case.experiment}")
    request = BenchRequest.read(["hardware.threads=1", "engine=alone"])
    spec = request.spec(Contestant(model, "lotto", 5, density), 7, tmp_path)

    assert spec.model == paper.model
    assert spec.data.train == paper.data.train == case.train
    assert (spec.data.validation, spec.data.test) == (FEW, FEW)
    assert spec.data.input_shape == paper.data.input_shape
    for field in ("normalise", "augment"):
        assert spec.data_config[field] == paper.data_config[field]
    for field in (
        "batch_size",
        "lr",
        "optimizer",
        "lr_schedule",
        "weight_decay",
        "warmup",
        "label_smoothing",
        "loss",
        "drop_last",
    ):
        assert getattr(spec.train, field) == getattr(paper.train, field), field
    assert (spec.train.steps, spec.replicates, spec.store) == (7, 5, str(tmp_path))
    assert (spec.hardware.threads, spec.engine) == (1, "alone")
    assert spec.train.evaluate_every > spec.train.steps

    plan = Plan.of(spec)
    assert plan.steps(list(plan.stages.values())) == 5 * 7
    kinds = sorted(stage.kind for stage in plan.stages.values())
    assert kinds == sorted(["init", "train"] * 5 + (["prune", "rewind"] * 5 if density < 1 else []))


def test_the_papers_evaluation_is_its_own(tmp_path: Path, spec_of: Callable[..., Spec]) -> None:
    paper = spec_of("experiment=frankle2019/lenet")
    request = BenchRequest.read([])
    *_, contestant = contestants_of("lenet", request.settings)
    spec = request.spec(contestant, 300, tmp_path)
    assert spec.train.evaluate_every == paper.train.evaluate_every
    assert (spec.data.train, spec.data.validation) == (paper.data.train, paper.data.validation)


def test_an_engine_that_lotto_does_not_have_is_refused(tmp_path: Path) -> None:
    with pytest.raises(BadRequest, match="engine=frob is unknown"):
        BenchRequest.read(["engine=frob"]).spec(Contestant("lenet", "lotto", 1, 1.0), 5, tmp_path)
