"""Which engine trains a stage: a written rule over the network, its density, the replicates and the kind of device, never a timing.

``alone`` trains one replicate as a plain module; ``stacked`` trains all of a level in one fit; ``sparse`` does so with the weights of
sparse linear layers kept as their values. The thresholds below are what ``lotto bench`` measured on two CPU cores:

- Replicates of a network of dense layers are stacked, where a step of one replicate leaves the machine idle. A convolution would become
  a grouped one, which a CPU computes slower than one replicate after another.
- A linear layer that is not small is trained sparsely on a CPU where at most ``SPARSE_BELOW`` of its weights are left, or
  ``SPARSE_BELOW_ALONE`` for a single replicate, which has fewer weights to win back what a sparse product costs besides them.
  Masked LeNets, replicate-steps/s sparse and dense: 16 replicates at 20% 594 and 629, at 10% 884 and 629; 5 at 20% 485 and 514, at
  10% 606 and 514, at 3% 784 and 511; 1 at 10% 253 and 289, at 5% 289 and 289.

- A structured ticket, whose start artifact holds ``zeroed`` tensors, is trained as the physically smaller network (``slim``) where it would
  be trained alone: convolutions on a CPU, or a single replicate. Two replicates' smaller networks have different shapes and are not
  stacked. Not so where a regimen acts, which sees the plain module's shapes, and where a trial in double precision comes to other logits
  or gradients than the masked network: it is then trained as others are, and the record says why.

What cannot be stacked is trained alone, for a reason that the run prints: an optimizer that mixes a tensor's weights, a module that
``torch.func.vmap`` refuses or computes differently.
"""

from __future__ import annotations

import warnings
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from copy import deepcopy
from dataclasses import dataclass
from typing import Any

import torch
from hydra.utils import get_class
from torch import Tensor, nn, optim
from torch.nn.modules.conv import _ConvNd

from lotto.errors import BadRequest
from lotto.mask import Mask
from lotto.seeds import Streams
from lotto.slimming import slimmed
from lotto.training.member import Member
from lotto.training.network import Alone, Network, state_of
from lotto.training.ranks import Ranks
from lotto.training.recorded import Recordings
from lotto.training.sparse import Sparse
from lotto.training.split import Split
from lotto.training.stacked import Stacked

# A stack of more costs memory and gains no speed on two cores.
LARGEST_STACK = 32
# Density below which a sparse product beats the dense one, and the size of a layer from which that shows.
SPARSE_BELOW = 0.12
SPARSE_BELOW_ALONE = 0.04
SMALLEST_SPARSE = 10_000

# These treat every weight by itself, so that a stack's or a sparse layer's weights move as they would alone.
ELEMENTWISE = (
    optim.Adadelta, optim.Adagrad, optim.Adam, optim.Adamax, optim.AdamW, optim.ASGD, optim.NAdam, optim.RAdam, optim.RMSprop,
    optim.Rprop, optim.SGD,
)  # fmt: skip


@dataclass(frozen=True)
class Engine:
    """How one network is trained.

    Args:
        largest: how many replicates a fit may hold.
        sparse: weights that may be kept as their values.
        reason: why replicates are trained alone, if that is not what was asked for.
        recordings: of its forward pass; None where those would not compute the same.
    """

    largest: int
    sparse: frozenset[str] = frozenset()
    reason: str | None = None
    recordings: Recordings | None = None


def engine_for(model: nn.Module, input_shape: tuple[int, ...], optimizer: str, asked: str, device: str) -> Engine:
    """The rule for one network; ``asked`` is ``engine=``, ``device`` is ``cpu`` or ``cuda``.

    Raises:
        BadRequest: what is asked for is impossible.
    """
    if asked == "alone":
        return Engine(1)
    if asked == "slim":
        _check_slim(model, input_shape, optimizer)
    recordings = _recordings(model, input_shape)
    impossible = _mixes(optimizer)
    if recordings is None and not impossible:
        impossible = _trial(model, input_shape, Stacked)
    if impossible and asked in ("stacked", "sparse"):
        raise BadRequest(
            f"engine={asked} is impossible for this experiment ({impossible}): choose engine=auto or alone."
        )
    if impossible:
        return Engine(1, reason=impossible)
    slower = None if asked == "stacked" else _slower_together(model, device)
    sparse = (
        _may_be_sparse(model, input_shape, asked, device, recordings) if asked in ("auto", "sparse") else frozenset()
    )
    return Engine(1 if slower else LARGEST_STACK, sparse, slower, recordings)


