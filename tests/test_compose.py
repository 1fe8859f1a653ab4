"""Every option and every experiment composes; what does not is refused in one sentence."""

from __future__ import annotations

import subprocess
import sys
from collections.abc import Callable, Sequence
from itertools import zip_longest
from pathlib import Path

import pytest

from lotto.compose import CONF, composed, read_spec, run_id
from lotto.errors import BadRequest
from lotto.plan import Plan
from lotto.spec import Spec

EXPERIMENTS = sorted(p.relative_to(CONF / "experiment").with_suffix("").as_posix() for p in CONF.glob("experiment/*/*.yaml"))  # fmt: skip


def options(group: str) -> list[str]:
    return sorted(path.stem for path in (CONF / group).glob("*.yaml") if not path.stem.startswith("_"))


# Settings without which an option says nothing.
NEEDED = {
    "schedule=linear": ["schedule.density=0.1"],
    "schedule=cubic": ["schedule.density=0.1"],
    "schedule=densities": ["schedule.densities=[0.5,0.2]"],
    "schedule=removals": ["schedule.removals=[0.5,0.8]"],
    "train/lr_schedule=step": ["train.lr_schedule.milestones=[1it,2it]"],
    "model=custom": ["model._target_=my_package.Net"],
    "method=layer_tickets": ["prune.structure=residual"],
    "rewind=finetune": ["controls=[reinit]"],
    "rewind=learning_rate": ["controls=[reinit]"],
    "probes=distance": ["controls=[noise]"],
    "data=cube": ["experiment=universal/sine"],
    "method=colt": ["rewind.to=weights"],  # copies have no other weights in common
    "method=supermask": ["schedule.levels=3"],
    "method=universal": ["experiment=universal/sine"],
    "model=candidates": ["model.target={name: sine}"],
}
# What goes with nothing else: a method that trains nothing, and its data.
UNTRAINED = ("data=cube", "method=universal")
SINGLE = [
    group
    for group in sorted(path.relative_to(CONF).as_posix() for path in CONF.rglob("*") if path.is_dir())
    if options(group) and group.partition("/")[0] not in ("experiment", "controls")
]
ROWS = [
    [f"{group}={name}" for group, name in zip(SINGLE, names, strict=True) if name]
    for names in zip_longest(*(options(group) for group in SINGLE))
]


@pytest.fixture(scope="session")
def folder_of_images(tmp_path_factory: pytest.TempPathFactory) -> Path:
    from PIL import Image

    root = tmp_path_factory.mktemp("images")
    for split, count in (("train", 20), ("test", 2)):
        for kind in ("cat", "dog"):
            (root / split / kind).mkdir(parents=True)
            for number in range(count):
                Image.new("RGB", (8, 8), (number, 0, 0)).save(root / split / kind / f"{number}.png")
    return root


def test_there_is_something_to_compose() -> None:
    assert {"data", "model", "train", "train/optimizer", "train/lr_schedule", "method", "prune", "schedule"} <= set(
        SINGLE
    )
    assert len(EXPERIMENTS) >= 10
    assert sum(map(len, ROWS)) == sum(len(options(group)) for group in SINGLE)


