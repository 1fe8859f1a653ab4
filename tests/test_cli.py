"""The command line: verbs, the contract's words, and one sentence for everything that a user can mend."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import pytest

from tests.e2e import CONTRACT, TINY, Said, Shell, artifacts, results, steps_planned, steps_run

SMALL = (*TINY, "replicates=1", "schedule.levels=2")


@pytest.fixture
def shell(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capfd: pytest.CaptureFixture[str]) -> Shell:
    return Shell(tmp_path, monkeypatch, capfd)


@pytest.fixture(scope="module")
def store(tmp_path_factory: pytest.TempPathFactory) -> str:
    """Runs that differ in what they say, not in what they train, share what they train."""
    return f"store={tmp_path_factory.mktemp('shared') / 'store'}"


# -- words, before anything heavy is imported ---------------------------------------------------------------------------------------


@pytest.mark.parametrize("arguments", [["--help"], ["plan", "--no-estimate"], ["list"]])
def test_no_torch_before_it_is_needed(tmp_path: Path, arguments: list[str]) -> None:
    program = (
        "import sys, atexit\n"
        f"sys.argv = ['lotto', *{arguments}]\n"
        "heavy = {'torch', 'lightning', 'torchvision', 'pandas', 'matplotlib', 'sklearn', 'wandb', 'plotly'}\n"
        "atexit.register(lambda: print(sorted(heavy & set(sys.modules)), file=sys.stderr))\n"
        "from lotto.cli import main\nmain()\n"
    )
    done = subprocess.run([sys.executable, "-c", program], cwd=tmp_path, capture_output=True, text=True, timeout=60)
    assert (done.returncode, done.stderr) == (0, "[]\n")
    assert done.stdout and not list(tmp_path.iterdir())


def test_python_m_lotto_is_lotto(tmp_path: Path) -> None:
    done = subprocess.run(
        [sys.executable, "-m", "lotto", "plan", "--no-estimate", *SMALL],
        cwd=tmp_path,
        capture_output=True,
        text=True,
        timeout=60,
    )
    assert (done.returncode, steps_planned(done.stdout)) == (0, 180)


@pytest.mark.parametrize(
    "arguments", [["--help"], ["help"], ["-h"], ["plan", "--help"], ["run", "-h"], ["report", "--help"]]
)
def test_help_names_every_verb(shell: Shell, arguments: list[str]) -> None:
    said = shell(*arguments)
    assert (said.status, said.err) == (0, "")
    assert all(f"\n  {verb}" in said.out for verb in ("run", "plan", "report", "ticket", "list", "bench"))


def test_list_shows_groups_options_and_what_they_are(shell: Shell) -> None:
    everything, models = shell("list"), shell("list", "model")
    assert everything.status == models.status == 0
    assert all(f"\n{group}=\n" in f"\n{everything.out}" for group in ("data", "model", "train/optimizer", "experiment"))
    assert models.out.startswith("model=\n") and "  lenet " in models.out and "digits" not in models.out.split()


@pytest.mark.parametrize(
    ("line", "offered"),
    [
        ("lotto mod", {"model=", "model."}),
        ("lotto plan mod", {"model=", "model."}),
        ("lotto run model=vgg", {"model=vgg11", "model=vgg13", "model=vgg16", "model=vgg19"}),
        ("lotto run train.st", {"train.steps="}),
    ],
)
def test_tab_completion(shell: Shell, monkeypatch: pytest.MonkeyPatch, line: str, offered: set[str]) -> None:
    monkeypatch.setenv("COMP_LINE", line)
    monkeypatch.setenv("COMP_POINT", str(len(line)))
    said = shell("-sc", "query=bash")
    assert (said.status, said.err) == (0, "")
    assert offered == set(said.out.split())


def test_completion_installs(shell: Shell) -> None:
    said = shell("-sc", "install=bash")
    assert said.status == 0 and "complete " in said.out


# -- bad input ----------------------------------------------------------------------------------------------------------------------

BAD = [
    # unknown names, with what is near
    ("frobnicate", "frobnicate is no verb"),
    ("plann", "did you mean plan"),
    ("seed", "overrides are written name=value"),
    ("list modl", "did you mean model"),
    ("plan --nope", "--nope"),
    ("modle=lenet", "did you mean model"),
    ("train.stesp=3", "did you mean train.steps"),
    ("train/optimizer=sgd train.optimizer.momentun=1", "did you mean train.optimizer.momentum"),
    ("model=lent", "did you mean lenet"),
    ("data=mnits", "did you mean mnist"),
    ("controls=[shufle]", "did you mean shuffle"),
    ("experiment=frankle2019/lenett", "did you mean frankle2019/lenet"),
    ("method=nope", "There are at_init"),
    ("prune.allocation=globl", "did you mean global"),
    ("hardware.precision=16", "choose from 32, tf32, bf16, 64"),
    ("+foo=1", "foo=1 is no setting"),
    ("+prune.foo=1", "prune.foo=1 is no setting"),
    ("+train.optimizer.foo=1", "train.optimizer cannot be set up"),
    ("train.optimizer._target_=torch.optim.Nope", "torch.optim.Nope"),
    ("+model.foo=1", "model._target_"),
    ("model.init.weights=nope", "glorot_normal"),
    ("model=torchvision model.name=resnet_18", "did you mean resnet18"),
    ("model=custom", "model._target_ is missing"),
    ("model=custom model._target_=nope.Nope", "nope.Nope"),
    ("hydra/launcher=nope", "There are basic"),
    # values
    ("seed=abc", "seed=abc is not a whole number"),
    ("seed==3", "cannot be read as an override"),
    ("seed=1,2", "put -m in front"),
    ("replicates=0", "replicates=0"),
    ("replicates=1.5", "replicates=1.5"),
    ("controls=null", "controls=[]"),
    ("schedule.levels=0", "schedule.levels=0"),
    ("train.steps=0it", "train.steps=0it"),
    ("train.steps=1.5ep", "train.steps=1.5ep is not a length"),
    ("train.batch_size=0", "train.batch_size=0"),
    ("train.lr=0", "greater than 0"),
    ("train.lr=nan", "train.lr=nan"),
    ("prune.rate=1.5", "outside (0, 1)"),
    ("prune.rate=0", "outside (0, 1)"),
    ("prune.rate.dense=1", "outside (0, 1)"),
    ("schedule=linear schedule.density=2", "outside (0, 1)"),
    ("schedule=linear", "schedule.density is missing"),
    ("schedule=densities schedule.densities=[0.5,0.6]", "must fall"),
    ("data.split_seed=abc", "data.split_seed=abc"),
    ("data.validation=5000", "data.validation=5000"),
    ("model.plan=abc", "model.plan"),
    ("controls=[shuffle] controls.shuffle.samples=0", "controls.shuffle.samples=0"),
    ("'name=${nope}'", "nope"),
    # settings that contradict each other
    ("rewind.at=60it", "rewind.at=60it is step 60"),
    ("rewind=finetune controls=[shuffle]", "rewind=weights"),
    ("prune.allocation=global", "give one number"),
    ("train.batch_size=5000 train.drop_last=true", "batch_size=5000"),
    ("schedule=densities schedule.densities=[0.5] schedule.levels=5", "at most 2"),
    ("model=torchvision model.name=resnet18", "3 channels"),
    (
        "engine=stacked ~train.optimizer.betas ~train.optimizer.eps train.optimizer._target_=torch.optim.Adafactor",
        "engine=stacked is impossible",
    ),
    # more levels than weights
    ("schedule.levels=90", "more levels than these layers have weights for"),
    # data that are not there
    ("data=mnist data.root=/nowhere", "looked at /nowhere/MNIST/raw"),
    ("data=mnist data.root=/nowhere", "data.download=true"),
    ("data=image_folder", "data.root is not set"),
    ("data=image_folder data.root=/nowhere", "looked at /nowhere"),
    # where nothing can be written
    ("store=/proc/nowhere", "store=/proc/nowhere cannot be written to"),
    ("store=file", "store=file cannot be written to"),
    ("hydra.run.dir=file", "hydra.run.dir=file cannot be written to"),
    ("hydra.run.dir=/proc/nowhere", "name a folder that can"),
    # every point of a sweep, before the first is run
    ("-m seed=0,abc", "seed=abc is not a whole number"),
    ("-m model=lenet,lent", "did you mean lenet"),
    ("-m modle=1,2", "did you mean model"),
    ("-m seed=0 hydra.sweep.dir=file", "hydra.sweep.dir=file cannot be written to"),
    # the others
    ("--config-dir=nowhere", "--config-dir=nowhere is not a folder"),
    ("report nowhere", "nowhere is neither the folder of a run or a sweep"),
    ("report", "no run with results"),
    ("ticket nope", "invalid choice"),
]  # fmt: skip


@pytest.mark.parametrize(("line", "sentence"), BAD, ids=[line for line, _ in BAD])
def test_a_wrong_request_is_one_sentence_and_trains_nothing(shell: Shell, line: str, sentence: str) -> None:
    import shlex

    (shell.folder / "file").write_text("")
    first, *rest = shlex.split(line)
    given = {override.partition("=")[0] for override in (first, *rest)}
    networks = {"model.plan"} if given & {"model", "data", "experiment"} else set()
    base = [override for override in SMALL if override.partition("=")[0] not in given | networks]
    verbs = ("frobnicate", "plann", "seed", "list", "plan", "report", "ticket")
    said = (
        shell(first, *rest)
        if first in verbs
        else shell(*rest, *base, first)
        if first[0] != "-"
        else shell(first, *base, *rest)
    )
    _refused(said, sentence)
    assert not artifacts(shell.folder / "outputs" / "store")


def _refused(said: Said, sentence: str, status: int = 2) -> None:
    assert said.status == status, said
    assert sentence in said.err and said.err.startswith("lotto: ") and said.err.count("\n") == 1, said.err


@pytest.mark.parametrize(
    "line", ["modle=lenet", "model=lent", "seed=abc", "prune.rate=2", "-m seed=0,abc", "frobnicate"]
)
def test_a_request_that_cannot_be_read_writes_nothing(shell: Shell, line: str) -> None:
    assert shell(*line.split()).status == 2
    assert not list(shell.folder.iterdir())


def test_damaged_data_are_named(shell: Shell) -> None:
    raw = shell.folder / "MNIST" / "raw"
    raw.mkdir(parents=True)
    for name in (
        "train-images-idx3-ubyte",
        "train-labels-idx1-ubyte",
        "t10k-images-idx3-ubyte",
        "t10k-labels-idx1-ubyte",
    ):
        (raw / name).write_bytes(b"\0\0\x08\x03 half a fi")
    said = shell("data=mnist", f"data.root={shell.folder}", *SMALL)
    _refused(said, f"cannot be read from {raw}")
    assert "data.download=true" in said.err


@pytest.mark.usefixtures("without_figures")
def test_no_gpu_is_said_even_if_nothing_is_left_to_train(shell: Shell, store: str) -> None:
    import torch

    if torch.cuda.is_available():
        pytest.skip("there is a GPU here")
    assert shell(*SMALL, store).status == 0
    _refused(shell(*SMALL, store, "hardware=gpu"), "hardware=gpu asks for a GPU")


def test_a_loss_that_is_not_finite_is_a_failed_stage_with_its_note(shell: Shell) -> None:
    said = shell(*SMALL, "train.lr=1e30")
    _refused(said, "was not finite: lower train.lr=1e+30", status=1)
    (note,) = (shell.folder / "outputs" / "store" / "failed").glob("*.json")
    assert f"outputs/store/failed/{note.name}" in said.err
    assert not list(shell.folder.glob("outputs/runs/**/results.csv"))
    assert shell(*SMALL, "train.lr=1e30").status == 1


# -- running ------------------------------------------------------------------------------------------------------------------------


def test_a_run_says_what_it_did_and_where_it_lies(shell: Shell, store: str) -> None:
    planned = steps_planned(shell("plan", "--no-estimate", *SMALL, store).out)
    said = shell(*SMALL, store)
    assert (said.status, said.err, steps_run(said.out)) == (0, "", planned)
    (folder,) = shell.folder.glob("outputs/runs/digits/*")
    rows = results(folder)
    assert list(rows[0])[: len(CONTRACT)] == CONTRACT and len(rows) == 3
    named = {
        line.split()[1] for line in said.out.splitlines() if line.startswith(("results", "report", "figures", "ticket"))
    }
    assert len(named) == 6 and all((shell.folder / name).is_file() for name in named)
    assert steps_planned(shell("plan", *SMALL, store).out) == 0
    assert steps_run(shell("run", *SMALL, store).out) == 0


@pytest.mark.usefixtures("without_figures")
def test_report_rebuilds_what_the_run_wrote(shell: Shell) -> None:
    assert shell(*SMALL).status == 0
    (folder,) = shell.folder.glob("outputs/runs/digits/*")
    written = (folder / "results.csv").read_bytes()
    for arguments in ([], [str(folder)]):
        for name in ("report.md", "report.html"):
            (folder / name).unlink()
        said = shell("report", *arguments)
        assert (said.status, said.err) == (0, "")
        assert (folder / "results.csv").read_bytes() == written
        assert (folder / "report.md").is_file() and (folder / "report.html").is_file()


@pytest.mark.usefixtures("without_figures")
def test_points_of_a_multirun_share_stages(shell: Shell) -> None:
    said = shell("-m", *SMALL, "schedule.levels=3", "method=imp,one_shot")
    assert (said.status, said.err) == (0, "")
    folders = list(shell.folder.glob("outputs/runs/digits/*/results.csv"))
    assert len(folders) == 2
    # The dense network, two levels of ticket and control of imp; one_shot shares the first of them and trains another second.
    trained = [line for line in said.out.splitlines() if " training steps run in " in line]
    assert sum(int(line.split()[0].replace(",", "")) for line in trained) == 60 * (1 + 2 * 2 + 2)
    (page,) = (shell.folder / "outputs/reports").glob("*/report.html")
    assert f"comparison {page.relative_to(shell.folder)}" in said.out


@pytest.mark.usefixtures("without_figures")
def test_a_point_that_fails_does_not_keep_the_others_from_running(shell: Shell, store: str) -> None:
    said = shell("-m", *SMALL, store, "train.lr=1e30,0.0012")
    _refused(said, "was not finite", status=1)
    assert len(list(shell.folder.glob("outputs/runs/digits/*/results.csv"))) == 1


@pytest.mark.usefixtures("without_figures")
def test_a_users_own_options(shell: Shell) -> None:
    (shell.folder / "mine" / "model").mkdir(parents=True)
    (shell.folder / "mine" / "model" / "tiny.yaml").write_text(
        "# A small one\n_target_: my_networks.Tiny\ninit: {weights: null, biases: null, batchnorm: null}\n"
    )
    (shell.folder / "my_networks.py").write_text(
        "from torch import nn\n\n\nclass Tiny(nn.Sequential):\n    def __init__(self, classes):\n"
        "        super().__init__(nn.Flatten(), nn.Linear(64, 8), nn.ReLU(), nn.Linear(8, classes))\n"
    )
    try:
        options = [override for override in SMALL if not override.startswith("model.")]
        assert "  tiny " in shell("list", "model", "--config-dir", "mine").out
        planned = shell("plan", "--no-estimate", "--config-dir", "mine", "model=tiny", *options)
        assert steps_planned(planned.out) == 180
        _refused(shell("--config-dir=mine", "model=tny"), "did you mean tiny")
        # Before its overrides, among them, and behind them.
        for arguments in (
            ["--config-dir", "mine", "model=tiny", *options],
            [*options, "--config-dir=mine", "model=tiny"],
        ):
            said = shell("run", *arguments)
            assert (said.status, said.err) == (0, "")
        assert steps_run(said.out) == 0
    finally:
        sys.modules.pop("my_networks", None)


def test_a_reader_who_goes_away_is_no_error(tmp_path: Path) -> None:
    command = (
        f"{sys.executable} -m lotto plan --no-estimate experiment=frankle2019/vgg19 | head -1; echo ${{PIPESTATUS[0]}}"
    )
    done = subprocess.run(["bash", "-c", command], cwd=tmp_path, capture_output=True, text=True, timeout=60)
    assert done.stdout.splitlines()[1:] == ["0"] and done.stderr == ""


@pytest.mark.skipif(not Path("/dev/full").exists(), reason="this system has no /dev/full")
def test_output_that_cannot_be_written_is_one_sentence(tmp_path: Path) -> None:
    with Path("/dev/full").open("w") as full:
        done = subprocess.run(
            [sys.executable, "-m", "lotto", "plan"],
            cwd=tmp_path,
            stdout=full,
            stderr=subprocess.PIPE,
            text=True,
            env=dict(os.environ, PYTHONUNBUFFERED="1"),
        )
    assert done.returncode == 1 and done.stderr.startswith("lotto: ") and done.stderr.count("\n") == 1, done.stderr
