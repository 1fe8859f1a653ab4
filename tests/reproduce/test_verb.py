"""``lotto reproduce`` as a user meets it, with a figure of the user's own."""

from __future__ import annotations

from pathlib import Path

import pandas as pd
import pytest

from lotto.report.columns import read_csv
from lotto.reproduce.figure import Figure
from lotto.reproduce.request import Request
from tests.e2e import Shell


@pytest.fixture
def shell(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capfd: pytest.CaptureFixture[str]) -> Shell:
    folder = tmp_path / "here"
    folder.mkdir()
    return Shell(folder, monkeypatch, capfd)


FIGURE = """\
# A little figure
paper: Somebody 2019, Fig 1
notes: [the paper does not say how images are scaled]
overrides: ["model.plan=[20,12]", train.steps=1000it, train.evaluate_every=15it, "controls=[reinit]", "probes=[evaluate]"]
axes:
  method: [imp, one_shot]
report: {x: density, lines: [method], measures: [test_accuracy, evaluate.train_accuracy]}
scales:
  smoke:
    overrides: [train.steps=60it, replicates=2, schedule.levels=3]
    axes: {method: [imp]}
claims:
  - name: gain
    says: A ticket of 80% is better than nothing.
    measure: test_accuracy
    of: {density: 0.8, method: imp}
    unit: "%"
    published: 0.1
    mark: read
    holds: {above: 0}
    tolerance: made up
  - name: perfect
    says: It is perfect.
    measure: test_accuracy
    of: {density: 0.8, method: imp}
    published: 2.0
    mark: from memory
    holds: {at_least: 2}
    direction: {above: 1.5}
    tolerance: made up
  - name: sparse
    says: It still works at 1%.
    measure: evaluate.train_accuracy
    of: {density: 0.01}
    published: 1.0
    mark: computed
    holds: {near: 0.1}
    tolerance: made up
  - name: one shot
    says: One shot is worse.
    measure: test_accuracy
    of: {density: 0.64, method: one_shot}
    published: worse
    mark: plotted
    holds: {below: 0.5}
    tolerance: made up
"""


@pytest.fixture
def figure(tmp_path: Path) -> Path:
    path = tmp_path / "little.yaml"
    path.write_text(FIGURE)
    return path


def test_a_figure_is_run_judged_and_written(shell: Shell, figure: Path) -> None:
    said = shell("reproduce", str(figure), "--scale", "smoke")
    assert said.status == 0, said.err
    assert "Scale smoke: not the paper's experiment. It differs in:" in said.out
    for line in (
        "- train.steps: 60it here, 1000it in the paper",
        "- replicates: 2 here, 5 in the paper",
        "- method: imp here, imp, one_shot in the paper",
    ):
        assert line in said.out
    assert "1 holds; 1 does not hold; 2 not testable at this scale" in said.out

    (folder,) = (shell.folder / "outputs/reproduce/little").iterdir()
    claims = read_csv(folder / "claims.csv").set_index("name")
    assert claims["verdict"].to_dict() == {
        "gain": "holds",
        "perfect": "does not hold",
        "sparse": "not testable at this scale",
        "one shot": "not testable at this scale",
    }
    table = read_csv(folder / "results.csv")
    tickets = table[(table["branch"] == "ticket") & (table["level"] == 1)]
    assert float(claims.loc["gain", "measured"]) == pytest.approx(tickets["test_accuracy"].mean())
    assert int(claims.loc["gain", "n"]) == 2
    assert claims.loc["sparse", "mark"] == "computed"

    report = (folder / "report.md").read_text()
    assert report.index("It differs in") < report.index("| gain |") < report.index("## Provenance")
    assert "the paper does not say how images are scaled" in report
    assert (folder / "figures" / "evaluate.train_accuracy.png").exists()
    page = (folder / "report.html").read_text()
    assert "<td>little</td>" in page
    assert "not testable at this scale" in page and "train.steps: 60it here" in page
    probes = pd.read_csv(folder / "probes.csv")
    assert set(probes["probe"]) == {"evaluate"} and set(probes["axis:method"]) == {"imp"}

    again = shell("reproduce", str(figure), "--scale", "smoke")
    assert again.last_line.startswith("0 training steps run")
    assert read_csv(folder / "claims.csv").equals(claims.reset_index()[list(read_csv(folder / "claims.csv"))])


