"""The mask of a ticket: which weights remain, by parameter name."""

from __future__ import annotations

import math
from collections.abc import Callable, Iterator, Mapping

import torch
from torch import Tensor, nn

from lotto.errors import LottoError


class Mask(Mapping[str, Tensor]):
    """A bool tensor for every prunable parameter, by parameter name; ``True`` marks a weight that remains.

    Masks are values: no method but ``apply_`` changes anything, and the tensors handed out are not to be written to.
    """

    def __init__(self, tensors: Mapping[str, Tensor]) -> None:
        self._tensors = {name: tensor.detach().to(torch.bool) for name, tensor in tensors.items()}

    @classmethod
    def ones(cls, tensors: Mapping[str, Tensor]) -> Mask:
        """The dense network's mask, shaped like ``tensors``."""
        return cls({name: torch.ones_like(tensor, dtype=torch.bool) for name, tensor in tensors.items()})

    def __getitem__(self, name: str) -> Tensor:
        return self._tensors[name]

    def __iter__(self) -> Iterator[str]:
        return iter(self._tensors)

    def __len__(self) -> int:
        return len(self._tensors)

    def __eq__(self, other: object) -> bool:
        return (
            isinstance(other, Mask)
            and self._tensors.keys() == other._tensors.keys()
            and all(torch.equal(tensor.cpu(), other[name].cpu()) for name, tensor in self.items())
        )

    __hash__ = None  # type: ignore[assignment]  # compared by content

    def __repr__(self) -> str:
        return (
            f"Mask({self.remaining} of {self.total} weights in {len(self)} tensors remain, density {self.density:.4%})"
        )

    @property
    def remaining(self) -> int:
        return sum(int(tensor.sum()) for tensor in self._tensors.values())

    @property
    def total(self) -> int:
        return sum(tensor.numel() for tensor in self._tensors.values())

    @property
    def density(self) -> float:
        """Weights that remain as a fraction of all prunable weights."""
        return self.remaining / self.total

    def counts(self) -> dict[str, int]:
        """Weights that remain in each tensor."""
        return {name: int(tensor.sum()) for name, tensor in self.items()}

    def apply(self, tensors: Mapping[str, Tensor]) -> dict[str, Tensor]:
        """``tensors`` with every masked one multiplied by its mask; the others are passed on as they are."""
        return {
            name: tensor * self[name].to(tensor.device, tensor.dtype) if name in self else tensor
            for name, tensor in tensors.items()
        }

    @torch.no_grad()
    def apply_(self, model: nn.Module) -> nn.Module:
        """Set the pruned weights of ``model`` to zero, in place.

        Raises:
            LottoError: the model lacks one of the mask's parameters, or has it in another shape.
        """
        parameters = dict(model.named_parameters())
        for name, tensor in self.items():
            if name not in parameters or parameters[name].shape != tensor.shape:
                found = list(parameters[name].shape) if name in parameters else "nothing of that name"
                raise LottoError(f"The mask's {name} has shape {list(tensor.shape)}, the model has {found}.")
            parameters[name].mul_(tensor.to(parameters[name].device, parameters[name].dtype))
        return model

    def shuffle(self, generator: torch.Generator) -> Mask:
        """The same number of weights in every tensor, at places drawn uniformly (a permutation of each tensor)."""
        return Mask(
            {
                name: tensor.flatten()[torch.randperm(tensor.numel(), generator=generator)].view_as(tensor)
                for name, tensor in self.items()
            }
        )

    def hamming(self, other: Mask) -> int:
        """Places where the two masks differ."""
        return self._combined(other, torch.logical_xor).remaining

    def iou(self, other: Mask) -> float:
        """Intersection over union of the remaining weights; 1 for two empty masks."""
        union = (self | other).remaining
        return (self & other).remaining / union if union else 1.0

    def __and__(self, other: Mask) -> Mask:
        return self._combined(other, torch.logical_and)

    def __or__(self, other: Mask) -> Mask:
        return self._combined(other, torch.logical_or)

    def __invert__(self) -> Mask:
        return Mask({name: ~tensor for name, tensor in self.items()})

    def __le__(self, other: Mask) -> bool:
        """Whether every weight that remains here remains in ``other``: a later level within an earlier one."""
        return (self & ~other).remaining == 0

    def pack(self) -> dict[str, Tensor]:
        """One bit a weight: uint8 tensors of ``ceil(numel / 8)``, most significant bit first. Undone by ``unpack``."""
        weights = torch.tensor([128, 64, 32, 16, 8, 4, 2, 1], dtype=torch.uint8)
        packed = {}
        for name, tensor in self.items():
            bits = torch.zeros(8 * math.ceil(tensor.numel() / 8), dtype=torch.uint8)
            bits[: tensor.numel()] = tensor.flatten().to("cpu", torch.uint8)
            packed[name] = (bits.view(-1, 8) * weights).sum(1, dtype=torch.uint8)
        return packed

    @classmethod
    def unpack(cls, packed: Mapping[str, Tensor], shapes: Mapping[str, torch.Size | tuple[int, ...]]) -> Mask:
        """The mask that ``pack`` made bits of, given its tensors' shapes."""
        places = torch.arange(7, -1, -1, dtype=torch.uint8)
        return cls(
            {
                name: ((bits[:, None] >> places) & 1).flatten()[: math.prod(shapes[name])].view(tuple(shapes[name]))
                for name, bits in packed.items()
            }
        )

    def _combined(self, other: Mask, operation: Callable[[Tensor, Tensor], Tensor]) -> Mask:
        if {n: t.shape for n, t in self.items()} != {n: t.shape for n, t in other.items()}:
            raise LottoError("Masks of different networks cannot be combined: their tensors' names or shapes differ.")
        return Mask({name: operation(tensor, other[name]) for name, tensor in self.items()})
