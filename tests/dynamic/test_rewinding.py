"""The rewinding family of Renda et al. 2020: which weights and which learning rates a ticket is trained from and at."""

from __future__ import annotations

from pathlib import Path

import pytest
import torch

import lotto
import lotto.training.step
from lotto.compose import composed, read_spec
from lotto.plan import Plan
from lotto.stages import mask_in
from lotto.store import Store
from tests.e2e import TINY

STEPS, AT = 60, 24
BASE = (
    *TINY,
    "controls=[]",
    "replicates=1",
    "train/lr_schedule=cosine",
    "train.lr_schedule.final=0.05",
    "prune.allocation=global",
    "prune.rate=0.2",
)


@pytest.mark.parametrize(
    ("to", "goes_back", "replays"),
    [
        ("weights", True, True),
        ("learning_rate", False, True),
        ("finetune", False, False),
        ("weights_only", True, False),
    ],
)
@pytest.mark.parametrize("at", [0, AT])
def test_weights_and_learning_rates_of_a_ticket(
    to: str, goes_back: bool, replays: bool, at: int, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    rates: list[float] = []

    def noted(optimizer: torch.optim.Optimizer, rate: float) -> None:
        rates.append(rate)
        set_rate(optimizer, rate)

    set_rate = lotto.training.step.set_rate
    overrides = [*BASE, f"rewind={to}", f"rewind.at={at}it", f"store={tmp_path / 'store'}"]
    overrides += [f"hydra.run.dir={tmp_path / 'run'}", "schedule.levels=2"]
    with monkeypatch.context() as patched:
        patched.setattr(lotto.training.step, "set_rate", noted)
        lotto.run(overrides)
    plan, store = Plan.of(read_spec(composed(overrides))), Store(tmp_path / "store")
    _, ticket = plan.entries
    # The dense network, which is trained on from the rewinding point where it passes one, and then the ticket.
    whole, own = rates[:STEPS], rates[STEPS:]
    assert len(set(whole)) == STEPS
    # A rate is set where it changes: once if it is held.
    assert own == (whole[at:] if replays else whole[-1:])

    began, mask = store.tensors(ticket.start.key), mask_in(store.tensors(ticket.start.key))
    assert mask is not None
    source = ticket.start.parents["weights"]
    assert (source.kind, source.fields.get("stop")) == (
        (("init", None) if at == 0 else ("train", AT)) if goes_back else ("train", STEPS)
    )
    weights = store.tensors(source.key)
    for name, kept in mask.items():
        assert torch.equal(began[f"weights/{name}"], weights[f"weights/{name}"] * kept)


def test_iterative_pruning_keeps_four_fifths_a_round_in_nested_masks(tmp_path: Path) -> None:
    overrides = [*BASE, "rewind=learning_rate", "schedule.levels=6", "train.steps=20it", f"store={tmp_path / 'store'}"]
    overrides.append(f"hydra.run.dir={tmp_path / 'run'}")
    lotto.run(overrides)
    plan, store = Plan.of(read_spec(composed(overrides))), Store(tmp_path / "store")
    masks = [mask_in(store.tensors(entry.start.key)) for entry in plan.entries[1:]]
    total = masks[0].total  # type: ignore[union-attr]
    for level, mask in enumerate(masks, 1):
        assert mask is not None and abs(mask.remaining - 0.8**level * total) <= level
        earlier = masks[level - 2] if level > 1 else None
        assert earlier is None or mask <= earlier
