"""How far two masks lie apart. A mask here is any flat bool vector: of channels, or of weights."""

from __future__ import annotations

from typing import TYPE_CHECKING

from lotto.errors import LottoError

if TYPE_CHECKING:
    from torch import Tensor


def distance(one: Tensor, other: Tensor) -> float:
    """The share of entries in which they differ: the Hamming distance over the length.

    Exact: a tenth of the entries is 0.1 to the last bit, so that a bound of 0.1 is kept by it.

    Args:
        one, other: bool ``[C]``.

    Raises:
        LottoError: they are not flat, or of different lengths.
    """
    if one.dim() != 1 or one.shape != other.shape or not len(one):
        raise LottoError(
            f"Masks of shapes {list(one.shape)} and {list(other.shape)} have no distance: flat ones of one length have."
        )
    return int((one.bool() ^ other.bool()).sum()) / len(one)


def by_chance(ratio: float) -> float:
    """The distance to expect of two random masks that each leave out the share ``ratio``: 2 p (1 - p)."""
    return 2 * ratio * (1 - ratio)
