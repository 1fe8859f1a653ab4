"""Curvature where training ended: the largest eigenvalues and the trace of the Hessian of the loss."""

from __future__ import annotations

import math
import warnings
from collections.abc import Mapping, Sequence
from typing import Annotated, Literal

import torch
from scipy.sparse.linalg import eigsh
from torch import Tensor, nn
from torch.func import functional_call

from lotto.errors import BadRequest
from lotto.mask import Mask
from lotto.probes.options import AtLeast, Count, Split
from lotto.probes.subject import Numbers, Subject, Tensors

try:
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", FutureWarning)  # of what its dependencies use of PyTorch
        from curvlinops import HessianLinearOperator
except ImportError:
    raise BadRequest("probes=[hessian] needs an extra that is not installed: pip install 'lotto[hessian]'.") from None


def probe(
    subject: Subject,
    numbers: Numbers,
    parameters: Literal["trained", "prunable", "all"],
    eigenvalues: Count,
    tolerance: Annotated[float, AtLeast(0)],
    vectors: Annotated[int, AtLeast(2)],
    split: Split,
    examples: Count | None = None,
) -> None:
    """``eigenvalue``, the largest ones with their rank from 1 as x; ``trace`` and its standard error ``trace_se``; ``parameters``.

    The loss is the mean cross-entropy on images without augmentation, in evaluation mode: batch normalisation uses its running
    statistics, and neither weight decay nor label smoothing are part of it. Eigenvalues are found by Lanczos iteration; the trace is
    Hutchinson's estimate from vectors of random signs, which are the replicate's own.

    Args:
        parameters: the coordinates: ``trained`` takes the prunable weights that remain and all other parameters, that is the space in which
            a ticket is trained; ``prunable`` the weights that remain alone; ``all`` pruned weights as well, as if they were free to move.
        tolerance: relative, of the eigenvalues; 0 for rounding.
        vectors: of the trace's estimate.
    """
    generator = subject.streams.generator("probe/hessian")
    with warnings.catch_warnings():
        # PyTorch's forward mode, when it is first used, warns of what it is itself made of.
        warnings.simplefilter("ignore", FutureWarning)
        hessian = _hessian(subject, parameters, split, examples)
        for rank, value in enumerate(_largest(hessian, eigenvalues, tolerance, generator), start=1):
            numbers.add("eigenvalue", value, x=rank)
        estimates = _traces(hessian, vectors, generator)
    numbers.add("trace", float(estimates.mean()))
    numbers.add("trace_se", float(estimates.std()) / math.sqrt(vectors))
    numbers.add("parameters", hessian.shape[1])


def _hessian(subject: Subject, parameters: str, split: str, examples: int | None) -> HessianLinearOperator:
    network = subject.network("trained")
    mask = Mask({}) if parameters == "all" else subject.mask(network)
    coordinates = Coordinates(subject.module(), network.weights, mask, only_masked=parameters == "prunable").eval()
    dtype = next(coordinates.parameters()).dtype
    return HessianLinearOperator(
        coordinates,
        nn.CrossEntropyLoss(),
        list(coordinates.parameters()),
        [(x.to(dtype), y) for x, y in subject.batches(split, examples)],
        check_deterministic=False,  # evaluation mode draws nothing, and the check would draw from the global stream
        num_data=subject.size(split, examples),
    )


def _largest(
    hessian: HessianLinearOperator, count: int, tolerance: float, generator: torch.Generator
) -> Sequence[float]:
    """The ``count`` largest eigenvalues, falling."""
    start = torch.randn(hessian.shape[1], generator=generator, dtype=hessian.dtype)
    found = eigsh(hessian.to_scipy(), count, which="LA", tol=tolerance, v0=start.numpy(), return_eigenvectors=False)
    return sorted(map(float, found), reverse=True)


def _traces(hessian: HessianLinearOperator, count: int, generator: torch.Generator) -> Tensor:
    """v^T H v of ``count`` vectors v of random signs, float64 ``[count]``: the trace is the mean of each."""
    found = []
    for _ in range(count):
        signs = 2 * torch.randint(2, (hessian.shape[1],), generator=generator) - 1
        vector = signs.to(hessian.device, hessian.dtype)
        found.append(float(vector @ (hessian @ vector)))
    return torch.tensor(found, dtype=torch.float64)


class Coordinates(nn.Module):
    """A network as a function of some of its weights.

    Its parameters are a flat vector of what ``mask`` keeps of every tensor that it names, and the others as they are.

    Args:
        only_masked: what has no mask is held at its value instead.
    """

    def __init__(self, module: nn.Module, weights: Tensors, mask: Mapping[str, Tensor], only_masked: bool) -> None:
        super().__init__()
        self._plain = [module]  # not registered: its own parameters mean nothing
        self._fixed = dict(weights)
        self._places = {name: kept.flatten().nonzero().flatten() for name, kept in mask.items()}
        self._names = [name for name, _ in module.named_parameters() if name in mask or not only_masked]
        self.free = nn.ParameterList(
            weights[name].flatten()[self._places[name]] if name in mask else weights[name].clone()
            for name in self._names
        )

    def forward(self, x: Tensor) -> Tensor:
        weights = dict(self._fixed)
        for name, values in zip(self._names, self.free, strict=True):
            if name in self._places:
                fixed = self._fixed[name]
                whole = torch.zeros_like(fixed).flatten().index_put((self._places[name],), values)
                weights[name] = whole.view_as(fixed)
            else:
                weights[name] = values
        return functional_call(self._plain[0], weights, (x,))
