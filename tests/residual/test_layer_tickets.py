"""Layer tickets from the request to the table: what survives, what is counted, what is refused."""

from __future__ import annotations

from pathlib import Path

import pytest
import torch

from lotto.compose import composed, read_spec
from lotto.entry import Entry
from lotto.errors import BadRequest
from lotto.mask import Mask
from lotto.plan import Plan
from lotto.residual.blocks import removable
from lotto.stages import mask_in, model_of, under
from lotto.store import Store
from lotto.zeroed import zeroed_in
from tests.e2e import Shell, results

pytestmark = pytest.mark.usefixtures("without_figures")

# Of three blocks a stage, nine in all, two change the shape and seven can go; 8 x 8 images, which the stages halve twice.
SMALL = (
    "method=layer_tickets",
    "model=resnet20",
    "model.width=4",
    "train.steps=6it",
    "train.evaluate_every=3it",
    "replicates=2",
    "controls=[]",
    "hydra.run.dir=run",
)
MACS = 2 * 9 * 4 * 4 * 8 * 8  # of a block of the first stage, and of every other


@pytest.fixture
def lotto(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capfd: pytest.CaptureFixture[str]) -> Shell:
    return Shell(tmp_path, monkeypatch, capfd)


def planned(*overrides: str) -> Plan:
    return Plan.of(read_spec(composed([*SMALL, *overrides])))


def gone(entry: Entry, store: Store) -> list[str]:
    mask = mask_in(store.tensors(entry.start.key)) or Mask({})
    return [block.path for block in removable(model_of(entry.trained.fields)) if not bool(mask[block.weights[0]].any())]


