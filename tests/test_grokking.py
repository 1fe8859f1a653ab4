"""Grokking and its ticket, from the request to the table: what grokking_tickets.md, section 11, asks of a correct implementation.

Addition modulo 53 as in ``experiment=grokking/ci``, cut at 2,000 steps. Of the seeds 0, 1 and 2 it is 1 whose dense network groks early
enough for a test (the others take some 5,000 steps); ``lotto reproduce grokking/contrasts --scale=cpu`` has all three, to the end.
"""

from __future__ import annotations

import pandas as pd
import pytest
import torch

from lotto.report.first_times import first_times
from tests.training.lab import Lab

OVERRIDES = (
    "experiment=grokking/ci", "hardware=cpu", "seed=1", "replicates=1", "train.steps=2000it",
    "controls=[norm_l1,norm_l2,random,shuffle,reinit]",
    "probes=[hitting,frequency,mask_distance]", "probes.frequency.steps=[0,300it]", "probes.mask_distance.steps=[0,300it,1000it]",
)  # fmt: skip


@pytest.fixture(scope="module")
def lab(tmp_path_factory: pytest.TempPathFactory) -> Lab:
    made = Lab(tmp_path_factory.mktemp("grokking"), *OVERRIDES, base=())
    made.run()
    return made


@pytest.fixture(scope="module")
def probes(lab: Lab) -> pd.DataFrame:
    return pd.read_csv(lab.folder / "run" / "probes.csv", keep_default_na=True)


def hitting(probes: pd.DataFrame, measure: str, branch: str = "ticket", level: int = 1) -> float:
    rows = probes[(probes["probe"] == "hitting") & (probes["measure"] == measure)]
    (value,) = rows[(rows["branch"] == branch) & (rows["level"] == level)]["value"]
    return float(value)


def along(probes: pd.DataFrame, probe: str, measure: str, level: int) -> dict[float, float]:
    rows = probes[(probes["probe"] == probe) & (probes["measure"] == measure) & probes["layer"].isna()]
    rows = rows[rows["level"] == level]
    return dict(zip(rows["x"], rows["value"], strict=True))


def test_every_training_has_the_same_split(lab: Lab) -> None:
    assert len({str(entry.trained.fields["data"]) for entry in lab.plan.entries}) == 1
    assert lab.spec.data.identity["split_seed"] == lab.spec.seed == 1
    assert (lab.spec.data.train, lab.spec.train.batch_size) == (858, 858)


def test_the_dense_network_memorises_at_once_and_groks_long_afterwards(lab: Lab, probes: pd.DataFrame) -> None:
    memorised = hitting(probes, "train_step_95", level=0)
    assert memorised < 400
    curve = {row["step"]: row["val_accuracy"] for row in lab.store.metrics(lab.entry(0).trained.key)}
    assert curve[memorised] < 0.1
    assert hitting(probes, "tau_95", level=0) > 500
    assert hitting(probes, "best_held_out", level=0) > 0.99


def test_the_ticket_hardly_waits(probes: pd.DataFrame) -> None:
    assert hitting(probes, "best_held_out") > 0.95
    assert hitting(probes, "tau_95") <= 0.25 * hitting(probes, "tau_95", level=0)


@pytest.mark.parametrize("q", [1, 2])
def test_a_dense_network_of_its_norm_does(lab: Lab, probes: pd.DataFrame, q: int) -> None:
    assert hitting(probes, "tau_least_95", f"norm_l{q}") >= 3 * hitting(probes, "tau_95")

    def norm(branch: str) -> float:
        tensors = lab.store.tensors(lab.entry(1, branch).start.key)
        of = [(tensor.double().abs() ** q).sum() ** (1 / q) for name, tensor in tensors.items() if "weights/" in name]
        assert len(of) == 4
        return float(sum(of)) / 4

    assert norm(f"norm_l{q}") == pytest.approx(norm("ticket"), rel=1e-6)


