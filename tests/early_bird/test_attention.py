"""WORM on queries and keys: which weights are watched, and which gradients are damped."""

from __future__ import annotations

from typing import Any

import torch
from torch import Tensor, nn

from lotto.early_bird.attention import WormAttention, query_and_key_rows
from tests.early_bird.test_search import EPOCH, Scripted
from tests.training.made_up import IMAGE, fitted, members, worst_difference

TARGET = "lotto.early_bird.attention.WormAttention"


class Packed(nn.Module):
    """Every row of pixels is a word; one layer of attention with packed projections."""

    def __init__(self) -> None:
        super().__init__()
        channels, _, width = IMAGE
        self.embed = nn.Linear(channels * width, 8)
        self.attention = nn.MultiheadAttention(8, 2, batch_first=True)
        self.fc = nn.Linear(8, 10)

    def forward(self, x: Tensor) -> Tensor:
        words = self.embed(x.transpose(1, 2).flatten(2))
        mixed, _ = self.attention(words, words, words, need_weights=False)
        return self.fc(mixed.mean(1))


class Apart(nn.Module):
    """The same with linear layers of their own."""

    def __init__(self) -> None:
        super().__init__()
        channels, _, width = IMAGE
        self.query, self.key, self.value = (nn.Linear(channels * width, 8) for _ in range(3))
        self.fc = nn.Linear(8, 10)

    def forward(self, x: Tensor) -> Tensor:
        words = x.transpose(1, 2).flatten(2)
        asked = self.query(words) @ self.key(words).transpose(1, 2)
        return self.fc((asked.softmax(-1) @ self.value(words)).mean(1))


def search(**options: Any) -> dict[str, Any]:
    return {"_target_": TARGET, "ratio": 0.5, "until": "end", **options}


def test_queries_and_keys_are_watched_and_values_are_not() -> None:
    assert query_and_key_rows(Packed()) == {"attention.in_proj_weight": 16}
    assert query_and_key_rows(Apart()) == {"query.weight": 8, "key.weight": 8}
    assert WormAttention.ranked_counts(Packed()) == {"attention.in_proj_weight": 128}
    apart = Apart()
    view: Any = Scripted(apart)
    regimen = WormAttention(view, 0.5)
    regimen.before_forward(0)
    flat = torch.cat([apart.query.weight.flatten(), apart.key.weight.flatten()]).abs()
    assert torch.equal(regimen.searches[0].masks[0], flat > flat.sort().values[len(flat) // 2])


def test_nothing_settles_before_the_third_epoch() -> None:
    view: Any = Scripted(Apart())
    regimen, dampings = WormAttention(view, 0.5), []
    for epoch in range(4):
        regimen.before_forward(epoch * EPOCH)
        dampings.append(regimen.damping)
    assert regimen.searches[0].found == 3 * EPOCH, "the queue of three is full, and still, before epoch 2"
    assert dampings == [1.0, 1.0, 0.01, 0.01]


def test_left_out_queries_and_keys_stand_still_and_all_else_trains() -> None:
    """Damped to nothing from the moment when the queue is full; plain gradient descent."""
    plain: dict[str, Any] = {"optimizer": {"_target_": "torch.optim.SGD"}, "weight_decay": 0.0, "lr": 0.05}
    frozen = search(gate=1.0, least=0.0)
    for make, names in ((Packed, ["attention.in_proj_weight"]), (Apart, ["query.weight", "key.weight"])):
        (before,) = fitted(make, members(make, 1), "alone", regimen=frozen, stop=2 * EPOCH, **plain)
        (after,) = fitted(make, members(make, 1), "alone", regimen=frozen, stop=3 * EPOCH, **plain)
        mask = after.own["early_bird/0.5/masks"][2].bool()
        parts = mask.split([mask.numel() // len(names)] * len(names))
        for name, part in zip(names, parts, strict=True):
            rows = 16 if make is Packed else 8
            kept = part.view(rows, -1)
            moved = after.state[name] != before.state[name]
            assert not moved[:rows][~kept].any() and moved[:rows][kept].float().mean() > 0.9
            assert bool(moved[rows:].all())
        assert bool((after.state["fc.weight"] != before.state["fc.weight"]).all())


def test_a_stack_does_what_each_replicate_does_alone() -> None:
    together = fitted(Apart, members(Apart, 2), "stacked", regimen=search(epsilon=0.0), lr=0.05)
    for place, member in enumerate(members(Apart, 2)):
        (alone,) = fitted(Apart, [member], "alone", regimen=search(epsilon=0.0), lr=0.05)
        assert worst_difference([together[place]], [alone]) < 1e-10
        assert [row["damping"] for row in together[place].metrics] == [row["damping"] for row in alone.metrics]