def sparse_layers(engine: Engine, kept: Mapping[str, Sequence[int]], asked: str, members: int) -> tuple[str, ...]:
    """The weights that a stage keeps as their values, in a fit of so many members.

    Args:
        kept: for every masked weight how many remain, of how many; empty for a dense network.
    """
    below = SPARSE_BELOW if members > 1 else SPARSE_BELOW_ALONE
    return tuple(
        name
        for name, (count, total) in kept.items()
        if name in engine.sparse
        and count > 0
        and (asked == "sparse" or (count <= below * total and total >= SMALLEST_SPARSE))
    )


def is_slimmed(largest: int, recipe: Mapping[str, Any], asked: str, members: int) -> bool:
    """Whether a fit of so many structured tickets is to be tried as smaller networks, which then are trained one by one.

    Args:
        largest: how many replicates a fit of the network may hold.
        recipe: the fields of their train stage.
    """
    follows = recipe.get("regimen") is None and get_class(recipe["optimizer"]["_target_"]) in ELEMENTWISE
    return follows and (asked == "slim" or (asked == "auto" and min(largest, members) == 1))


def network_for(
    model: nn.Module,
    members: Sequence[Member],
    sparse: Sequence[str],
    asked: str,
    recordings: Recordings | None,
    ranks: Ranks | None = None,
) -> Network:
    """The network that trains ``members``; ``model`` becomes a part of it. ``ranks`` share its batches, if they are several."""
    if ranks is not None:
        return Split(model, members, ranks)
    if sparse:
        return Sparse(model, members, sparse, recordings)
    if len(members) > 1 or asked == "stacked":
        return Stacked(model, members, recordings)
    return Alone(model, members)


def check_split(model: nn.Module, input_shape: tuple[int, ...], ranks: Ranks) -> None:
    """Raises BadRequest unless a made-up batch that is split over ``ranks`` comes to what one process makes of it."""
    model = deepcopy(model).double()  # many normalisations of few examples are not exact in single precision
    member = _made_up_member(model, 0)
    length = 2 * ranks.share.count + 1
    rows = ranks.begin(length)
    x = torch.linspace(-1, 1, length * torch.Size(input_shape).numel(), dtype=torch.float64).view(
        1, length, *input_shape
    )
    with torch.random.fork_rng(devices=[]):
        whole = _answers(Alone(model, [member]), [member], x, x[0])
        own = _answers(Split(model, [member], ranks), [member], x[:, rows], x[0, rows])
    (own[" gradients"],) = ranks.add_up([own[" gradients"]])
    for name in (" train", " evaluation"):
        whole[name] = whole[name][:, rows]
    differ = [name for name, tensor in own.items() if not _close(tensor, whole[name])]
    (anywhere,) = ranks.add_up([torch.tensor([float(len(differ))])])
    if anywhere:
        raise BadRequest(
            f"hardware.devices={ranks.share.count} is impossible for this network: a layer of it mixes the examples of a batch, or draws "
            "random numbers, in a way that changes when the batch is split; choose hardware.devices=1."
        )


def _recordings(model: nn.Module, input_shape: tuple[int, ...]) -> Recordings | None:
    """Fresh ones for a network that keeps no state in its forward pass and computes the same when recorded."""
    if any(True for _ in model.buffers()):
        return None
    failed = _trial(model, input_shape, lambda model, members: Stacked(model, members, Recordings()))
    return None if failed else Recordings()


def _check_slim(model: nn.Module, input_shape: tuple[int, ...], optimizer: str) -> None:
    try:
        slimmed(model, input_shape, {})
        impossible = _mixes(optimizer)
    except BadRequest as reason:
        impossible = str(reason)
    if impossible:
        raise BadRequest(f"engine=slim is impossible for this experiment ({impossible}): choose engine=auto or alone.")


def _mixes(optimizer: str) -> str | None:
    kind = get_class(optimizer)
    return None if kind in ELEMENTWISE else f"{kind.__name__} may treat the weights of a tensor together"


def _slower_together(model: nn.Module, device: str) -> str | None:
    for name, module in model.named_modules():
        if isinstance(module, _ConvNd) and device == "cpu":
            kind = type(module).__name__
            return f"{name or 'the network'} is a {kind}, which a CPU computes faster for one replicate at a time"
    return None


