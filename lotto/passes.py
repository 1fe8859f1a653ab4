"""What a step of training costs in forward passes of the sparse and of the dense network (Evci et al. 2020, §4 and App. H).

With f_S and f_D the FLOPs of one example's forward pass through the sparse and the dense network: a forward pass, the gradient of the
activations and that of the weights cost one each. The weights' gradient is dense where a method must know it of weights that are not there.
"""

from __future__ import annotations

from dataclasses import asdict, dataclass


@dataclass(frozen=True)
class Passes:
    """So many passes of the sparse and so many of the dense network, for an example and a step."""

    sparse: float
    dense: float

    def flops(self, sparse: float, dense: float) -> float:
        """FLOPs of an example and a step, where a pass costs f_S = ``sparse`` and f_D = ``dense``."""
        return self.sparse * sparse + self.dense * dense

    def mixed(self, other: Passes, share: float) -> Passes:
        """A training that is of this kind for a ``share`` of its steps and of the other kind for the rest."""
        return Passes(share * self.sparse + (1 - share) * other.sparse, share * self.dense + (1 - share) * other.dense)

    def as_record(self) -> dict[str, float]:
        return asdict(self)


# 3 f_S: of a mask that stays, and of SET, whose growth looks at nothing.
STATIC = Passes(3.0, 0.0)
# 2 f_S + f_D at every step: of gradual pruning as Zhu & Gupta train it, with the sparsity of the step.
GRADUAL = Passes(2.0, 1.0)


def by_gradient(every: int) -> Passes:
    """RigL: (3 f_S T + 2 f_S + f_D) / (T + 1), where the dense gradient of the weights is needed once in ``every`` = T steps."""
    return Passes((3 * every + 2) / (every + 1), 1 / (every + 1))
