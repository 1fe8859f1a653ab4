"""Tickets out of a store hold what the artifacts hold, and say where it comes from."""

from __future__ import annotations

import pytest
import torch

from lotto.errors import BadRequest, StageFailed
from lotto.tickets import from_store
from tests.tickets.ticket_samples import NETWORK, PRUNING, StoredRun


def test_a_start_and_what_was_trained_from_it_give_the_same_ticket(stored: StoredRun) -> None:
    untrained = from_store(stored.store, stored.ticket.key)
    trained = from_store(stored.store, stored.stages["trained"].key, {"branch": "ticket", "level": 1})
    artifact = stored.store.tensors(stored.ticket.key)

    for ticket in (untrained, trained):
        assert ticket.mask == stored.mask
        assert {f"weights/{name}" for name in ticket.weights} == {
            name for name in artifact if name.startswith("weights/")
        }
        assert all(torch.equal(tensor, artifact[f"weights/{name}"]) for name, tensor in ticket.weights.items())
        assert ticket.rewind_step == 7
        assert ticket.density == stored.mask.density
        assert ticket.metadata["start"] == stored.ticket.key
        assert ticket.metadata["data"] == {"name": "toy"}
        assert ticket.metadata["seeds"] == {"seed": 4, "replicate": 1}
        assert ticket.metadata["pruning"] == {name: PRUNING[name] for name in PRUNING if name not in NETWORK}
        assert {name: ticket.metadata[name] for name in NETWORK} == NETWORK
    assert untrained.metadata["key"] == stored.ticket.key
    assert trained.metadata["key"] == stored.stages["trained"].key
    assert trained.metadata["method"] == {"branch": "ticket", "level": 1}


def test_tensors_are_in_the_models_order(stored: StoredRun) -> None:
    ticket = from_store(stored.store, stored.ticket.key)
    assert list(ticket.mask) == ["fc_layers.0.weight", "fc.weight"]
    assert list(ticket.weights) == ["fc_layers.0.weight", "fc_layers.0.bias", "fc.weight", "fc.bias"]


def test_the_dense_network_has_a_mask_of_ones(stored: StoredRun) -> None:
    ticket = from_store(stored.store, stored.dense.key)
    assert ticket.mask.remaining == ticket.mask.total == 5 * 6 + 3 * 5
    assert ticket.rewind_step == 0
    assert ticket.metadata["pruning"] is None


def test_a_control_is_rewound_where_its_ticket_is(stored: StoredRun) -> None:
    ticket = from_store(stored.store, stored.control.key)
    assert ticket.rewind_step == 7
    assert ticket.mask != stored.mask
    assert ticket.mask.counts() == stored.mask.counts()


def test_the_step_of_a_rewound_schedule_is_known_from_the_trained_network_alone(stored: StoredRun) -> None:
    assert from_store(stored.store, stored.stages["late"].key).rewind_step is None
    assert from_store(stored.store, stored.stages["trained_late"].key).rewind_step == 7


def test_other_artifacts_are_no_tickets(stored: StoredRun) -> None:
    with pytest.raises(BadRequest, match="of kind prune"):
        from_store(stored.store, stored.stages["prune"].key)
    with pytest.raises(StageFailed, match="missing or damaged"):
        from_store(stored.store, "0" * 40)
