"""What people read of tickets, on masks small enough to count by eye."""

from __future__ import annotations

import pytest
import torch

from lotto.errors import BadRequest
from lotto.mask import Mask
from lotto.tickets import Ticket, diff, inspect


def ticket(first: list[int], weights: list[float], **metadata: object) -> Ticket:
    mask = Mask({"a.weight": torch.tensor(first), "b.weight": torch.ones(2, 2)})
    tensors = {"a.weight": torch.tensor(weights), "b.weight": torch.ones(2, 2), "b.bias": torch.tensor([weights[0]])}
    return Ticket(mask.apply(tensors), mask, metadata)


def test_inspect_lists_layers_then_metadata() -> None:
    shown = inspect(ticket([1, 0, 0, 1], [1.0, 2, 3, 4], key="abc", rewind_step=7, method={"level": 2}))
    assert shown.splitlines() == [
        "layer     shape  remaining  total  density",
        "a.weight      4          2      4   50.00%",
        "b.weight    2x2          4      4  100.00%",
        "all                      6      8   75.00%",
        "",
        "key          abc",
        "rewind_step  7",
        'method       {"level":2}',
    ]


def test_diff_counts_overlap_beside_chance_and_names_what_differs() -> None:
    shown = diff(ticket([1, 1, 1, 0], [1.0, 2, 3, 4], level=1), ticket([0, 1, 1, 1], [0.0, 2, 5, 4], level=2))
    lines = shown.splitlines()
    # 3 of 4 and 3 of 4: of the 16 pairs of masks 4 share three weights and 12 share two.
    mean, spread = 2.25, (3 / 16) ** 0.5
    z, by_chance = f"{(2 - mean) / spread:+.1f}", f"{(4 * 1 + 12 * 0.5) / 16:.4f}"
    assert [line.split() for line in lines[1:4]] == [
        ["a.weight", "3", "3", "2", "2.2", z, "0.75", "0.5000", by_chance, "2", "1.5", "1"],
        ["b.weight", "4", "4", "4", "4.0", "1.0000", "1.0000", "0", "0.0", "none"],
        ["all", "7", "7", "6", "6.2", z, "0.75", "0.7500", f"{(4 * 1 + 12 * 0.75) / 16:.4f}", "2", "1.5", "1"],
    ]
    assert lines[4:] == [
        "",
        "The masks share 6 weights where chance gives masks of these layers' densities 6.2 ± 0.4: 0.6 standard deviations fewer "
        "(p 0.75); IoU 0.7500, by chance 0.8125.",
        "other tensors that differ: b.bias",
        "level: 1 | 2",
    ]


def test_diff_of_a_ticket_with_itself_finds_nothing() -> None:
    one = ticket([0, 0, 0, 0], [1.0, 2, 3, 4])
    lines = diff(one, one).splitlines()
    assert lines[1].split() == ["a.weight", "0", "0", "0", "0.0", "1.0000", "1.0000", "0", "0.0", "none"]
    assert lines[-3:] == [
        "The masks share 4 weights, as any two masks of these densities do.",
        "other tensors that differ: none",
        "metadata: the same",
    ]


def test_tickets_of_different_networks_are_not_compared() -> None:
    other = Ticket({"a.weight": torch.ones(3)}, Mask({"a.weight": torch.ones(3)}))
    with pytest.raises(BadRequest, match=r"for a\.weight, one has \[4\], the other \[3\]"):
        diff(ticket([1, 1, 1, 1], [1.0] * 4), other)