@pytest.mark.parametrize("row", ROWS, ids=lambda row: row[0])
def test_every_option_of_every_group_is_read_and_planned(
    row: list[str], folder_of_images: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Row by row the n-th option of every group: each is composed beside others, or alone where they contradict each other."""
    if "start=torchvision" in row:
        monkeypatch.setenv("TORCH_HOME", str(folder_of_images))
        (folder_of_images / "hub" / "checkpoints").mkdir(parents=True)
        (folder_of_images / "hub" / "checkpoints" / "resnet18-f37072fd.pth").touch()
    row = [option for option in row if option in UNTRAINED] or row
    try:
        planned(row, folder_of_images)
    except BadRequest:
        for option in row:
            planned([option], folder_of_images)


def planned(chosen: Sequence[str], folder_of_images: Path) -> None:
    needed = [override for option in chosen for override in NEEDED.get(option, [])]
    if "data=image_folder" in chosen or "data=image_stream" in chosen:
        needed.append(f"data.root={folder_of_images}")
    if "start=checkpoint" in chosen:  # what the file holds is looked at before training
        needed.append(f"start.path={next(folder_of_images.rglob('*.png'))}")
    if "start=torchvision" in chosen:
        needed.append("start.model=resnet18")
    plan = Plan.of(read_spec(composed([*chosen, *needed, "replicates=1"])))
    assert len(plan.entries) > 1
    assert (plan.steps(plan.stages.values()) > 0) != bool(set(chosen) & set(UNTRAINED))


def test_every_control_is_read_and_planned() -> None:
    names = options("controls")
    plan = Plan.of(read_spec(composed([f"controls=[{','.join(names)}]", "replicates=1", "schedule.levels=2"])))
    assert [entry.branch for entry in plan.entries] == ["ticket", "ticket", *names]


@pytest.mark.parametrize("name", EXPERIMENTS)
def test_every_experiment_is_read_and_planned(name: str) -> None:
    spec = read_spec(composed([f"experiment={name}", "replicates=1"]))
    assert spec.name == name
    assert {entry.level for entry in Plan.of(spec).entries} == set(range(spec.schedule.levels))


def test_the_papers_lenet_says_what_the_paper_does(spec_of: Callable[..., Spec]) -> None:
    spec = spec_of("experiment=frankle2019/lenet")
    assert (spec.data.train, spec.data.validation, spec.data.test) == (55_000, 5_000, 10_000)
    assert (spec.train.steps, spec.train.batch_size, spec.train.lr) == (50_000, 60, 1.2e-3)
    assert (spec.schedule.levels, spec.replicates) == (28, 5)
    assert [(control.name, control.samples) for control in spec.controls] == [("reinit", 3)]
    assert (spec.rule.allocation, spec.rule.rate_of) and spec.rule.rate["dense"] == 0.2  # type: ignore[index]
    vgg = spec_of("experiment=frankle2019/vgg19")
    assert (vgg.train.steps_per_epoch, vgg.train.steps) == (703, 112_480)
    assert vgg.train.lr_schedule["milestones"] == [56_240, 84_360]


REFUSALS = [
    (["probes=[distance]"], "distance.branches=noise is not among this request's branches, ticket, reinit, shuffle: add the control"),
    (["model=lenett"], "model=lenett is unknown; did you mean lenet"),
    (["model=lenett"], "There are candidates, conv2,"),
    (["train/optimizer=adm"], "train/optimizer=adm is unknown; did you mean adam"),
    (["controls=[shufle]"], "controls=shufle is unknown; did you mean shuffle? There are even_blocks,"),
    (["experiment=frankle2019/lenett"], "experiment=frankle2019/lenett is unknown; did you mean frankle2019/lenet"),
    (["experiment=nothing"], f"experiment=nothing is unknown. There are {EXPERIMENTS[0]},"),
    (["method=oneshot"], "method=oneshot is unknown; did you mean one_shot? There are at_init"),
    (["trian.lr=1"], "trian.lr is no setting of lotto; did you mean train.lr"),
    (["train.lrr=1"], "train.lrr is no setting of lotto; did you mean train.lr"),
    (["quantum=1"], "quantum is no setting of lotto; lotto list shows what can be composed."),
    (["+foo=1"], "foo=1 is no setting of lotto."),
    (["+train.foo=1"], "train.foo=1 is no setting of train."),
    (["train.lr"], "'train.lr' cannot be read as an override: write name=value, lists as [a,b]."),
    (["seed=1", "model.plan=[300"], "'model.plan=[300' cannot be read as an override"),
    (["~train.lr"], "train.lr is missing: give train.lr=…."),
    (["~foo"], "Could not delete from config. 'foo' does not exist."),
    (["controls=null"], "controls=[]"),
    (["schedule=linear"], "schedule.density is missing: give schedule.density=…."),
    (["train/lr_schedule=step"], "train.lr_schedule.milestones is missing: give train.lr_schedule.milestones=…."),
    (["data=image_folder"], "data.root is not set"),
    (["prune.allocation=global"], "give one number, e.g. prune.rate=0.2."),
]  # fmt: skip


@pytest.mark.parametrize(("overrides", "fragment"), REFUSALS, ids=lambda given: str(given)[:40])
def test_refusals(overrides: list[str], fragment: str) -> None:
    with pytest.raises(BadRequest) as refusal:
        read_spec(composed(overrides))
    assert fragment in str(refusal.value)
    assert "\n" not in str(refusal.value)


@pytest.mark.parametrize(
    ("override", "sentence"),
    [
        (
            "+controls.reinit.scale=2",
            "controls.reinit cannot be set up: lotto.controls.reinit.make has got an unexpected",
        ),
        ("+prune.criterion.power=2", "prune.criterion cannot be set up: lotto.pruning.magnitude.scores has got an"),
        ("controls.shuffle._target_=lotto.none", "controls.shuffle._target_=lotto.none is no function"),
    ],
)
def test_an_option_that_nothing_takes_is_refused_before_training(override: str, sentence: str) -> None:
    from lotto.checks import check_spec

    check_spec(read_spec(composed([])))
    with pytest.raises(BadRequest) as refusal:
        check_spec(read_spec(composed([override])))
    assert sentence in str(refusal.value)


def test_a_users_own_folder_is_searched(tmp_path: Path) -> None:
    (tmp_path / "schedule").mkdir()
    (tmp_path / "schedule" / "short.yaml").write_text("_target_: lotto.schedule.Geometric\nlevels: 2\n")
    assert read_spec(composed(["schedule=short"], str(tmp_path))).schedule.levels == 2


def id_of(*overrides: str) -> str:
    return run_id({name: value for name, value in _plain(overrides).items() if name != "hydra"})


def _plain(overrides: tuple[str, ...]) -> dict[str, object]:
    from omegaconf import OmegaConf

    config = composed(overrides)
    own = OmegaConf.to_container(OmegaConf.masked_copy(config, [n for n in config if n != "hydra"]), resolve=True)
    assert isinstance(own, dict)
    return {str(name): value for name, value in own.items()}


def test_run_folder_is_the_requests() -> None:
    request = id_of()
    assert len(request) == 8
    assert composed([]).hydra.run.dir == f"outputs/runs/digits/{request}"
    assert id_of("seed=0", "train.lr=1.2e-3") == request
    assert id_of("store=/elsewhere", "hardware=cpu", "name=other") == request
    others = [
        id_of(other)
        for other in ("seed=1", "replicates=4", "train.lr=0.1", "controls=[reinit]", "hardware.precision=bf16")
    ]
    assert len({request, *others}) == 6


def test_planning_imports_no_torch() -> None:
    code = (
        "import sys; from lotto.compose import composed, read_spec; from lotto.plan import Plan; import lotto.store;"
        "Plan.of(read_spec(composed(['experiment=frankle2019/conv2'])));"
        "print(sorted({'torch', 'lightning', 'numpy', 'pandas'} & sys.modules.keys()))"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout == "[]\n"
