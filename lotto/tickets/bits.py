"""Tensors compared as they are stored: minus zero is not zero, and a NaN equals itself."""

from __future__ import annotations

import hashlib

import torch
from torch import Tensor


def stored(tensor: Tensor) -> Tensor:
    """The tensor's bytes in row-major order: uint8 ``[numel * itemsize]``, on the CPU."""
    return tensor.detach().cpu().contiguous().reshape(-1).view(torch.uint8)


def sha256(tensor: Tensor) -> str:
    """SHA-256 of the tensor's bytes, in hexadecimal digits."""
    return hashlib.sha256(stored(tensor).numpy().data).hexdigest()


def same_bits(one: Tensor, other: Tensor) -> bool:
    """Whether dtype, shape and every bit agree."""
    return one.dtype == other.dtype and one.shape == other.shape and torch.equal(stored(one), stored(other))
