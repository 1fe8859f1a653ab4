"""Asking a criterion for its scores, so that nothing of the model, of random state or of gradients changes."""

from __future__ import annotations

import copy
import inspect
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, replace
from typing import Any

import torch
from torch import Tensor, nn

from lotto.errors import BadRequest, LottoError
from lotto.mask import Mask
from lotto.models.anatomy import kinds
from lotto.probes.options import check_values

Batch = tuple[Tensor, Tensor]
Scores = dict[str, Tensor]
# From a module to the scores of its prunable weights, by parameter name.
Criterion = Callable[..., Scores]


@dataclass(frozen=True)
class Surroundings:
    """What a criterion may ask for besides the model, by the names of its arguments: ``batches``, ``input_shape``,
    ``generator``, ``initial``.

    Args:
        name: of the criterion, for sentences.
        batches: inputs ``[B, ...]`` and labels int64 ``[B]``.
        input_shape: of one input, without the batch.
        number: where its random streams start.
        initial: the weights at initialisation, by parameter name.
    """

    name: str
    batches: Sequence[Batch] | None = None
    input_shape: tuple[int, ...] | None = None
    number: int = 0
    initial: Mapping[str, Tensor] | None = None

    def asked(self, names: Mapping[str, Any], model: nn.Module) -> dict[str, Any]:
        """What the criterion's arguments of these ``names`` are given.

        Raises:
            BadRequest: it asks for what is not there.
        """
        found: dict[str, Any] = {}
        if "batches" in names:
            if not self.batches:
                raise BadRequest(
                    f"The criterion {self.name} looks at data: give batches=[(x, y)], in a configuration prune.batches."
                )
            found["batches"] = [_placed(batch, model) for batch in self.batches]
        if "input_shape" in names:
            shape = self.input_shape or (tuple(self.batches[0][0].shape[1:]) if self.batches else None)
            if shape is None:
                raise BadRequest(
                    f"The criterion {self.name} needs the shape of an input: give input_shape=(3, 32, 32)."
                )
            found["input_shape"] = tuple(shape)
        if "initial" in names:
            if self.initial is None:
                raise BadRequest(
                    f"The criterion {self.name} looks at the weights at initialisation: give initial={{name: tensor}}, in a "
                    "configuration prune.initial=true."
                )
            found["initial"] = self.initial
        if "generator" in names:
            found["generator"] = torch.Generator().manual_seed(self.number)
        return found


def ask(
    criterion: Criterion,
    options: Mapping[str, Any],
    model: nn.Module,
    mask: Mask | None,
    surroundings: Surroundings,
) -> Scores:
    """The scores of a sparse network's weights, or of a dense one's.

    The criterion is given a copy of ``model`` whose parameters all ask for gradients; of what it names it gets besides the
    ``surroundings`` and the ``mask``. One that names no mask gets the weights masked, one that does gets them as they are.

    Args:
        mask: what remains; None for all.

    Returns:
        A tensor shaped like every prunable weight, float32 or float64.

    Raises:
        BadRequest: the criterion does not take these options, lacks one, or leaves out a weight.
        LottoError: a score of a weight that remains is not a number.
    """
    names = _arguments(criterion)
    trial = _copied(model)
    if mask is not None and "mask" not in names:
        mask.apply_(trial)
    given = surroundings.asked({name: names[name] for name in names if name not in options}, trial)
    if "mask" in names and "mask" not in options:
        given["mask"] = mask if mask is not None else _dense(trial)
    _check_call(criterion, surroundings.name, given, options)
    with _aside(trial, surroundings.number):
        found = criterion(trial, **{**given, **options})
    return _checked(found, model, mask, surroundings.name)


def criterion_name(target: str) -> str:
    """What a criterion's dotted path is called in a sentence: its file's name if the function is plainly ``scores``."""
    return target.removesuffix(".scores").rpartition(".")[2]


def _arguments(criterion: Criterion) -> Mapping[str, inspect.Parameter]:
    try:
        return inspect.signature(criterion).parameters
    except (TypeError, ValueError):
        return {}  # something compiled, which says nothing of what it takes