def test_blocks_go_before_training_and_all_else_is_theta_0(lotto: Shell, tmp_path: Path) -> None:
    overrides = ("schedule.removed=[1,3]", "controls=[reinit,random,even_blocks]")
    said = lotto(*SMALL, *overrides)
    assert said.status == 0, said.err
    assert "leaves no weight" not in said.out + said.err, "blocks go on purpose, and nothing needs them"
    plan, store = planned(*overrides), Store("outputs/store")
    first = {entry.replicate: store.tensors(entry.start.key) for entry in plan.entries if entry.level == 0}
    removed: dict[tuple[str, int, int], list[str]] = {}
    for entry in plan.entries:
        if entry.level == 0:
            continue
        start, trained = (store.tensors(key) for key in (entry.start.key, entry.trained.key))
        removed[entry.branch, entry.level, entry.replicate] = own = gone(entry, store)
        assert len(own) == (1, 3)[entry.level - 1]
        zeroed = zeroed_in(start)
        for path in own:
            assert bool(zeroed[f"{path}.bn2.weight"].all()) and bool(zeroed[f"{path}.bn2.bias"].all())
            for name in ("conv1.weight", "conv2.weight", "bn2.weight", "bn2.bias"):
                assert not trained[f"weights/{path}.{name}"].any(), "what is gone stays gone"
        if entry.branch == "ticket":
            for name, tensor in under(first[entry.replicate], "weights/").items():
                if not any(name.startswith(f"{path}.") for path in own):
                    assert torch.equal(start[f"weights/{name}"], tensor), name
    for (branch, level, replicate), own in removed.items():
        if branch == "reinit":
            assert own == removed["ticket", level, replicate]
        if branch == "even_blocks" and level == 2:
            assert own == ["blocks.2", "blocks.5", "blocks.8"]
    rows = results(tmp_path / "run")
    dense = next(row for row in rows if row["level"] == "0")
    for row in rows:
        if row["level"] != "0":
            count = (1, 3)[int(row["level"]) - 1]
            assert float(row["flops_slimmed"]) == float(dense["flops_inference"]) - 2 * count * MACS
            assert row["engine"] == "slim"
            widths = [
                4 * 2 ** (int(path.removeprefix("blocks.")) // 3)
                for path in removed[row["branch"], int(row["level"]), int(row["replicate"])]
            ]
            whole = sum(p.numel() for p in model_of(plan.entries[0].trained.fields).parameters())
            assert float(row["weights_slimmed"]) == whole - sum(2 * 9 * c * c + 4 * c for c in widths)


def test_nothing_removed_and_rewound_to_the_beginning_is_the_dense_training_bit_for_bit(lotto: Shell) -> None:
    overrides = ("prune=block_random", "method.scored=trained", "schedule.removed=[0,2]")
    assert lotto(*SMALL, *overrides).status == 0
    plan, store = planned(*overrides), Store("outputs/store")
    trained = {(entry.level, entry.replicate): store.tensors(entry.trained.key) for entry in plan.entries}
    for replicate in range(2):
        dense, same = (under(trained[level, replicate], "weights/") for level in (0, 1))
        assert all(torch.equal(same[name], tensor) for name, tensor in dense.items())


def test_after_training_survivors_go_back_with_their_statistics(lotto: Shell) -> None:
    overrides = ("prune=kl", "method.scored=trained", "schedule.removed=[2]", "rewind.at=3it", "replicates=1")
    said = lotto(*SMALL, *overrides)
    assert said.status == 0, said.err
    plan, store = planned(*overrides), Store("outputs/store")
    (ticket,) = (entry for entry in plan.entries if entry.level == 1)
    (point,) = (s for s in plan.stages.values() if s.kind == "train" and s.fields["stop"] == 3)
    prune = ticket.start.parents["mask"]
    assert prune.parents["trained"].fields["stop"] == 6, "scored at the end"
    start, theta = store.tensors(ticket.start.key), under(store.tensors(point.key), "weights/")
    own = gone(ticket, store)
    assert len(own) == 2
    assert ticket.trained.fields["start"] == 3
    for name, tensor in theta.items():
        if not any(name.startswith(f"{path}.") for path in own):
            assert torch.equal(start[f"weights/{name}"], tensor), name


@pytest.mark.parametrize(
    ("overrides", "sentence"),
    [
        (
            ("schedule.removed=[1,8]",),
            "level 2 cannot be reached. schedule.removed=8 asks for more blocks than can go: 7 have",
        ),
        (("schedule.removed=[4]", "prune.protect=adjacent"), "asks for more blocks than can go: 3 have"),
        (("model=lenet",), "prune.structure=residual finds nothing to prune in LeNet: it has no residual block"),
        (("prune=snip",), "method=layer_tickets removes residual blocks, and prune=snip prunes prune.structure=weight"),
        (("schedule=geometric", "schedule.levels=2"), "prune.structure=residual counts blocks: choose schedule=blocks"),
        (
            ("method=imp", "prune=magnitude", "schedule=blocks"),
            "schedule=blocks counts residual blocks, and prune.structure=weight",
        ),
        (("method.scored=later",), "method.scored=later is unknown"),
        (("prune.protect=all",), "prune.protect=all is unknown"),
    ],
)
def test_what_cannot_be_is_one_sentence_before_training(
    lotto: Shell, tmp_path: Path, overrides: tuple[str, ...], sentence: str
) -> None:
    given = [one for one in SMALL if "model" not in one] if "model=lenet" in overrides else SMALL
    said = lotto(*given, *overrides)
    assert said.status == 2
    assert sentence in said.err
    assert not list(tmp_path.glob("outputs/store/??/*/stage.json"))


def test_the_papers_experiments_plan(spec_of: object) -> None:
    for name, counts in (("resnet32", [1, 2, 3, 4, 5]), ("resnet56", [3, 4, 5, 12])):
        spec = read_spec(composed([f"experiment=layer_tickets/{name}"]))
        assert list(spec.schedule.removed) == counts  # type: ignore[attr-defined]
        assert (spec.train.steps_per_epoch * 200, spec.train.weight_decay) == (spec.train.steps, 1e-4)
    with pytest.raises(BadRequest, match=r"must rise"):
        read_spec(composed(["experiment=layer_tickets/digits", "schedule.removed=[3,1]"]))


@pytest.mark.parametrize(("criterion", "pool"), [("block_snip", "mean"), ("block_grasp", "sum")])
def test_a_blocks_score_is_made_of_its_weights_as_the_paper_says(criterion: str, pool: str) -> None:
    """SNIP's is a mean, lest wide stages win; GraSP's a sum, the effect of shrinking the whole block."""
    spec = read_spec(composed([*SMALL, f"prune={criterion}", "schedule=blocks", "schedule.removed=[1]"]))
    assert (spec.structure.name, spec.structure.pool) == ("residual", pool)


@pytest.mark.parametrize(("scored", "kind"), [("init", "init"), ("trained", "train")])
def test_blocks_are_scored_in_the_network_before_or_after_training(scored: str, kind: str) -> None:
    plan = planned("schedule=blocks", "schedule.removed=[1]", f"method.scored={scored}")
    own = [stage for stage in plan.stages.values() if stage.kind == "prune" and stage.fields["replicate"] == 0]
    assert [mask.parents["trained"].kind for mask in own] == [kind]
