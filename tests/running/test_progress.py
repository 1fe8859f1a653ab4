from __future__ import annotations

import io

import pytest

from lotto.running.progress import LiveProgress, Pace, PlainProgress, QuietProgress, duration, make_progress


class FakeClock:
    """A clock that moves when told."""

    def __init__(self) -> None:
        self.now = 100.0

    def __call__(self) -> float:
        return self.now


class Terminal(io.StringIO):
    def isatty(self) -> bool:
        return True


@pytest.fixture
def clock() -> FakeClock:
    return FakeClock()


def test_plain_lines_of_a_run(clock: FakeClock) -> None:
    stream = io.StringIO()
    progress = PlainProgress(stream, clock=clock)

    progress.start(total_steps=10_000, cached_steps=4_000)
    progress.stage(level=0, branch="ticket", replicates=2, steps=1_500)
    for second in range(1, 16):
        clock.now = 100.0 + second
        progress.advance(200, 0.9 + second / 1000)
    progress.stage(level=1, branch="reinit", replicates=1, steps=3_000)
    progress.note("the disk is nearly full")
    clock.now += 5
    progress.advance(1_000, None)
    progress.finish()

    assert stream.getvalue().splitlines() == [
        "6,000 training steps to run, 4,000 of 10,000 stored already",
        "level 0 ticket, 2 replicates: 3,000 steps",
        "level 0 ticket, 2 replicates: 2,000 of 3,000 steps, accuracy 91.00%, 200 steps/s, 20 s left",
        "level 0 ticket, 2 replicates: done in 15 s, accuracy 91.50%; 200 steps/s, 15 s left",
        "level 1 reinit, 1 replicate: 3,000 steps",
        "the disk is nearly full",
        "level 1 reinit, 1 replicate: ended after 1,000 of 3,000 steps, 5 s; 200 steps/s, 10 s left",
        "4,000 training steps in 20 s, 2,000 planned steps not run",
    ]


def test_lines_within_a_fit_come_at_most_every_ten_seconds(clock: FakeClock) -> None:
    stream = io.StringIO()
    progress = PlainProgress(stream, clock=clock)
    progress.start(100_000, 0)
    progress.stage(0, "ticket", 1, 100_000)
    before = len(stream.getvalue().splitlines())

    for _ in range(350):
        clock.now += 0.1
        progress.advance(10, None)

    assert len(stream.getvalue().splitlines()) - before == 3


def test_a_run_with_nothing_missing(clock: FakeClock) -> None:
    stream = io.StringIO()
    progress = PlainProgress(stream, clock=clock)

    progress.start(1_000, 1_000)
    progress.finish()

    assert stream.getvalue().splitlines() == [
        "0 training steps to run, 1,000 of 1,000 stored already",
        "0 training steps in 0 s",
    ]


def test_time_left_follows_the_recent_speed(clock: FakeClock) -> None:
    pace = Pace(total=100_000, clock=clock)
    for speed, seconds in ((100, 300), (1_000, 60)):
        for _ in range(seconds):
            clock.now += 1
            pace.advance(speed)

    assert pace.speed == pytest.approx(1_000)
    assert str(pace) == "1,000 steps/s, 10 s left"


def test_before_the_first_step_the_time_left_is_unknown(clock: FakeClock) -> None:
    assert str(Pace(total=10, clock=clock)) == "0 steps/s, time left unknown"


@pytest.mark.parametrize(
    ("seconds", "text"),
    [(0.4, "0 s"), (59.6, "1 min 0 s"), (185, "3 min 5 s"), (7_800, "2 h 10 min"), (273_600, "3 d 4 h")],
)
def test_durations_have_two_units(seconds: float, text: str) -> None:
    assert duration(seconds) == text


def test_a_terminal_gets_bars_and_a_file_gets_lines() -> None:
    assert isinstance(make_progress(Terminal()), LiveProgress)
    assert isinstance(make_progress(io.StringIO()), PlainProgress)


def test_bars_show_the_fit_and_leave_its_outcome(clock: FakeClock, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("TERM", "xterm")
    monkeypatch.setenv("COLUMNS", "120")
    stream = Terminal()
    progress = LiveProgress(stream, clock=clock)

    progress.start(400, 100)
    progress.stage(3, "ticket", 3, 100)
    clock.now += 3
    progress.advance(300, 0.981)
    progress.note("[not markup]")
    progress.finish()

    text = stream.getvalue()
    assert "level 3 ticket, 3 replicates: done in 3 s, accuracy 98.10%" in text
    assert "[not markup]" in text
    assert "300 training steps in 3 s" in text


def test_quiet_says_nothing(capsys: pytest.CaptureFixture[str]) -> None:
    progress = QuietProgress()
    progress.start(1, 0)
    progress.stage(0, "ticket", 1, 1)
    progress.advance(1, 0.5)
    progress.note("hello")
    progress.finish()

    assert capsys.readouterr() == ("", "")