def _check_call(criterion: Criterion, name: str, given: Mapping[str, Any], options: Mapping[str, Any]) -> None:
    try:
        inspect.signature(criterion).bind(None, **{**given, **options})
    except TypeError as reason:
        raise BadRequest(f"The criterion {name} cannot be called like this: {reason}.") from None
    except ValueError:
        return  # something compiled
    check_values(name, criterion, options, {})


def _copied(model: nn.Module) -> nn.Module:
    """A copy that scoring may do anything to."""
    with torch.inference_mode(False):
        try:
            trial = copy.deepcopy(model)
        except (RuntimeError, TypeError) as reason:
            sentence = str(reason).splitlines()[0]
            raise BadRequest(f"{type(model).__name__} cannot be copied, and so not be scored: {sentence}") from None
        for parameter in trial.parameters():
            parameter.grad = None
            if parameter.is_floating_point():
                parameter.requires_grad_(True)
    return trial


@contextmanager
def _aside(model: nn.Module, number: int) -> Iterator[None]:
    """Gradients are on, whoever calls; what is drawn from PyTorch's own generators starts at ``number``, and they are put back."""
    devices = sorted({p.device.index or 0 for p in model.parameters() if p.device.type == "cuda"})
    with torch.random.fork_rng(devices=devices), torch.inference_mode(False), torch.enable_grad():
        torch.default_generator.manual_seed(number)
        for device in devices:
            torch.cuda.default_generators[device].manual_seed(number)
        yield


def _placed(batch: Batch, model: nn.Module) -> Batch:
    """A batch where the model is, and in its precision."""
    x, y = batch
    like = next((p for p in model.parameters() if p.is_floating_point()), None)
    if like is None:
        return x, y
    return x.to(like.device, like.dtype if x.is_floating_point() else x.dtype), y.to(like.device)


def _dense(model: nn.Module) -> Mask:
    return Mask.ones({name: model.get_parameter(name) for name in kinds(model)})


def _checked(found: object, model: nn.Module, mask: Mask | None, criterion: str) -> Scores:
    if not isinstance(found, Mapping):
        raise BadRequest(
            f"The criterion {criterion} gives {_called(found)}, not a mapping from parameter names to tensors of scores."
        )
    made = {}
    for name in kinds(model):
        made[name] = _comparable(found, name, model.get_parameter(name), criterion)
        nameless = made[name].isnan() if mask is None else made[name].isnan() & mask[name].to(made[name].device)
        if bool(nameless.any()):
            raise LottoError(
                f"The criterion {criterion} gives {int(nameless.sum())} scores of {name} that are not numbers: "
                "look for weights, inputs or activations that overflow."
            )
    return made


def _comparable(found: Mapping[Any, Any], name: str, weight: Tensor, criterion: str) -> Tensor:
    """One weight's scores in float32, or in float64 if they come in it or are whole numbers, of which float32 tells fewer apart."""
    wanted = f"scores in the shape of {name}, {list(weight.shape)}"
    if name not in found:
        names = ", ".join(map(str, found)) or "nothing"
        raise BadRequest(f"The criterion {criterion} gives no {wanted}: it names {names}.")
    scores = found[name]
    if not isinstance(scores, Tensor) or scores.layout != torch.strided or scores.is_meta or scores.is_complex():
        raise BadRequest(
            f"The criterion {criterion} gives {_called(scores)}, not a dense tensor of real numbers, for {wanted}."
        )
    if scores.shape != weight.shape:
        raise BadRequest(f"The criterion {criterion} gives no {wanted}, but in {list(scores.shape)}.")
    return scores.detach().to(
        torch.float32 if scores.is_floating_point() and scores.dtype != torch.float64 else torch.float64
    )


def _called(thing: object) -> str:
    if isinstance(thing, Tensor):
        return f"a {str(thing.layout).removeprefix('torch.')} tensor of {str(thing.dtype).removeprefix('torch.')} on {thing.device.type}"
    return "None" if thing is None else f"a {type(thing).__name__}"


def reseeded(surroundings: Surroundings, number: int, batches: Sequence[Batch] | None = None) -> Surroundings:
    """The same for another round: with random streams, and batches if given, of its own."""
    return replace(surroundings, number=number, batches=surroundings.batches if batches is None else batches)
