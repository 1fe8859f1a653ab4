"""A starting point that is read instead of drawn: where it lies, and how it is told from others. Imports no torch."""

from __future__ import annotations

import dataclasses
import hashlib
import time
from abc import ABC, abstractmethod
from collections.abc import Mapping
from dataclasses import dataclass
from functools import cached_property, lru_cache
from pathlib import Path
from typing import TYPE_CHECKING, Any

from lotto.errors import BadRequest, StageFailed
from lotto.fields import choice

if TYPE_CHECKING:
    from torch import Tensor

    from lotto.mask import Mask


@dataclass(frozen=True)
class Contents:
    """What a starting point holds, on the CPU.

    Args:
        weights: parameters and buffers by name.
        mask: that it brings; None for a dense network.
        zeroed: of a structured ticket (``lotto.zeroed``).
    """

    weights: Mapping[str, Tensor]
    mask: Mask | None = None
    zeroed: Mapping[str, Tensor] = dataclasses.field(default_factory=dict)


@dataclass(frozen=True, kw_only=True)
class Source(ABC):
    """Weights to begin with.

    An experiment that starts from one has them for W_0: ``rewind.at=0`` goes back to them, and replicates share them, so that these differ
    in data order, augmentation and dropout alone. Only a classifier that is drawn anew differs from replicate to replicate. Controls that
    draw new weights, such as ``reinit``, still take them from the model's own distribution.

    Args:
        head: ``keep`` reads the classifier too; ``fresh`` draws it anew, where the file's has other classes.
    """

    head: str = "keep"

    # Fields that say where the weights lie: what they are is told by the hash of their content.
    _places = frozenset({"path", "download", "field"})

    def __post_init__(self) -> None:
        choice("start.head", self.head, ("keep", "fresh"))

    @property
    @abstractmethod
    def files(self) -> tuple[Path, ...]:
        """The files that are read, in a fixed order."""

    @property
    @abstractmethod
    def words(self) -> str:
        """What a sentence calls it."""

    @abstractmethod
    def contents(self) -> Contents:
        """What the files hold.

        Raises:
            BadRequest: they cannot be read, or hold something else.
        """

    @property
    def masked(self) -> bool:
        """Whether it brings a mask: the network of level 0 is then a ticket already."""
        return False

    @cached_property
    def sha256(self) -> str:
        """Of the file's bytes; of several files, of their hashes in order."""
        found = [_digest(path, self.words) for path in self.files]
        return found[0] if len(found) == 1 else hashlib.sha256("/".join(found).encode()).hexdigest()

    @cached_property
    def identity(self) -> dict[str, Any]:
        """Everything that changes a number: what the files hold and how they are read, never where they lie."""
        options = {
            field.name: getattr(self, field.name)
            for field in dataclasses.fields(self)
            if field.name not in self._places and getattr(self, field.name) != field.default
        }
        return {"_target_": f"{type(self).__module__}.{type(self).__qualname__}", "sha256": self.sha256, **options}

    def read(self) -> Contents:
        """What the files hold now.

        Raises:
            BadRequest: they cannot be read, or hold something else.
            StageFailed: they are other files than those that the experiment was planned with.
        """
        if dataclasses.replace(self).sha256 != self.sha256:
            raise StageFailed(f"{self.words} has changed since the experiment was planned: start again.")
        return self.contents()


def _digest(path: Path, words: str) -> str:
    try:
        about = path.stat()
        settled = time.time_ns() - about.st_mtime_ns > _SETTLED_NS
        hashed = _hashed if settled else _hashed.__wrapped__
        return hashed(path, about.st_size, about.st_mtime_ns)
    except OSError as reason:
        raise BadRequest(f"{words} cannot be read ({reason.strerror or reason}): {path}.") from None


# A file may be written twice within one tick of a clock, with the same size: only what has lain still for a while is remembered.
_SETTLED_NS = 2_000_000_000


@lru_cache
def _hashed(path: Path, size: int, changed: int) -> str:
    """The file's SHA-256; a sweep asks for it once a point, and it is read once as long as size and time of change stay."""
    with path.open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()
