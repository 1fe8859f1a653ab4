"""Initialisers by name, for weights, biases and batch normalisation."""

from __future__ import annotations

import math
from collections.abc import Callable
from functools import partial

import torch
from torch import nn

from lotto.fields import positive
from lotto.models.anatomy import layers
from lotto.models.checks import require_one_of

_BATCHNORMS = (nn.BatchNorm1d, nn.BatchNorm2d, nn.BatchNorm3d, nn.SyncBatchNorm)


def initialise(
    model: nn.Module,
    weights: str | None = None,
    biases: str | None = None,
    batchnorm: str | None = None,
    scale: float = 1.0,
) -> None:
    """Draw ``model`` afresh in place from torch's global generator: the weights, then batch normalisation.

    - ``weights``, of convolutions and linear layers: ``glorot_normal`` (Frankle & Carbin 2019), ``glorot_truncated``
      (their TensorFlow code), ``kaiming_normal``, ``kaiming_uniform``, ``orthogonal`` or ``binary`` (OpenLTH),
      ``lecun_normal``: N(0, 1 / fan_in), ``signed_constant`` (Ramanujan et al. 2020) or ``signed_glorot`` (Zhou et al. 2019).
    - ``biases``, of the same layers: ``zero``.
    - ``batchnorm``, scale and shift: ``fixed`` 1 and 0, ``half`` 0.5 and 0 (You et al. 2020), ``oneone`` 1 and 1,
      ``uniform`` U[0, 1) and 0, ``positivenegative`` U[-1, 1) and 0.

    - ``scale`` multiplies those weights, drawn here or by the constructor.

    ``None`` keeps what the constructor drew. Raises ``BadRequest`` for an unknown name, before anything is drawn.
    """
    for field, name, known in (
        ("weights", weights, WEIGHTS),
        ("biases", biases, BIASES),
        ("batchnorm", batchnorm, BATCHNORM),
    ):
        require_one_of(f"model.init.{field}", name, (*known, None))
    positive("model.init.scale", scale)
    with torch.no_grad():
        if weights is not None:
            _draw_weights(model, WEIGHTS[weights])
        if scale != 1:
            _draw_weights(model, lambda weight: weight.mul_(scale))
        if biases is not None:
            _set_biases(model, BIASES[biases])
        if batchnorm is not None:
            _draw_batchnorm(model, *BATCHNORM[batchnorm])


def _draw_weights(model: nn.Module, draw: Callable[[torch.Tensor], torch.Tensor]) -> None:
    once_each = {id(layer.weight): layer.weight for _, layer in layers(model)}
    for weight in once_each.values():
        draw(weight)


def _set_biases(model: nn.Module, fill: Callable[[torch.Tensor], torch.Tensor]) -> None:
    for _, layer in layers(model):
        if layer.bias is not None:
            fill(layer.bias)


def _draw_batchnorm(model: nn.Module, draw_scale: Callable[[torch.Tensor], torch.Tensor], shift: float) -> None:
    for module in model.modules():
        if isinstance(module, _BATCHNORMS) and module.affine:
            draw_scale(module.weight)
            nn.init.constant_(module.bias, shift)


def glorot_truncated_(weight: torch.Tensor) -> torch.Tensor:
    """TensorFlow 1's ``xavier_initializer(uniform=False)``: a normal cut at two standard deviations.

    It is widened by sqrt(1.3) before the cut, which leaves the standard deviation of Glorot's normal to within 0.3%.
    """
    fans = (weight.shape[0] + weight.shape[1]) * math.prod(weight.shape[2:])
    std = math.sqrt(1.3 * 2 / fans)
    return nn.init.trunc_normal_(weight, std=std, a=-2 * std, b=2 * std)


def binary_(weight: torch.Tensor) -> torch.Tensor:
    """The signs of a Kaiming normal draw, all of one magnitude: the draw's empirical standard deviation (OpenLTH)."""
    _kaiming_normal_(weight)
    return weight.copy_(weight.sign() * weight.std())


def signed_constant_(weight: torch.Tensor) -> torch.Tensor:
    """The signs of a Kaiming normal draw, all of that distribution's standard deviation, sqrt(2 / fan_in) (Ramanujan et al. 2020)."""
    _kaiming_normal_(weight)
    return weight.copy_(weight.sign() * math.sqrt(2 / math.prod(weight.shape[1:])))


def signed_glorot_(weight: torch.Tensor) -> torch.Tensor:
    """The signs of a Glorot normal draw, all of one magnitude: the draw's empirical standard deviation (Zhou et al. 2019)."""
    nn.init.xavier_normal_(weight)
    return weight.copy_(weight.sign() * weight.std())


_kaiming_normal_ = partial(nn.init.kaiming_normal_, nonlinearity="relu")

WEIGHTS: dict[str, Callable[[torch.Tensor], torch.Tensor]] = {
    "glorot_normal": nn.init.xavier_normal_,
    "glorot_truncated": glorot_truncated_,
    "kaiming_normal": _kaiming_normal_,
    "kaiming_uniform": partial(nn.init.kaiming_uniform_, nonlinearity="relu"),
    "lecun_normal": partial(nn.init.kaiming_normal_, nonlinearity="linear"),
    "orthogonal": nn.init.orthogonal_,
    "binary": binary_,
    "signed_constant": signed_constant_,
    "signed_glorot": signed_glorot_,
}
BIASES: dict[str, Callable[[torch.Tensor], torch.Tensor]] = {"zero": nn.init.zeros_}
# How the scale is drawn, and the value of the shift.
BATCHNORM: dict[str, tuple[Callable[[torch.Tensor], torch.Tensor], float]] = {
    "uniform": (nn.init.uniform_, 0.0),
    "fixed": (nn.init.ones_, 0.0),
    "half": (partial(nn.init.constant_, val=0.5), 0.0),
    "oneone": (nn.init.ones_, 1.0),
    "positivenegative": (partial(nn.init.uniform_, a=-1.0, b=1.0), 0.0),
}
