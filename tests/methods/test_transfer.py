"""Tickets of other data and classes, of any method, and from files."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import pytest
import torch

from lotto.errors import BadRequest
from lotto.plan import Plan
from lotto.spec import Spec
from lotto.stages import mask_in, under
from tests.training.lab import Lab

TINY = (
    "method=transfer",
    "model.plan=[20,12]",
    "train.steps=60it",
    "train.evaluate_every=30it",
    "replicates=1",
    "schedule.levels=3",
    "controls=[]",
)

pytestmark = pytest.mark.usefixtures("without_figures")


def plan_of(spec_of: Callable[..., Spec], *overrides: str) -> Plan:
    return Plan.of(spec_of(*TINY, *overrides))


@pytest.mark.parametrize("method", ["imp", "one_shot", "colt", "at_init"])
def test_tickets_of_any_method_are_those_of_its_own_experiment(spec_of: Callable[..., Spec], method: str) -> None:
    plan = plan_of(spec_of, f"method@method.source.method={method}", "method.source.data.part={classes: [0,1,2,3]}")
    own = Plan.of(spec_of(f"method={method}", *TINY[1:], "+data.part={classes: [0,1,2,3]}"))
    bodies = [entry.start.parents["body"].key for entry in plan.entries[1:]]
    assert bodies == [entry.start.key for entry in own.entries[1:]]
    assert all(entry.trained.fields["start"] == 0 for entry in plan.entries)
    assert "part" not in plan.entries[1].trained.fields["data"] and len(plan.data) >= 2


def test_a_mask_that_moved_is_taken_from_the_end_of_training(spec_of: Callable[..., Spec]) -> None:
    plan = plan_of(spec_of, "method@method.source.method=set", "method.source.data.part={classes: [0,1,2,3]}")
    bodies = [entry.start.parents["body"] for entry in plan.entries[1:]]
    assert [body.kind for body in bodies] == ["train", "train"]
    assert all(body.fields["regimen"] for body in bodies)


def test_the_dense_network_is_that_of_every_other_method(spec_of: Callable[..., Spec]) -> None:
    plan, imp = plan_of(spec_of), Plan.of(spec_of("method=imp", *TINY[1:]))
    assert plan.entries[0].trained.key == imp.entries[0].trained.key


def test_body_and_mask_are_kept_and_the_head_is_the_same_for_all(tmp_path: Path) -> None:
    lab = Lab(tmp_path, "controls=[shuffle,reinit]", base=TINY)
    outcome = lab.run()
    assert outcome.failed == () and set(outcome.table["branch"]) == {"ticket", "shuffle", "reinit"}
    theta = under(lab.store.tensors(lab.plan.entries[0].start.key), "weights/")
    tickets = [entry for entry in lab.plan.entries if entry.branch == "ticket" and entry.level > 0]
    for entry in tickets:
        found = lab.store.tensors(entry.start.parents["body"].key)
        made = lab.store.tensors(entry.start.key)
        mask, before = mask_in(made), mask_in(found)
        assert mask is not None and before is not None
        for name, tensor in under(made, "weights/").items():
            own = name.startswith("fc.")
            assert torch.equal(tensor, theta[name] if own else found[f"weights/{name}"]), name
            if name in mask:
                assert torch.equal(mask[name], torch.ones_like(tensor, dtype=torch.bool) if own else before[name])
        assert mask.remaining < mask.total and found["weights/fc.weight"].shape[0] == 5
    # A control puts the source's unpruned weights at other places.
    shuffled = lab.store.tensors(next(e for e in lab.plan.entries if e.branch == "shuffle").start.key)
    source = under(lab.store.tensors(tickets[0].start.parents["body"].parents["weights"].key), "weights/")
    mask = mask_in(shuffled)
    assert mask is not None and mask != mask_in(lab.store.tensors(tickets[0].start.key))
    for name, tensor in under(shuffled, "weights/").items():
        if name in mask and not name.startswith("fc."):
            assert torch.equal(tensor, source[name] * mask[name]), name


def test_files_are_levels(tmp_path: Path) -> None:
    source = Lab(tmp_path / "source", "method=imp", "+data.part={classes: [2,7]}", base=TINY)
    (file,) = source.run().tickets
    lab = Lab(tmp_path / "here", f"method.tickets=['{file}']", "schedule.levels=2", "controls=[reinit]", base=TINY)
    outcome = lab.run()
    assert outcome.failed == () and set(outcome.table["level"]) == {0, 1}
    entry = next(entry for entry in lab.plan.entries if entry.level == 1 and entry.branch == "ticket")
    made = lab.store.tensors(entry.start.key)
    theta = lab.store.tensors(lab.plan.entries[0].start.key)
    mask = mask_in(made)
    assert mask is not None and 0 < mask.density < 1 and bool(mask["fc.weight"].all())
    assert torch.equal(made["weights/fc.weight"], theta["weights/fc.weight"])


@pytest.mark.parametrize(
    ("overrides", "sentence"),
    [
        (["method.tickets=[a.safetensors]"], r"method\.tickets lists 1 file\(s\).*give schedule\.levels=2"),
        (["+method.source.steps=5"], r"method\.source\.steps=5 is no setting"),
        (["method.source.train={epochs: 5}"], r"method\.source\.train\.epochs=5 is no setting"),
        (["method.source.data.part={classes: [11]}"], r"names 11: the classes of the data are 0 to 9"),
        (["+method.source.method.partitions=2"], r"method\.source\.method=imp cannot be set up"),
    ],
)
def test_what_is_impossible_is_refused_while_planning(
    spec_of: Callable[..., Spec], overrides: list[str], sentence: str
) -> None:
    with pytest.raises(BadRequest, match=sentence):
        plan_of(spec_of, *overrides)


def test_a_body_that_does_not_fit_is_refused_before_training(tmp_path: Path) -> None:
    lab = Lab(tmp_path, "data@method.source.data=mnist", "method.source.data.part=null", base=TINY)
    with pytest.raises(BadRequest, match=r"method\.source\.data: a ticket found there does not fit"):
        lab.run()
    assert not list((tmp_path / "store").glob("??/*"))
