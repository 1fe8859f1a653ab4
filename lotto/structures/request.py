"""The structure of a request. Imports no torch."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from lotto.errors import BadRequest
from lotto.fields import choice, whole

STRUCTURES = ("weight", "filter", "channel", "head", "block", "residual", "nm")
POOLS = ("mean", "sum")
PROTECT = ("downsample_only", "adjacent")
# Options by structure, with what they are unless given: 2:4 is what current GPUs compute faster.
_OPTIONS: dict[str, dict[str, Any]] = {
    "weight": {},
    "filter": {"pool": "mean"},
    "channel": {"pool": "mean"},
    "head": {"pool": "mean"},
    "block": {"pool": "mean", "tile": 4},
    "residual": {"pool": "mean", "protect": "downsample_only"},
    "nm": {"n": 2, "m": 4},
}


@dataclass(frozen=True)
class Structure:
    """What is pruned at once.

    Args:
        name: ``weight``; ``filter``: all weights that make one output of a layer; ``channel``: a channel of the network, which is all
            weights that make it, in every layer whose outputs are added up, and all that read it; ``head``: of an attention; ``block``:
            ``tile`` x ``tile`` neighbouring outputs and inputs of a layer; ``residual``: the branch of a residual block; ``nm``: N of
            every M neighbouring inputs stay.
        pool: how the scores of a group's weights make one, ``mean`` or ``sum``.
        n, m: of ``nm``: how many stay at the last level, of how many.
        tile: the side of a ``block``.
        protect: the blocks of ``residual`` that stay: ``downsample_only`` those that change the shape, ``adjacent`` their neighbours too.
    """

    name: str = "weight"
    pool: str = "mean"
    n: int = 2
    m: int = 4
    tile: int = 4
    protect: str = "downsample_only"

    @classmethod
    def read(cls, name: object, options: Mapping[str, object]) -> Structure:
        """Of the ``prune`` section; an option that is None is as it is by default.

        Raises:
            BadRequest: an unknown structure, an option that this one has not, or a value that it does not allow.
        """
        kind = choice("prune.structure", name, STRUCTURES)
        given = {option: value for option, value in options.items() if value is not None}
        for option, value in given.items():
            if option not in _OPTIONS[kind]:
                owners = [other for other, own in _OPTIONS.items() if option in own]
                raise BadRequest(
                    f"prune.{option}={value} is no setting of prune.structure={kind}: it belongs to {', '.join(owners)}."
                )
        settings = {**_OPTIONS[kind], **given}
        for option in settings:
            if option == "pool":
                choice("prune.pool", settings[option], POOLS)
            elif option == "protect":
                choice("prune.protect", settings[option], PROTECT)
            else:
                whole(f"prune.{option}", settings[option], 1)
        if kind == "nm" and settings["n"] >= settings["m"]:
            raise BadRequest(
                f"prune.n={settings['n']} of prune.m={settings['m']} removes nothing: n must be less than m."
            )
        return cls(kind, **settings)

    @classmethod
    def from_fields(cls, fields: Mapping[str, Any] | None) -> Structure:
        return cls(**fields) if fields else cls()

    def as_fields(self) -> dict[str, Any] | None:
        """As part of a stage's identity; None for single weights, which older keys do not mention."""
        if not self.is_grouped:
            return None
        return {"name": self.name, **{option: getattr(self, option) for option in _OPTIONS[self.name]}}

    @property
    def is_grouped(self) -> bool:
        """Whether more than single weights is pruned at once."""
        return self.name != "weight"

    @property
    def removes_outputs(self) -> bool:
        """Whether what it removes takes biases and normalisations along (``lotto.zeroed``)."""
        return self.name in ("filter", "channel", "residual")