def _may_be_sparse(
    model: nn.Module, input_shape: tuple[int, ...], asked: str, device: str, recordings: Recordings | None
) -> frozenset[str]:
    parameters = dict(model.named_parameters())
    linear = [f"{name}.weight" for name, module in model.named_modules() if isinstance(module, nn.Linear)]
    names = [name for name in linear if name in parameters]
    reason = (
        f"it is trained on {device}"
        if device != "cpu"
        else "this PyTorch is built without MKL"
        if not torch.backends.mkl.is_available()
        else "the network has no linear layer"
        if not names
        else _trial(model, input_shape, lambda model, members: Sparse(model, members, names, recordings))
    )
    if reason and asked == "sparse":
        raise BadRequest(f"engine=sparse is impossible for this experiment ({reason}): choose engine=auto or dense.")
    return frozenset() if reason else frozenset(names)


def _trial(
    model: nn.Module, input_shape: tuple[int, ...], kind: Callable[[nn.Module, Sequence[Member]], Network]
) -> str | None:
    """Why two replicates on made-up input do not come out of ``kind`` as they do one by one; None if they do.

    Leaves the model with other weights.
    """
    members = [_made_up_member(model, replicate) for replicate in range(2)]
    # Irregular: of three evenly spaced images batch normalisation brings one to zero, where ReLU's gradient is a matter of rounding.
    x = 2 * torch.rand(2, 3, *input_shape, generator=torch.Generator().manual_seed(0)) - 1
    try:
        with torch.random.fork_rng(devices=[]), _without_onednn():
            apart = [
                _answers(Alone(model, [member]), [member], x[place : place + 1], x[0])
                for place, member in enumerate(members)
            ]
            together = _answers(kind(model, members), members, x, x[0])
    except (RuntimeError, NotImplementedError, ValueError, TypeError) as reason:
        return f"torch.func.vmap refuses it: {str(reason).splitlines()[0]}"
    same = all(
        _close(tensor[place], own[name][0]) for name, tensor in together.items() for place, own in enumerate(apart)
    )
    return None if same else "together and one by one it computes different values"


@contextmanager
def _without_onednn() -> Iterator[None]:
    """Where few images go through narrow 1x1 convolutions, as in a trial, oneDNN's backward pass may write out of bounds."""
    with warnings.catch_warnings():
        # Setting the flags back speaks of GPUs that nobody asked about.
        warnings.filterwarnings("ignore", message="TF32 acceleration")
        with torch.backends.mkldnn.flags(enabled=False):
            yield


def _answers(network: Network, members: Sequence[Member], x: Tensor, shared: Tensor) -> dict[str, Tensor]:
    """Logits in training and in evaluation, gradients of what is kept, and the state after them: ``[R, ...]`` each."""

    def apart(name: str, tensor: Tensor) -> Tensor:
        return torch.stack([network.of_replicate(name, tensor, place) for place in range(network.replicates)])

    network.begin(0)
    logits = network(x)
    answers = {" train": logits.detach()}
    parameters = network.trained()
    gradients = torch.autograd.grad(logits.float().square().sum(), list(parameters.values()), materialize_grads=True)
    kept = network.multipliers(members)
    # Side by side: that of a bias before a normalisation is rounding error alone, and is measured by the others.
    answers[" gradients"] = torch.cat(
        [
            apart(name, gradient * kept.get(name, 1.0)).flatten(1)
            for name, gradient in zip(parameters, gradients, strict=True)
        ],
        dim=1,
    )
    live = {name: tensor.detach() for name, tensor in network.tensors().items()}
    with torch.no_grad():
        answers[" evaluation"] = network.evaluate(live, shared)
    return answers | {name: apart(name, tensor) for name, tensor in live.items()}


def _made_up_member(model: nn.Module, replicate: int) -> Member:
    """Half of the linear weights pruned, and other values for each replicate."""
    masks = {
        f"{name}.weight": (torch.arange(module.weight.numel()) % 2 == replicate).view_as(module.weight)
        for name, module in model.named_modules()
        if isinstance(module, nn.Linear)
    }
    state = {
        name: (tensor * (0.5 + 0.5 * replicate) if tensor.is_floating_point() else tensor.clone()).detach()
        for name, tensor in state_of(model).items()
    }
    masks = {name: mask for name, mask in masks.items() if name in state}
    return Member(
        "trial", Streams(0, replicate), {n: t * masks[n] if n in masks else t for n, t in state.items()}, Mask(masks)
    )


def _close(one: Tensor, other: Tensor) -> bool:
    scale = other.abs().max().clamp_min(1e-6) if other.numel() else 1.0
    return bool(((one - other).abs() <= 1e-3 * scale).all())