@pytest.mark.parametrize("branch", ["random", "shuffle", "reinit"])
def test_neither_other_masks_nor_other_weights_come_to_generalise(probes: pd.DataFrame, branch: str) -> None:
    assert hitting(probes, "best_held_out", branch) < 0.95


def beside(lab: Lab, name: str, *overrides: str) -> pd.DataFrame:
    """The probes of the same experiment with a ticket of another kind, at the same store."""
    own = ("controls=[]", "probes=[hitting]", f"store={lab.folder / 'store'}", *overrides)
    kept = [one for one in OVERRIDES if not one.startswith(("controls", "probes"))]
    Lab(lab.folder / name, *own, base=kept).run()
    return pd.read_csv(lab.folder / name / "run" / "probes.csv")


def test_the_mask_of_a_network_that_has_only_memorised_takes_longer(lab: Lab) -> None:
    """This seed groks so early that step 300 lies in its transition: its mask comes to 95% at step 3,910, those of seeds 0 and 2 never."""
    assert hitting(beside(lab, "early", "method.at=300it"), "best_held_out") < 0.95


def test_without_weight_decay_the_ticket_generalises_and_the_dense_network_does_not(lab: Lab) -> None:
    assert hitting(beside(lab, "ticket", "rewind.weight_decay=0.0"), "best_held_out") >= 0.9
    dense = beside(lab, "dense", "train.weight_decay=0.0", "schedule.levels=1")
    assert hitting(dense, "best_train", level=0) > 0.95
    assert hitting(dense, "best_held_out", level=0) < 0.1


def test_what_never_comes_is_written_as_that(lab: Lab, probes: pd.DataFrame) -> None:
    assert pd.isna(hitting(probes, "tau_95", "random"))
    table = first_times(pd.read_csv(lab.folder / "run" / "probes.csv"))
    assert table is not None
    (row,) = [row for row in table.rows if "random" in row]
    assert row[4] == "> 2,000"
    assert "> 2,000" in (lab.folder / "run" / "report.md").read_text()
    assert (lab.folder / "run" / "figures" / "first_times.png").is_file()


def test_the_mask_is_that_of_the_largest_weights_everywhere(lab: Lab) -> None:
    trained, start = lab.trained(0), lab.store.tensors(lab.entry(1).start.key)
    masks = {name.removeprefix("mask/"): tensor.bool() for name, tensor in start.items() if name.startswith("mask/")}
    sizes = torch.cat([trained[f"weights/{name}"].abs().flatten() for name in masks])
    kept = torch.cat([mask.flatten() for mask in masks.values()])
    assert abs(int(kept.sum()) - 0.4 * len(kept)) <= 1
    assert float(sizes[kept].min()) >= float(sizes[~kept].max())
    for name, mask in masks.items():
        assert 0.35 < float(mask.double().mean()) < 0.45, name
    initial = lab.store.tensors(lab.plan.entries[0].start.key)
    for name, mask in masks.items():
        assert torch.equal(start[f"weights/{name}"], initial[f"weights/{name}"] * mask)


def test_the_mask_runs_to_the_last_one_while_the_network_groks(probes: pd.DataFrame) -> None:
    distances = along(probes, "mask_distance", "jaccard", level=0)
    assert list(distances) == [0, 300, 1000, 2000]
    assert list(distances.values()) == sorted(distances.values(), reverse=True)
    assert (
        0.65 < distances[0] < 0.76
    )  # 0.75 by chance; the sheet has 0.734 to the mask of a training four times as long
    assert distances[2000] == 0


def test_the_ticket_computes_with_few_frequencies_long_before_the_dense_network(probes: pd.DataFrame) -> None:
    dense, ticket = (along(probes, "frequency", "entropy_in", level) for level in (0, 1))
    assert dense[0] == pytest.approx(3.08, abs=0.03)  # the sheet's, as the next
    assert ticket[0] == pytest.approx(3.04, abs=0.06)  # the mask depends on the rounding of 2,000 steps
    assert ticket[300] < dense[300] - 0.3
