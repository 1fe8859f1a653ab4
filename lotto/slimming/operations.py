"""Operations that treat every channel by itself, and whether they leave a channel of zeros zero."""

from __future__ import annotations

import operator
from typing import Any

import torch
import torch.nn.functional as F
from torch import fx, nn

# f(0) = 0, or a pooling, which makes zeros of zeros.
KEEPING_LAYERS = (
    nn.ReLU, nn.ReLU6, nn.LeakyReLU, nn.RReLU, nn.ELU, nn.SELU, nn.CELU, nn.GELU, nn.SiLU, nn.Mish, nn.Hardswish, nn.Tanh, nn.Softsign,
    nn.Hardshrink, nn.Softshrink, nn.Tanhshrink, nn.Identity, nn.Dropout, nn.Dropout1d, nn.Dropout2d, nn.Dropout3d,
    nn.MaxPool1d, nn.MaxPool2d, nn.MaxPool3d, nn.AvgPool1d, nn.AvgPool2d, nn.AvgPool3d, nn.AdaptiveAvgPool1d, nn.AdaptiveAvgPool2d,
    nn.AdaptiveAvgPool3d, nn.AdaptiveMaxPool1d, nn.AdaptiveMaxPool2d, nn.AdaptiveMaxPool3d, nn.Upsample,
)  # fmt: skip
LOSING_LAYERS = (nn.Sigmoid, nn.Hardsigmoid, nn.LogSigmoid, nn.Softplus, nn.AlphaDropout, nn.FeatureAlphaDropout)
KEEPING_FUNCTIONS = {
    F.relu, F.relu6, F.leaky_relu, F.elu, F.selu, F.celu, F.gelu, F.silu, F.mish, F.hardswish, F.tanh, torch.relu, torch.tanh,
    torch.abs, torch.neg, operator.neg, F.max_pool1d, F.max_pool2d, F.max_pool3d, F.avg_pool1d, F.avg_pool2d, F.avg_pool3d,
    F.adaptive_avg_pool1d, F.adaptive_avg_pool2d, F.adaptive_avg_pool3d, F.adaptive_max_pool1d, F.adaptive_max_pool2d,
    F.adaptive_max_pool3d, F.interpolate, torch.square, torch.clone,
}  # fmt: skip
LOSING_FUNCTIONS = {torch.sigmoid, F.sigmoid, F.hardsigmoid, F.softplus}
KEEPING_METHODS = {
    "relu",
    "relu_",
    "tanh",
    "abs",
    "neg",
    "square",
    "contiguous",
    "clone",
    "detach",
    "float",
    "double",
    "half",
    "bfloat16",
}
LOSING_METHODS = {"sigmoid"}
ADDITIONS = {torch.add, operator.add, operator.iadd, torch.sub, operator.sub, operator.isub}
PRODUCTS = {torch.mul, operator.mul, operator.imul}
QUOTIENTS = {torch.div, torch.true_divide, operator.truediv, operator.itruediv}
ADDITION_METHODS = {"add", "add_", "sub", "sub_"}
PRODUCT_METHODS = {"mul", "mul_"}
QUOTIENT_METHODS = {"div", "div_"}
CONCATENATIONS = {torch.cat, torch.concat, torch.concatenate}
MEANS = {torch.mean, torch.sum, torch.amax}
MEAN_METHODS = {"mean", "sum", "amax"}
RESHAPES = {torch.flatten, torch.reshape}
RESHAPE_METHODS = {"flatten", "view", "reshape"}


def is_any(node: fx.Node, functions: set[Any], methods: set[str]) -> bool:
    """Whether the node calls one of these."""
    return (node.op == "call_function" and node.target in functions) or (
        node.op == "call_method" and node.target in methods
    )


def is_addition(node: fx.Node) -> bool:
    """Whether a term that is zero may be left out; of a difference only the second may."""
    return is_any(node, ADDITIONS, ADDITION_METHODS)


def is_difference(node: fx.Node) -> bool:
    return is_any(node, {torch.sub, operator.sub, operator.isub}, {"sub", "sub_"})
