"""Following a run: the order of rows, their ends, and failures of a mirror that are none of the run's."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Any

import pytest

from lotto.compose import composed, read_spec
from lotto.errors import BadRequest
from lotto.mirrors import mirror
from lotto.mirrors.follow import Mirrors
from lotto.mirrors.line import Line, Row, lines_of
from lotto.mirrors.mirror import Files
from tests.e2e import TINY, artifacts
from tests.mirrors.lab import Lab

pytestmark = pytest.mark.usefixtures("without_figures")


@pytest.fixture(scope="module")
def lab(tmp_path_factory: pytest.TempPathFactory) -> Lab:
    lab = Lab(tmp_path_factory.mktemp("mirrors"), ("controls.reinit.samples=2",))
    lab.run()
    return lab


class Notes:
    """A mirror that notes what it is told."""

    def __init__(self, held: Sequence[str] = (), fails: str = "") -> None:
        self.told: list[tuple[Any, ...]] = []
        self._held, self._fails = held, fails

    def check(self) -> None: ...

    def holds(self, line: Line, rows: Sequence[Row]) -> bool:
        return line.name in self._held

    def begin(self, line: Line) -> None:
        self._tell("begin", line.name)

    def row(self, line: Line, row: Row) -> None:
        self._tell("row", line.name, row.entry.level, row.entry.sample)

    def end(self, line: Line, exit_code: int, files: Files) -> None:
        self._tell("end", line.name, exit_code)

    def close(self, exit_code: int) -> str:
        self._tell("close", exit_code)
        return "there"

    def _tell(self, *what: Any) -> None:
        if what[0] == self._fails:
            raise OSError("no space left")
        self.told.append(what)

    def of(self, name: str) -> list[tuple[Any, ...]]:
        return [told for told in self.told if name in told]


TICKET, CONTROL = "imp-magnitude-ticket-replicate0", "imp-magnitude-reinit-replicate0"


def following(lab: Lab, *mirrors: Notes) -> tuple[Mirrors, list[str]]:
    said: list[str] = []
    named = {f"notes{index}": one for index, one in enumerate(mirrors)}
    return Mirrors(named, lab.spec, lab.plan, lab.store, said.append), said


def keys(lab: Lab, name: str) -> list[str]:
    (line,) = (line for line in lines_of(lab.spec, lab.plan) if line.name == name)
    return [entry.trained.key for entry in line.entries]


def test_rows_come_in_the_order_of_the_line(lab: Lab) -> None:
    notes = Notes()
    mirrors, said = following(lab, notes)
    mirrors.published(set(keys(lab, TICKET)[2:]))  # as another process would have stored the ones before
    assert notes.told == [("begin", TICKET), *(("row", TICKET, level, 0) for level in range(3))]
    mirrors.finish(Files())
    assert notes.of(TICKET)[-1] == ("end", TICKET, 0)
    assert notes.of(CONTROL) == [
        ("begin", CONTROL),
        *(("row", CONTROL, level, sample) for level in (1, 2) for sample in (0, 1)),
        ("end", CONTROL, 0),
    ]
    assert notes.told[-1] == ("close", 0) and said == ["logger=notes0: there"]
    assert len([told for told in notes.told if told[0] == "begin"]) == 4


def test_what_a_mirror_holds_is_not_mirrored_again(lab: Lab) -> None:
    notes, empty = Notes(held=[TICKET]), Notes()
    mirrors, _ = following(lab, notes, empty)
    mirrors.finish(Files())
    assert notes.of(TICKET) == [] and len(empty.of(TICKET)) == 5


@pytest.mark.parametrize(
    ("reason", "status"), [(KeyboardInterrupt(), 130), (SystemExit(143), 143), (BadRequest("no"), 2), (OSError(), 1)]
)
def test_a_run_that_is_ended_ends_its_lines_with_its_exit_status(lab: Lab, reason: BaseException, status: int) -> None:
    notes = Notes()
    mirrors, _ = following(lab, notes)
    with pytest.raises(type(reason)), mirrors.following():
        mirrors.published({keys(lab, TICKET)[0]})
        raise reason
    assert notes.told[-2:] == [("end", TICKET, status), ("close", status)]


@pytest.mark.parametrize("moment", ["begin", "row", "end", "close"])
def test_a_failing_mirror_harms_neither_the_run_nor_another_mirror(lab: Lab, moment: str) -> None:
    bad, good, alone = Notes(fails=moment), Notes(), Notes()
    mirrors, said = following(lab, bad, good)
    mirrors.finish(Files())
    following(lab, alone)[0].finish(Files())
    assert good.told == alone.told and mirrors.failed == ["notes0"]
    (sentence,) = (words for words in said if "notes0" in words)
    assert sentence.startswith("logger=notes0 failed and is left out from here on (OSError: no space left);")


def test_a_ticket_that_failed_keeps_back_none_behind_it(lab: Lab, monkeypatch: pytest.MonkeyPatch) -> None:
    lost, notes = keys(lab, TICKET)[1], Notes()
    mirrors, _ = following(lab, notes)
    has = mirrors._store.has
    monkeypatch.setattr(mirrors._store, "has", lambda key: key != lost and has(key))
    mirrors.finish(Files())
    assert notes.of(TICKET) == [("begin", TICKET), ("row", TICKET, 0, 0), ("row", TICKET, 2, 0), ("end", TICKET, 1)]
    assert notes.told[-1] == ("close", 1)


def test_a_line_is_the_same_whichever_run_asks_for_it() -> None:
    def ids(*overrides: str) -> dict[str, str]:
        spec = read_spec(composed([*TINY, *overrides]))
        from lotto.plan import Plan

        return {line.name: line.id for line in lines_of(spec, Plan.of(spec))}

    one, more, other = ids("replicates=1"), ids("replicates=2"), ids("seed=1")
    assert one.items() <= more.items()
    assert len({*more.values(), *other.values()}) == len(more) + len(other)
    assert not set(ids("name=else").values()) & set(more.values())


def test_loggers_change_neither_the_run_nor_its_stages() -> None:
    plain, logged = (composed([*TINY, logger]) for logger in ("logger=[]", "logger=[csv,tensorboard,wandb]"))
    assert plain.hydra.run.dir == logged.hydra.run.dir
    from lotto.plan import Plan

    assert Plan.of(read_spec(plain)).stages.keys() == Plan.of(read_spec(logged)).stages.keys()
    assert list(read_spec(logged).loggers) == ["csv", "tensorboard", "wandb"]


@pytest.mark.parametrize(
    ("overrides", "sentence"),
    [
        (["logger=wandbb"], "logger=wandbb is unknown; did you mean wandb? There are csv, tensorboard, wandb."),
        (["logger=wandb", "logger.wandb.mode=onlin"], "logger.wandb.mode=onlin is unknown: choose from offline, online, disabled; did"),
        (["logger=wandb", "+logger.wandb.mask=true"], "logger.wandb.mask=True is no setting of logger.wandb; did you mean masks?"),
        (["logger=wandb", "logger.wandb.masks=1"], "logger.wandb.masks=1 is neither true nor false."),
        (["logger=csv", "logger.csv._target_=lotto.none"], "logger.csv._target_=lotto.none is no function"),
    ],
)  # fmt: skip
def test_refusals(overrides: list[str], sentence: str) -> None:
    with pytest.raises(BadRequest) as refusal:
        read_spec(composed(overrides))
    assert str(refusal.value).startswith(sentence) and "\n" not in str(refusal.value)


@pytest.mark.parametrize(("logger", "package"), [("wandb", "wandb"), ("tensorboard", "tensorboard")])
def test_a_library_that_is_not_installed_is_said_before_anything_is_trained(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, logger: str, package: str
) -> None:
    monkeypatch.setattr(mirror, "find_spec", lambda name: None)
    lab = Lab(tmp_path, (f"logger={logger}",))
    with pytest.raises(BadRequest) as refusal:
        lab.run()
    assert str(refusal.value) == (
        f"logger={logger} needs the package {package}, which is not installed: uv sync --extra {logger}, or pip install 'lotto[{logger}]'."
    )
    assert artifacts(lab.store.root) == set() and not lab.run_folder.exists()
