"""Pruning before training, from the request to the stored masks; and a user's own criterion on the way."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path

import pandas as pd
import pytest
import torch

import lotto
from lotto.errors import BadRequest
from lotto.mask import Mask
from lotto.plan import Plan
from lotto.pruning.batches import draw
from lotto.recipe import Recipe
from lotto.seeds import Streams
from lotto.spec import Spec
from lotto.stage import Stage, significant
from lotto.stages import mask_in, model_of
from lotto.store import Store
from lotto.training.network import load_state
from tests.e2e import Shell

SMALL = (
    "model.plan=[20,12]",
    "train.steps=40it",
    "train.evaluate_every=20it",
    "replicates=2",
    "method=at_init",
    "hardware=cpu",
)
LISTED = ("schedule=densities", "schedule.densities=[0.3,0.05]")


def prunes(plan: Plan) -> list[Stage]:
    return [stage for stage in plan.stages.values() if stage.kind == "prune"]


def test_masks_come_from_the_weights_that_tickets_start_from(spec_of: Callable[..., Spec]) -> None:
    for at in (0, 100):
        plan = Plan.of(
            spec_of("method=at_init", "replicates=1", "schedule.levels=4", "controls=[]", f"rewind.at={at}it")
        )
        made = prunes(plan)
        assert len(made) == 3
        for stage in made:
            (point,) = stage.parents.values()
            assert (point.kind, point.fields.get("stop")) == (("train", 100) if at else ("init", None))
        for entry in plan.entries[1:]:
            assert entry.start.parents["weights"].key == made[0].parents["trained"].key
        # Nothing dense is trained for their sake.
        dense = plan.entries[0].trained
        assert all(dense.key not in {need.key for need in stage.parents.values()} for stage in plan.stages.values())


def test_a_prune_stage_names_what_changes_its_numbers(spec_of: Callable[..., Spec]) -> None:
    def fields(*overrides: str) -> dict[str, object]:
        spec = spec_of("method=at_init", "replicates=1", "schedule.levels=2", "controls=[]", *overrides)
        return significant(prunes(Plan.of(spec))[0].fields)

    plain = fields()
    assert plain.keys() == {"model", "input_shape", "classes", "criterion", "allocation", "rate", "target", "count"}
    assert fields("prune=random").keys() - plain.keys() == {"seed", "replicate"}
    assert fields("prune=synflow").keys() - plain.keys() == {"rounds"}
    assert fields("prune=snip").keys() - plain.keys() == {"seed", "replicate", "data", "batches"}
    assert fields("prune=force").keys() - plain.keys() == {"seed", "replicate", "data", "batches", "rounds", "regrow"}
    # Where a criterion is asked changes no key that it does not count for.
    assert fields("prune.rounds=1", "prune.path=linear") == plain


def masks(store: Store, plan: Plan, level: int, branch: str, replicate: int = 0) -> Mask:
    (entry,) = (e for e in plan.entries if (e.level, e.branch, e.replicate) == (level, branch, replicate))
    found = mask_in(store.tensors(entry.start.key))
    assert found is not None
    return found


@pytest.fixture
def shell(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capfd: pytest.CaptureFixture[str], without_figures: None
) -> Shell:
    return Shell(tmp_path, monkeypatch, capfd)


def test_the_stored_mask_is_the_library_s_on_the_replicate_s_own_images(
    shell: Shell, spec_of: Callable[..., Spec]
) -> None:
    overrides = (*SMALL, *LISTED, "prune=snip", "controls=[invert,shuffle]")
    said = shell(*overrides)
    assert said.status == 0, said.err
    plan, store = Plan.of(spec_of(*overrides)), Store(shell.folder / "outputs/store")
    from lotto.data.build import build

    data = build(spec_of(*overrides).data_config)
    for replicate in range(2):
        init = next(s for s in plan.stages.values() if s.kind == "init" and s.fields["replicate"] == replicate)
        model = model_of(init.fields)
        load_state(model, {name.removeprefix("weights/"): t for name, t in store.tensors(init.key).items()})
        batches = draw(data, {"per_class": 10, "redraw": False}, Streams(0, replicate).generator("prune/batches", 0))
        assert [len(y) for _, y in batches] == [100]
        assert torch.bincount(batches[0][1]).tolist() == [10] * 10
        ticket = masks(store, plan, 1, "ticket", replicate)
        assert ticket == lotto.prune(model, "snip", 0.3, batches=batches)
        # Turned round: as many in every layer, the lowest scores of each.
        inverted = masks(store, plan, 1, "invert", replicate)
        scores = lotto.scores(model, "snip", batches=batches)
        assert inverted.counts() == ticket.counts() == masks(store, plan, 1, "shuffle", replicate).counts()
        for name, kept in inverted.items():
            assert scores[name][kept].max() <= scores[name][~kept].min()
    assert masks(store, plan, 1, "ticket", 0) != masks(store, plan, 1, "ticket", 1)


def test_inverting_goes_its_rounds_from_the_other_end(shell: Shell, spec_of: Callable[..., Spec]) -> None:
    overrides = (*SMALL, *LISTED, "prune=synflow", "prune.rounds=3", "replicates=1", "controls=[invert]")
    said = shell(*overrides)
    assert said.status == 0, said.err
    plan, store = Plan.of(spec_of(*overrides)), Store(shell.folder / "outputs/store")
    ticket, inverted = masks(store, plan, 2, "ticket"), masks(store, plan, 2, "invert")
    assert ticket.counts() == inverted.counts()
    assert (ticket & inverted).remaining == 0


def test_an_emptied_layer_is_told_and_recorded(shell: Shell, spec_of: Callable[..., Spec]) -> None:
    # Every weight of the second layer is smaller than every one of the first.
    (shell.folder / "lopsided.py").write_text(
        "def scores(model):\n"
        "    return {name: p.abs() + 100 * (p.shape[1] != 20) for name, p in model.named_parameters() if p.dim() > 1}\n"
    )
    overrides = (
        *SMALL,
        *LISTED,
        "prune.criterion._target_=lopsided.scores",
        "prune.allocation=global",
        "prune.rate=0.2",
    )
    said = shell(*overrides, "controls=[]", "replicates=1")
    assert said.status == 0, said.err
    (line, *_) = [line for line in (said.out + said.err).splitlines() if line.startswith("Warning: ")]
    assert "Pruning by lopsided leaves no weight in fc_layers.1.weight" in line
    records = [json.loads(path.read_text()) for path in (shell.folder / "outputs/store").glob("??/*/stage.json")]
    emptied = [record["result"].get("emptied") for record in records if record["kind"] == "prune"]
    assert emptied == [["fc_layers.1.weight"]] * 2


OWN = """
import torch
from torch.nn import functional as F


