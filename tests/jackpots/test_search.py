"""The search on a network: what moves, what must not, and that it finds something."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import pytest
import torch
from torch import nn

import lotto
from lotto.errors import BadRequest
from lotto.jackpots.swap import RESTRICTIONS
from lotto.mask import Mask
from lotto.models.lenet import LeNet
from lotto.plan import Plan
from lotto.spec import Spec
from lotto.stages import mask_in, under
from lotto.store import Store
from lotto.training.member import Fitted, Member
from tests.training.made_up import IMAGE, fitted, members
from tests.training.test_regimen import Interrupted

REGIMEN = {"_target_": "lotto.jackpots.search.Search", "restriction": "none", "gap": 0.01, "every": 1}
SEARCH = {"optimizer": {"_target_": "torch.optim.SGD", "momentum": 0.9}, "lr": 0.5, "weight_decay": 5e-4}


def network() -> nn.Module:
    return LeNet(input_shape=IMAGE, classes=10, plan=(20, 10), batch_norm=True)


def starting(count: int = 1) -> list[Member]:
    """Trained weights beside a mask that does not prune them; the classifier is whole."""
    made = members(network, count)
    for member in made:
        model = network()
        model.load_state_dict(dict(member.state))
        member.mask = lotto.prune(model, "magnitude", density=0.3, exclude=["output"])
    return made


def searched(start: list[Member], engine: str = "alone", **changes: object) -> list[Fitted]:
    return fitted(network, start, engine, **{"regimen": REGIMEN, **SEARCH, **changes})


def final(outcome: Fitted) -> Mask:
    mask = mask_in(outcome.own)
    assert mask is not None
    return mask


def test_no_weight_moves_and_statistics_do() -> None:
    (member,), (outcome,) = (start := starting()), searched(start)
    mask = final(outcome)
    for name, before in member.state.items():
        after = outcome.state[name]
        if name.endswith(("running_mean", "running_var", "num_batches_tracked")):
            assert not torch.equal(after, before.to(after.dtype)), name
        else:
            kept = mask[name] if name in mask else torch.ones_like(before, dtype=torch.bool)
            assert torch.equal(after[kept], before.double()[kept]), name
            assert not bool(after[~kept].any()), name
    assert member.mask is not None
    assert mask != member.mask
    assert mask.counts() == member.mask.counts()
    assert set(outcome.slots) == {"momentum_buffer/fc_layers.0.weight", "momentum_buffer/fc_layers.1.weight"}


def test_at_every_evaluation_the_overlap_is_that_of_the_masks() -> None:
    (member,), (outcome,) = (start := starting()), searched(start)
    assert member.mask is not None
    pruned = [name for name in member.mask if not bool(member.mask[name].all())]
    mask = final(outcome)
    same = sum(int((mask[name] & member.mask[name]).sum()) for name in pruned)
    whole = sum(int(member.mask[name].sum()) for name in pruned)
    assert outcome.metrics[0]["overlap"] == 1.0
    assert outcome.metrics[-1]["overlap"] == outcome.results["overlap_with_first"] == same / whole < 1.0


def test_without_a_learning_rate_it_is_magnitude_pruning_with_refreshed_statistics() -> None:
    (member,), (outcome,) = (start := starting()), searched(start, lr=0.0)
    (still,) = fitted(
        network, [masked(member)], "alone", regimen={"_target_": "lotto.training.still.Still"}, **{**SEARCH, "lr": 0.0}
    )
    assert final(outcome) == member.mask
    assert outcome.results["test_accuracy"] == still.results["test_accuracy"]
    assert all(torch.equal(tensor, still.state[name]) for name, tensor in outcome.state.items())


def masked(member: Member) -> Member:
    assert member.mask is not None
    state = {n: t * member.mask[n] if n in member.mask else t for n, t in member.state.items()}
    return Member(member.name, member.streams, state, member.mask)


def test_the_gradient_of_a_score_is_that_of_its_mask_for_pruned_weights_too() -> None:
    """One step of plain SGD on the scores, against autograd through B * W on the same batch."""
    (member,) = start = starting()
    (outcome,) = searched(
        start, stop=1, evaluate_every=1, optimizer={"_target_": "torch.optim.SGD"}, weight_decay=0.0, lr=1.0
    )
    assert member.mask is not None
    model = network().double()
    model.load_state_dict({n: t.double() if t.is_floating_point() else t for n, t in member.state.items()})
    kept = {n: member.mask[n].double().requires_grad_() for n in member.mask}
    effective = {n: p * kept[n] if n in kept else p for n, p in model.named_parameters()}
    buffers = dict(model.named_buffers())
    x, y = first_batch(member)
    logits = torch.func.functional_call(model, effective | buffers, (x.double(),))
    nn.functional.cross_entropy(logits, y).backward()
    for name in ("fc_layers.0.weight", "fc_layers.1.weight"):
        gradient = kept[name].grad
        assert gradient is not None and bool(gradient[~member.mask[name]].any())
        begun = torch.where(member.mask[name], 1.0, 0.99).double()
        assert torch.allclose(outcome.own[f"scores/{name}"], begun - gradient, atol=1e-12)


def first_batch(member: Member) -> tuple[torch.Tensor, torch.Tensor]:
    from tests.training.made_up import MadeUp

    data = MadeUp()
    data.place("cpu")
    x, y = next(iter(data.train_batches([member.streams], 0, 1, 8, False)))
    return x[0], y[0]


def test_stacked_and_alone_find_the_same_masks() -> None:
    together = searched(starting(3), "stacked")
    apart = [searched([member])[0] for member in starting(3)]
    assert [final(one) for one in together] == [final(other) for other in apart]


def test_masks_move_after_every_so_many_steps() -> None:
    third = {"regimen": {**REGIMEN, "every": 3}, "lr": 20.0}
    for stop, moved in ((2, False), (3, True)):
        (member,) = start = starting()
        (outcome,) = searched(start, stop=stop, evaluate_every=stop, **third)
        assert (final(outcome) != member.mask) == moved


def test_the_restriction_is_asked_for_the_share_of_epochs_that_are_over(monkeypatch: pytest.MonkeyPatch) -> None:
    """An epoch of the made-up images has 5 steps, and 12 steps are 3 epochs, the last cut short."""
    parts: list[float] = []

    def restriction(part: float) -> float:
        parts.append(part)
        return 1.0

    monkeypatch.setitem(RESTRICTIONS, "quartic", restriction)
    searched(starting(), stop=12, evaluate_every=12, regimen={**REGIMEN, "restriction": "quartic"})
    assert parts == [0.0] * 5 + [1 / 3] * 5 + [2 / 3] * 2


@pytest.mark.parametrize("restriction", ["none", "quartic", "one"])
def test_a_search_that_is_taken_up_finds_the_same_masks(restriction: str) -> None:
    checkpoints = Interrupted()
    own = {"regimen": {**REGIMEN, "restriction": restriction}, "checkpoints": checkpoints}
    whole = searched(starting(2), "stacked", **own)
    assert checkpoints.kept is not None
    again = searched(starting(2), "stacked", **own)
    assert [final(one) for one in again] == [final(other) for other in whole]
    found = [{**outcome.results, "wall_seconds": 0} for outcome in (*again, *whole)]
    assert found[:2] == found[2:]


def test_rows_are_made_of_the_trained_weights(spec_of: Callable[..., Spec]) -> None:
    shared = ("replicates=1", "schedule=densities", "schedule.densities=[0.1]", "controls=[shuffle]")
    plan = Plan.of(spec_of("method=jackpots", "method.finetune={steps: 50it}", *shared))
    dense, ticket, shuffle, first, finetuned = (
        next(entry for entry in plan.entries if (entry.level, entry.branch) == row)
        for row in ((0, "ticket"), (1, "ticket"), (1, "shuffle"), (1, "first"), (1, "finetuned"))
    )
    begun, found = first.start, finetuned.start
    assert begun.parents["weights"].key == found.parents["weights"].key == dense.trained.key
    # The first row has the mask that the search began with, and the others that which it ended with.
    assert begun.parents["mask"].key == ticket.start.parents["mask"].key
    assert found.parents["mask"].key == ticket.trained.key != begun.parents["mask"].key
    assert shuffle.start.parents["ticket"].key == found.key
    assert shuffle.start.parents["weights"].key == dense.trained.key


def test_the_method_on_the_digits_beats_the_magnitude_mask_by_the_margin_of_the_sheet(tmp_path: Path) -> None:
    """At 90% pruned more than 0.1 above the magnitude mask with refreshed statistics; trained weights as they were."""
    overrides = ["experiment=jackpots2021/digits", "replicates=1", "schedule.levels=2"]
    overrides += [f"store={tmp_path}/store", f"hydra.run.dir={tmp_path}/run"]
    frame = lotto.run(overrides).set_index(["branch", "level"])["test_accuracy"]
    assert frame["ticket", 1] > frame["first", 1] + 0.1
    assert frame["ticket", 1] > frame["shuffle", 1] + 0.1

    store, plan = Store(tmp_path / "store"), Plan.of(spec_of_run(overrides))
    (ticket,) = (entry for entry in plan.entries if entry.branch == "ticket" and entry.level == 1)
    (dense,) = (entry for entry in plan.entries if entry.level == 0)
    before, after = (under(store.tensors(entry.trained.key), "weights/") for entry in (dense, ticket))
    mask = mask_in(store.tensors(ticket.trained.key))
    assert mask is not None
    assert all(torch.equal(after[name], mask.apply(before)[name]) for name in mask)
    # The search began with the largest tenth of all layers but the classifier together, which stays whole.
    first = mask_in(store.tensors(next(entry for entry in plan.entries if entry.branch == "first").start.key))
    assert first is not None and bool(first["fc.weight"].all())
    names = [name for name in first if name != "fc.weight"]
    sizes = torch.cat([before[name].abs().flatten() for name in names])
    chosen = torch.cat([first[name].flatten() for name in names])
    assert float(sizes[chosen].min()) >= float(sizes[~chosen].max())
    assert first.remaining == round(0.1 * first.total) and first.counts() == mask.counts()
    exported = lotto.load_ticket(next((tmp_path / "run" / "tickets").glob("level01*.safetensors")))
    assert exported.mask == mask
    assert all(torch.equal(exported.weights[name], after[name]) for name in after)


def spec_of_run(overrides: list[str]) -> Spec:
    from lotto.compose import composed, read_spec

    return read_spec(composed(overrides))


@pytest.mark.parametrize(
    ("override", "sentence"),
    [
        ("method.gap=0", "method.gap=0 must be greater than 0."),
        ("method.restriction=some", "method.restriction=some is unknown: choose from none, quartic, cosine, one."),
        ("method.every=0", "method.every=0 is not a whole number of 1 or more."),
        ("method.search.lr=-1", "method.search.lr=-1 must be greater than 0."),
        ("+method.search.rate=1", "method.search.rate=1 is no setting of method.search."),
    ],
)
def test_refusals(override: str, sentence: str, spec_of: Callable[..., Spec]) -> None:
    with pytest.raises(BadRequest) as refused:
        Plan.of(spec_of("method=jackpots", override))
    assert str(refused.value).startswith(sentence.removesuffix("."))
