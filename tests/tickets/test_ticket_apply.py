"""A ticket goes into any module with its parameters, and a plain loop keeps its zeros."""

from __future__ import annotations

import copy

import pytest
import torch
from torch import nn
from torch.nn import functional as F

from lotto.errors import BadRequest
from lotto.mask import Mask
from lotto.tickets import Ticket, from_store
from lotto.tickets.bits import same_bits
from lotto.training.network import state_of
from tests.tickets.ticket_samples import StoredRun, fresh_model


def plain_network(hidden: int = 5) -> nn.Module:
    """The parameters of the stored run's network in a module that lotto knows nothing of."""
    model = nn.Module()
    model.fc_layers = nn.ModuleList([nn.Linear(6, hidden)])
    model.fc = nn.Linear(hidden, 3)
    return model


def normalised_ticket() -> tuple[Ticket, nn.Module]:
    model = nn.Sequential(nn.Conv2d(1, 2, 3), nn.BatchNorm2d(2))
    with torch.no_grad():
        model[1].running_mean.fill_(3)
    mask = Mask({"0.weight": torch.arange(18).view(2, 1, 3, 3) % 2 == 0})
    buffers = [name for name, _ in model.named_buffers()]
    weights = {name: tensor.detach().clone() for name, tensor in state_of(model).items()}
    return Ticket(mask.apply(weights), mask, {"buffers": buffers}), model


@pytest.mark.parametrize("model", [fresh_model(), plain_network()], ids=["lotto", "plain"])
def test_a_fresh_module_holds_the_tickets_bits(stored: StoredRun, model: nn.Module) -> None:
    ticket = from_store(stored.store, stored.ticket.key)
    assert ticket.apply_to(model) is model
    artifact = stored.store.tensors(stored.ticket.key)
    assert all(same_bits(tensor, artifact[f"weights/{name}"]) for name, tensor in state_of(model).items())
    assert all((model.get_parameter(name)[~kept] == 0).all() for name, kept in stored.mask.items())


def test_weights_that_were_not_masked_are_masked(stored: StoredRun) -> None:
    ticket = from_store(stored.store, stored.ticket.key)
    dense = {name: torch.ones_like(tensor) for name, tensor in ticket.weights.items()}
    model = Ticket(dense, ticket.mask).apply_to(plain_network())
    assert all(torch.equal(model.get_parameter(name), kept.float()) for name, kept in ticket.mask.items())


def test_buffers_are_loaded_where_the_model_has_them() -> None:
    ticket, _ = normalised_ticket()
    model = ticket.apply_to(nn.Sequential(nn.Conv2d(1, 2, 3), nn.BatchNorm2d(2)))
    assert torch.equal(model[1].running_mean, torch.full((2,), 3.0))
    ticket.apply_to(nn.Sequential(nn.Conv2d(1, 2, 3), nn.BatchNorm2d(2, track_running_stats=False)))


@pytest.mark.parametrize(
    ("model", "sentence"),
    [
        (plain_network(hidden=4), r"fc_layers\.0\.weight has shape \[5, 6\], and the Module's has \[4, 6\]"),
        (nn.Sequential(nn.Linear(6, 5)), r"fc_layers\.0\.weight is no parameter of the Sequential\."),
        (
            nn.ModuleDict({"module": plain_network()}),
            r"inside as module\.fc_layers\.0\.weight: apply the ticket to its module",
        ),
        (nn.Sequential(), r"is no parameter"),
    ],
    ids=["shape", "names", "wrapped", "empty"],
)
def test_a_model_that_does_not_fit_is_refused_untouched(stored: StoredRun, model: nn.Module, sentence: str) -> None:
    before = copy.deepcopy(model.state_dict())
    ticket = from_store(stored.store, stored.ticket.key)
    for use in (ticket.apply_to, ticket.mask_gradients):
        with pytest.raises(BadRequest, match=sentence):
            use(model)
    assert all(torch.equal(tensor, before[name]) for name, tensor in model.state_dict().items())


def test_a_parameter_that_the_ticket_lacks_is_named(stored: StoredRun) -> None:
    model = plain_network()
    model.head = nn.Linear(3, 3)
    with pytest.raises(BadRequest, match=r"Module's head\.weight is not in the ticket"):
        from_store(stored.store, stored.ticket.key).apply_to(model)


def test_a_mask_must_have_its_weights() -> None:
    with pytest.raises(BadRequest, match=r"mask of w has shape \[2\], its weights have \[3\]"):
        Ticket({"w": torch.ones(3)}, Mask({"w": torch.ones(2)}))
    with pytest.raises(BadRequest, match="nothing of that name"):
        Ticket({}, Mask({"w": torch.ones(2)}))


OPTIMIZERS = {
    "sgd": lambda parameters: torch.optim.SGD(parameters, lr=0.1, momentum=0.9, weight_decay=0.1),
    "adam": lambda parameters: torch.optim.AdamW(parameters, lr=0.1, weight_decay=0.1),
}


@pytest.mark.parametrize("name", OPTIMIZERS)
def test_a_plain_loop_keeps_the_zeros_and_trains_the_rest(stored: StoredRun, name: str) -> None:
    ticket = from_store(stored.store, stored.ticket.key)
    model = ticket.apply_to(fresh_model())
    handle = ticket.mask_gradients(model)
    optimizer = OPTIMIZERS[name](model.parameters())
    x, y = torch.randn(8, 1, 2, 3, generator=torch.Generator().manual_seed(0)), torch.arange(8) % 3
    for _ in range(5):
        optimizer.zero_grad()
        F.cross_entropy(model(x), y).backward()
        optimizer.step()
    for layer, kept in ticket.mask.items():
        weight = model.get_parameter(layer).detach()
        assert (weight[~kept] == 0).all()
        assert (weight[kept] != ticket.weights[layer][kept]).any()

    handle.remove()
    optimizer.zero_grad()
    F.cross_entropy(model(x), y).backward()
    assert any((model.get_parameter(layer).grad[~kept] != 0).any() for layer, kept in ticket.mask.items())


def test_gradients_that_overflow_leave_pruned_weights_alone() -> None:
    ticket, model = normalised_ticket()
    ticket.mask_gradients(model)
    (model[0].weight * torch.inf).sum().backward()
    assert torch.equal(model[0].weight.grad == 0, ~ticket.mask["0.weight"])