def taylor(model, batches, power=1):
    \"\"\"First-order Taylor: leaves gradients behind, trains batch normalisation, draws, and returns what it likes.\"\"\"
    model.train()
    for x, y in batches:
        F.cross_entropy(model(x) + 0 * torch.rand(1), y).backward()
    return {name: (p * p.grad).abs() ** power for name, p in model.named_parameters() if p.dim() > 1}
"""
YAML = """# Mine
defaults:
  - _allocation
  - _self_
name: taylor
criterion:
  _target_: mine.taylor
allocation: global
rate: 0.2
batches: {count: 2, size: 50}
"""


def test_a_criterion_of_ones_own_in_both_ways(shell: Shell) -> None:
    (shell.folder / "mine.py").write_text(OWN)
    (shell.folder / "conf/prune").mkdir(parents=True)
    (shell.folder / "conf/prune/taylor.yaml").write_text(YAML)
    said = shell("--config-dir=conf", *SMALL, *LISTED, "prune=taylor", "controls=[invert]")
    assert said.status == 0, said.err
    table = pd.read_csv(next((shell.folder / "outputs/runs").rglob("results.csv")))
    assert set(table["criterion"]) == {"taylor"}
    total = table["weights_total"].iloc[0]
    assert sorted(set(table["weights_remaining"])) == [round(0.05 * total), round(0.3 * total), total]
    # It says what it lacks, and what would be in vain, before anything is trained.
    for override, sentence in (
        ("prune.batches=null", "prune.batches is null, and mine.taylor looks at images"),
        ("+prune.criterion.powr=2", "prune.criterion cannot be set up: mine.taylor has got an unexpected"),
    ):
        said = shell("--config-dir=conf", *SMALL, "prune=taylor", override)
        assert said.status == 2 and sentence in said.err

    from mine import taylor  # type: ignore[import-not-found]

    torch.manual_seed(0)
    model = torch.nn.Sequential(torch.nn.Linear(8, 6), torch.nn.BatchNorm1d(6), torch.nn.ReLU(), torch.nn.Linear(6, 3))
    before = {name: tensor.clone() for name, tensor in model.state_dict().items()}
    mask = lotto.prune(model, taylor, 0.25, batches=[(torch.randn(12, 8), torch.arange(12) % 3)], power=2)
    assert mask.remaining == round(0.25 * 66)
    assert all(torch.equal(tensor, before[name]) for name, tensor in model.state_dict().items())
    assert all(parameter.grad is None for parameter in model.parameters())


@pytest.mark.parametrize(
    ("overrides", "sentence"),
    [
        (
            ("prune=snip", "prune.criterion.mode=trian"),
            "prune.criterion.mode=trian is unknown: choose from train, eval",
        ),
        (("prune=snip", "prune.batches.per_class=500"), "prune.batches asks for 5,000 images, and there are 1,197"),
        (
            ("prune.batches={per_class: 3}",),
            "prune.batches would change nothing: lotto.pruning.magnitude.scores does not take",
        ),
        (("prune=random", "prune.draws=false"), "prune.draws=false, and lotto.pruning.random.scores takes a generator"),
        (("prune.rounds=0",), "prune.rounds=0 is not a whole number of 1 or more."),
        (("prune.path=cubic",), "prune.path=cubic is unknown: choose from exponential, linear"),
    ],
)
def test_refusals(shell: Shell, overrides: tuple[str, ...], sentence: str) -> None:
    said = shell(*SMALL, *overrides)
    assert said.status == 2
    assert sentence in said.err


def test_scores_cannot_be_turned_round_where_none_pruned(spec_of: Callable[..., Spec]) -> None:
    recipe = Recipe(spec_of("method=at_init", "controls=[invert]", "schedule.levels=2"), 0)
    with pytest.raises(
        BadRequest, match=r"^controls=\[invert\] turns a criterion's scores round, and this method's tickets"
    ):
        list(recipe.entries(1, recipe.init(), recipe.dense()))


def test_the_readmes_criterion_works_as_it_stands(shell: Shell) -> None:
    section = (Path(lotto.__file__).parents[1] / "README.md").read_text().partition("A criterion of your own")[2]
    function, settings = (section.partition(f"```{kind}\n")[2].partition("```")[0] for kind in ("python", "yaml"))
    (shell.folder / "own.py").write_text(function)
    (shell.folder / "conf/prune").mkdir(parents=True)
    (shell.folder / "conf/prune/own.yaml").write_text(settings)
    said = shell("--config-dir=conf", *SMALL, *LISTED, "prune=own", "controls=[]", "replicates=1")
    assert said.status == 0, said.err
    table = pd.read_csv(next((shell.folder / "outputs/runs").rglob("results.csv")))
    assert set(table["criterion"]) == {"own"} and len(table) == 3
    assert "|w g|^power: this line is shown by lotto list" in shell("list", "prune", "--config-dir", "conf").out
