"""Training of the physically smaller network behind a structured ticket, which comes to what masked training comes to.

Artifacts are written back in the plain module's names and shapes: removed weights are zero, and the statistics of removed channels, which
nothing reads, stay as they were at the start. So probes, controls, tickets and reports need not know of it.
"""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence
from copy import deepcopy
from dataclasses import replace
from typing import TYPE_CHECKING

import torch
from torch import Tensor, nn
from torch.func import functional_call

from lotto.errors import BadRequest
from lotto.slimming import Slimming, slimmed
from lotto.training.network import Alone, Tensors, state_of
from lotto.zeroed import pinned

if TYPE_CHECKING:
    from lotto.training.member import Member

# How far the outputs and gradients of the two networks may lie apart in double precision, of the largest.
_TOLERANCE = 1e-8
_EXAMPLES = 3


class Slim(Alone):
    """The smaller network of one replicate. Tensors of dropped branches are there without numbers."""

    engine = "slim"

    def __init__(self, slimming: Slimming, member: Member) -> None:
        self._slimming = slimming
        smaller = {name: slimming.gather(name, member.state[name]) for name in slimming.kept}
        super().__init__(slimming.module.train(), [replace(member, state=smaller)])
        precision = next(self.model.parameters()).dtype
        self._whole = {
            name: tensor.detach().to(precision if tensor.is_floating_point() else tensor.dtype, copy=True)
            for name, tensor in member.state.items()
        }
        self.register_buffer("_nothing", torch.empty(0), persistent=False)

    @property
    def layout(self) -> str:
        return f"{self.engine} {sum(tensor.numel() for tensor in self.trained().values())}"

    def tensors(self) -> Tensors:
        live = state_of(self.model)
        return {name: live.get(name, self.get_buffer("_nothing")) for name in self._whole}

    def evaluate(self, tensors: Tensors, x: Tensor) -> Tensor:
        self.model.eval()
        own = {name: tensor for name, tensor in tensors.items() if name in self._slimming.kept}
        logits = functional_call(self.model, own, (self._laid_out(x),)).unsqueeze(0)
        self.model.train()
        return logits

    def gather(self, name: str, values: Sequence[Tensor]) -> Tensor:
        (whole,) = values
        return self._slimming.gather(name, whole) if name in self._slimming.kept else whole.new_empty(0)

    def of_replicate(self, name: str, tensor: Tensor, replicate: int) -> Tensor:
        whole = self._whole[name].to(tensor.device)
        return self._slimming.write_back(name, tensor, whole) if name in self._slimming.kept else whole

    def multipliers(self, members: Sequence[Member], besides: Collection[str] = ()) -> Tensors:
        found = super().multipliers(members, besides)
        return {name: kept for name, kept in found.items() if name in besides or not bool(kept.all())}


def slim_network(model: nn.Module, member: Member, input_shape: tuple[int, ...]) -> Slim | str:
    """The smaller network of a structured ticket, or in words why there is none.

    ``model``, whose tensors mean nothing here, is unchanged.
    """
    zeros = pinned(member.mask, member.zeroed)
    try:
        slimming = slimmed(model, input_shape, zeros)
    except BadRequest as reason:
        return str(reason)
    if slimming.sources:
        return "one of its tensors has several names"
    removed = slimming.removed(dict(model.named_parameters()))
    for name, gone in removed.items():
        if bool((gone & ~zeros.get(name, torch.zeros_like(gone))).any()):
            return f"{name} would be trained where no output depends on it"
    if not any(bool(gone.any()) for gone in removed.values()):
        return "nothing of it can be removed"
    if not _alike(model, member, slimming, input_shape):
        return "it computes different values, as a layer that draws random numbers does"
    return Slim(slimming, member)


def smaller_counts(model: nn.Module, input_shape: tuple[int, ...], zeros: Mapping[str, Tensor]) -> tuple[int, int]:
    """All parameters of the smaller network, and the FLOPs of one example's forward pass through it."""
    from torch.utils.flop_counter import FlopCounterMode

    smaller = slimmed(model, input_shape, zeros).module.to("meta").eval()
    precision = next(smaller.parameters()).dtype
    with FlopCounterMode(display=False) as counter, torch.no_grad():
        smaller(torch.empty(1, *input_shape, device="meta", dtype=precision))
    return sum(parameter.numel() for parameter in smaller.parameters()), counter.get_total_flops()


def _alike(model: nn.Module, member: Member, slimming: Slimming, input_shape: tuple[int, ...]) -> bool:
    """Whether the two agree on made-up input, in training and in evaluation, in logits and in gradients."""
    exact = {
        name: tensor.detach().double() if tensor.is_floating_point() else tensor
        for name, tensor in member.state.items()
    }
    member = replace(member, state=exact)
    whole = Alone(deepcopy(model).double().requires_grad_(True).train(), [member])
    part = Slim(replace(slimming, module=deepcopy(slimming.module).double().requires_grad_(True)), member)
    numbers = _EXAMPLES * torch.Size(input_shape).numel()
    x = torch.linspace(-1, 1, numbers, dtype=torch.float64).view(1, _EXAMPLES, *input_shape)
    with torch.random.fork_rng(devices=[]):
        of_whole, of_part = (_answers(network, x) for network in (whole, part))
    kept = {name: ~gone for name, gone in pinned(member.mask, member.zeroed).items()}
    # Side by side: that of a bias before a normalisation is rounding error alone.
    gradients = [expected.abs().max() for name, expected in of_whole.items() if name in member.state]
    for name, found in of_part.items():
        scale = max(gradients) if name in member.state else of_whole[name].abs().max()
        if bool(((found - of_whole[name]) * kept.get(name, 1)).abs().max() > _TOLERANCE * scale):
            return False
    return True


def _answers(network: Alone, x: Tensor) -> Tensors:
    """Logits in training and in evaluation, and the gradients of the trained parameters in the plain module's shapes."""
    network.begin(0)
    logits = network(x)
    parameters = network.trained()
    gradients = torch.autograd.grad(logits.square().sum(), list(parameters.values()), materialize_grads=True)
    whole = {
        name: network.of_replicate(name, gradient, 0) for name, gradient in zip(parameters, gradients, strict=True)
    }
    with torch.no_grad():
        evaluated = network.evaluate({name: tensor.detach() for name, tensor in network.tensors().items()}, x[0])
    return whole | {" train": logits.detach(), " evaluation": evaluated}