def test_flags_choose_replicates_and_data(shell: Shell, figure: Path) -> None:
    said = shell(
        "reproduce", str(figure), "--scale=smoke", "--replicates=1", "--data=digits", "--plan", "--no-estimate"
    )
    # the dense network, two tickets and their controls, once each
    assert said.last_line.endswith(f"{60 * (1 + 2 * 2):d} training steps to run")


@pytest.mark.parametrize(
    ("arguments", "sentence"),
    [
        (["nothing"], "nothing is no figure or table of a paper"),
        (["frankle2019/fig44"], "did you mean frankle2019/fig4"),
        (["FIGURE", "--scale=huge"], "--scale=huge is no scale of"),
        (["FIGURE", "--scale=cpu"], "--scale=cpu is no scale of"),
        (["FIGURE", "--seeds=3"], "lotto reproduce does not take --seeds=3"),
        (["FIGURE", "--replicates="], "--replicates needs a value"),
        (["FIGURE", "--scale=smoke", "--replicates=none"], "replicates=none is not a whole number"),
        (["FIGURE", "--scale=smoke", "--data=mnist0"], "data=mnist0 is unknown"),
        (["FIGURE", "FIGURE"], "lotto reproduce takes one figure"),
    ],
)
def test_what_cannot_be_reproduced_is_refused_in_a_sentence(
    shell: Shell, figure: Path, arguments: list[str], sentence: str
) -> None:
    said = shell("reproduce", *(str(figure) if word == "FIGURE" else word for word in arguments))
    assert said.status == 2
    assert sentence in said.err
    assert said.err.count("\n") == 1


@pytest.mark.parametrize(
    ("old", "new", "sentence"),
    [
        ("paper: Somebody 2019, Fig 1", "", "names no paper"),
        ("axes: {method: [imp]}", "axes: {model: [lenet]}", "are no axes of the figure"),
        ("  smoke:", "  tiny:", "may hold smoke, cpu, paper"),
        ("notes: [the paper does not say how images are scaled]", "notes: nothing", "is not a list of words"),
    ],
)
def test_what_is_no_figure_is_refused_in_a_sentence(
    shell: Shell, figure: Path, old: str, new: str, sentence: str
) -> None:
    assert old in FIGURE
    figure.write_text(FIGURE.replace(old, new))
    said = shell("reproduce", str(figure), "--scale=smoke")
    assert said.status == 2 and sentence in said.err


def test_the_paper_scale_differs_from_nothing(figure: Path) -> None:
    from lotto.reproduce.differs import differences

    request = Request.read([], ["--scale=paper"])
    made = Figure.read(str(figure))
    assert differences(request.planned(made), request.paper(made)) == []
    overridden = Request.read(["train.lr=0.5"], ["--scale=paper"])
    (line,) = differences(overridden.planned(made), overridden.paper(made))
    assert line == "train.lr: 0.5 here, 0.0012 in the paper"


def test_the_listing_names_what_is_stored_and_is_kept(
    shell: Shell, monkeypatch: pytest.MonkeyPatch, figure: Path
) -> None:
    from lotto.reproduce import listing

    monkeypatch.setattr(listing, "figures", lambda: [str(figure)])
    before = shell("reproduce", "--no-estimate").out
    assert "Somebody 2019, Fig 1" in before and "4 claims" in before
    steps = 60 * 2 * (1 + 2 * 2)
    # ten networks, and what was read of the six tickets
    assert f"smoke  {steps:>14,} steps; 0 of 16 results stored" in before
    shell("reproduce", str(figure), "--scale=smoke")
    monkeypatch.setattr(Request, "planned", lambda *arguments: pytest.fail("it was planned again"))
    assert f"smoke  {steps:>14,} steps; 16 of 16 results stored" in shell("reproduce", "--no-estimate").out
