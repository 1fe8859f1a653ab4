"""Asked to leave in mid-training: the checkpoint first, then whoever else wanted the signal; later the same bits."""

from __future__ import annotations

import signal
from collections.abc import Callable, Iterator
from pathlib import Path
from types import FrameType

import pytest
import torch

import lotto.training.fit as fit_module
import lotto.training.train as train_module
from lotto.errors import TERMINATED
from lotto.training.signals import Requests
from tests.training.lab import Lab

pytestmark = pytest.mark.usefixtures("without_figures")

ALL = [signal.SIGUSR1, signal.SIGUSR2, signal.SIGTERM]


@pytest.fixture(autouse=True)
def _handlers() -> Iterator[None]:
    earlier = {number: signal.getsignal(number) for number in ALL}
    for number in ALL:
        signal.signal(number, signal.SIG_DFL)
    yield
    for number, handler in earlier.items():
        signal.signal(number, handler)


@pytest.fixture(scope="module")
def quiet(tmp_path_factory: pytest.TempPathFactory) -> Lab:
    """What nothing disturbed."""
    lab = Lab(tmp_path_factory.mktemp("quiet"))
    lab.run()
    return lab


class Cluster:
    """Handlers as a cluster's software sets them."""

    def __init__(self, lab: Lab) -> None:
        self.lab = lab
        self.came: list[int] = []
        self.steps_kept: list[int] = []

    def queue_again(self, number: int, frame: FrameType | None) -> None:
        self.bypass(number, frame)
        raise SystemExit(-1)

    def bypass(self, number: int, frame: FrameType | None) -> None:
        self.came.append(number)
        for path in (self.lab.folder / "store" / "work").glob("*"):
            kept = self.lab.store.load_scratch(path.name)
            self.steps_kept += [kept[1]["step"]] if kept else []


def _raised(monkeypatch: pytest.MonkeyPatch, numbers: list[int], step: int = 40, level: int = 0) -> list[int]:
    """Raise signals while a step of a level is taken; the steps that are taken."""
    original, seen, left = fit_module.Fit._update, [], list(numbers)

    def disturbed(self: fit_module.Fit, at: int, x: torch.Tensor, y: torch.Tensor) -> None:
        seen.append(at)
        original(self, at, x, y)
        while at == step and left:
            signal.raise_signal(left.pop(0))

    monkeypatch.setattr(fit_module.Fit, "_update", disturbed)
    return seen


def _same(lab: Lab, other: Lab) -> None:
    for entry in lab.plan.entries:
        key = entry.trained.key
        results = [{**each.store.record(key)["result"], "wall_seconds": 0} for each in (lab, other)]
        assert results[0] == results[1] and lab.store.metrics(key) == other.store.metrics(key)
        for name, tensor in lab.store.tensors(key).items():
            assert torch.equal(tensor, other.store.tensors(key)[name]), name


@pytest.mark.parametrize(
    ("number", "step"),
    [(signal.SIGUSR2, 20), (signal.SIGUSR2, 44), (signal.SIGUSR1, 28)],
    ids=["inside a chunk", "at its end", "one step before its end"],
)
def test_a_preempted_training_goes_on_from_the_step_it_was_at(
    quiet: Lab, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, number: int, step: int
) -> None:
    lab = Lab(tmp_path)
    cluster = Cluster(lab)
    signal.signal(signal.SIGUSR2, cluster.queue_again)  # as submitit does, for USR2 alone
    with monkeypatch.context() as patch:
        _raised(patch, [number], step)
        with pytest.raises(SystemExit) as left:
            lab.run()
    assert left.value.code == -1
    assert (cluster.came, cluster.steps_kept) == ([number], [step + 1])
    assert signal.getsignal(signal.SIGUSR2) == cluster.queue_again
    assert not list((tmp_path / "store" / "locks").glob("*.lock"))
    with monkeypatch.context() as patch:
        seen = _raised(patch, [])
        lab.run()
    assert seen[0] == step + 1
    _same(lab, quiet)


def test_who_thinks_nothing_of_the_signal_is_asked_and_training_goes_on(
    quiet: Lab, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    lab = Lab(tmp_path)
    cluster = Cluster(lab)
    signal.signal(signal.SIGTERM, cluster.bypass)
    with monkeypatch.context() as patch:
        seen = _raised(patch, [signal.SIGTERM])
        assert not lab.run().failed
    assert seen == [*range(60), *range(60)]
    assert (cluster.came, cluster.steps_kept) == ([signal.SIGTERM], [41])
    _same(lab, quiet)


def test_signals_are_handed_on_in_the_order_in_which_they_came(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Slurm announces a preemption by TERM and, if asked to, by a signal of the job's own."""
    lab = Lab(tmp_path)
    cluster = Cluster(lab)
    signal.signal(signal.SIGTERM, cluster.bypass)
    signal.signal(signal.SIGUSR2, cluster.queue_again)
    _raised(monkeypatch, [signal.SIGTERM, signal.SIGUSR2])
    with pytest.raises(SystemExit):
        lab.run()
    assert cluster.came == [signal.SIGTERM, signal.SIGUSR2]


@pytest.mark.parametrize("number", ALL)
def test_where_nobody_wants_the_signal_the_process_ends(
    quiet: Lab, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, number: int
) -> None:
    lab = Lab(tmp_path)
    with monkeypatch.context() as patch:
        _raised(patch, [number])
        with pytest.raises(SystemExit) as left:
            lab.run()
    assert left.value.code == TERMINATED and signal.getsignal(number) == signal.SIG_DFL
    with monkeypatch.context() as patch:
        seen = _raised(patch, [])
        lab.run()
    assert seen[0] == 41
    _same(lab, quiet)


def test_a_training_that_is_done_is_published_before_the_process_leaves(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    lab = Lab(tmp_path)
    original = train_module._publish

    def disturbed(*given: object) -> None:
        signal.raise_signal(signal.SIGTERM)
        original(*given)  # type: ignore[arg-type]

    monkeypatch.setattr(train_module, "_publish", disturbed)
    with pytest.raises(SystemExit):
        lab.run()
    assert lab.store.verify(lab.entry(0).trained.key) and not list((tmp_path / "store" / "work").glob("*"))


def test_what_is_ignored_stays_ignored_and_all_is_as_it_was_afterwards() -> None:
    came: list[int] = []
    handler: Callable[[int, FrameType | None], None] = lambda number, frame: came.append(number)  # noqa: E731
    signal.signal(signal.SIGUSR1, signal.SIG_IGN)
    signal.signal(signal.SIGUSR2, handler)
    requests = Requests()
    with requests.kept():
        signal.raise_signal(signal.SIGUSR1)
        assert not requests.waiting
        signal.raise_signal(signal.SIGUSR2)
        assert requests.waiting and not came
    assert came == [signal.SIGUSR2] and not requests.waiting
    assert [signal.getsignal(n) for n in ALL] == [signal.SIG_IGN, handler, signal.SIG_DFL]
