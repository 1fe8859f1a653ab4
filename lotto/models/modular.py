"""Networks for pairs of residues (Minegishi et al., arXiv 2310.19470): an MLP and a transformer of one layer, without any bias.

Both take one-hot pairs, float ``[N, 1, 2, p]``, and give logits ``[N, p]``. There are few tokens and many pairs, so that what happens to
every token alone is computed once for all p of them and then looked up: products of weights take the place of embedding every pair, which
is 10 times less work at p = 67 and 911 pairs. ``by_layers = True`` computes the same layer by layer and pair by pair, which is what FLOPs
are counted of.
"""

from __future__ import annotations

import math

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from lotto.errors import BadRequest
from lotto.models.checks import require_positive


def _tokens(input_shape: tuple[int, int, int]) -> int:
    """p, of inputs that are pairs."""
    if tuple(input_shape[:2]) != (1, 2):
        raise BadRequest(
            f"data.input_shape={list(input_shape)} is no pair of tokens: this model takes [1, 2, p], as data=modular gives."
        )
    return input_shape[2]


def _linear(inputs: int, outputs: int) -> nn.Linear:
    return nn.Linear(inputs, outputs, bias=False)


class ModularMLP(nn.Module):
    """``U V relu(W (E[a] + E[b]))``, with E ``embedding``, W ``inner``, V ``outer`` and U ``unembedding``.

    The tokens are added up before the ReLU. ``depth`` further layers of ``hidden`` units, each with a ReLU, may follow it. At p = 67 the
    default has 115,000 weights. The paper draws every weight from N(0, 1 / fan_in).

    Raises ``BadRequest`` for a width below 1, and for inputs that are no pairs.
    """

    output_layer = "unembedding"
    by_layers = False

    def __init__(
        self, input_shape: tuple[int, int, int], classes: int, embedding: int = 500, hidden: int = 48, depth: int = 0
    ) -> None:
        super().__init__()
        require_positive("model.embedding", embedding)
        require_positive("model.hidden", hidden)
        self.embedding = _linear(_tokens(input_shape), embedding)
        self.inner = _linear(embedding, hidden)
        self.between = nn.ModuleList(_linear(hidden, hidden) for _ in range(depth))
        self.outer = _linear(hidden, embedding)
        self.unembedding = _linear(embedding, classes)

    def forward(self, inputs: Tensor) -> Tensor:
        counts = inputs.flatten(1, 2).sum(1)  # of each token in the pair
        hidden = (self.inner(self.embedding(counts)) if self.by_layers else counts @ self.read_in().T).relu()
        for layer in self.between:
            hidden = layer(hidden).relu()
        return self.unembedding(self.outer(hidden)) if self.by_layers else hidden @ self.read_out()

    def read_in(self) -> Tensor:
        """What every hidden unit reads of every token, W E, ``[hidden, p]``."""
        return self.inner(self.embedding.weight.T).T

    def read_out(self) -> Tensor:
        """What every unit of the last hidden layer adds to every logit, (U V)^T, ``[hidden, p]``."""
        return self.unembedding(self.outer.weight.T)


class ModularTransformer(nn.Module):
    """One layer of causal attention with one head, then an MLP with ReLU, both on a residual stream; no positions, no normalisation.

    The output is read at the last of the two positions, which sees both. Attention divides by sqrt(``head``). At p = 67 the default has
    115,456 weights. The paper draws every weight from N(0, 1 / width), those of the embedding from N(0, 1 / p), which is N(0, 1 / fan_in)
    where ``head`` and ``hidden`` are the width.

    Raises ``BadRequest`` for a width below 1, and for inputs that are no pairs.
    """

    output_layer = "unembedding"
    by_layers = False

    def __init__(
        self, input_shape: tuple[int, int, int], classes: int, width: int = 128, head: int = 128, hidden: int = 128
    ) -> None:
        super().__init__()
        for name, size in (("width", width), ("head", head), ("hidden", hidden)):
            require_positive(f"model.{name}", size)
        self.embedding = _linear(_tokens(input_shape), width)
        self.query, self.key, self.value = (_linear(width, head) for _ in range(3))
        self.mixing = _linear(head, width)
        self.inner = _linear(width, hidden)
        self.outer = _linear(hidden, width)
        self.unembedding = _linear(width, classes)
        self.scale = 1 / math.sqrt(head)

    def forward(self, inputs: Tensor) -> Tensor:
        stream = self._pair_by_pair(inputs) if self.by_layers else self._looked_up(inputs)
        return self.unembedding(stream + self.outer(self.inner(stream).relu()))

    def read_in(self) -> Tensor:
        """What every hidden unit reads of every token in the last place, past attention, ``[hidden, p]``."""
        return self.inner(self.embedding.weight.T).T

    def read_out(self) -> Tensor:
        """What every hidden unit adds to every logit, ``[hidden, p]``."""
        return self.unembedding(self.outer.weight.T)

    def _looked_up(self, inputs: Tensor) -> Tensor:
        """The residual stream at the last position behind attention, ``[N, width]``."""
        first, last = inputs[:, 0, 0], inputs[:, 0, 1]
        embedded = self.embedding.weight.T
        scores = self.query(embedded) @ self.key(embedded).T * self.scale  # [p, p], of the asking token and the asked
        mixed = self.mixing(self.value(embedded))
        asked = torch.stack([((last @ scores) * first).sum(1), last @ scores.diagonal()], 1)
        to_first, to_last = F.softmax(asked, 1).unsqueeze(2).unbind(1)
        return last @ embedded + to_first * (first @ mixed) + to_last * (last @ mixed)

    def _pair_by_pair(self, inputs: Tensor) -> Tensor:
        embedded = self.embedding(inputs[:, 0])  # [N, 2, width]
        last = embedded[:, 1]
        asked = (self.key(embedded) @ self.query(last).unsqueeze(2)).squeeze(2) * self.scale
        values = (F.softmax(asked, 1).unsqueeze(2) * self.value(embedded)).sum(1)
        return last + self.mixing(values)
