"""Any torchvision classifier by its name."""

from __future__ import annotations

from typing import Any

from torch import nn

from lotto.errors import BadRequest
from lotto.models.checks import near


def build(name: str, classes: int, input_shape: tuple[int, int, int] | None = None, **kwargs: Any) -> nn.Module:
    """The untrained torchvision classifier ``name`` with ``classes`` outputs.

    ``kwargs`` go to torchvision's own builder and win over what is chosen here. ``input_shape`` is
    ``(channels, height, width)``; the transformers that are built for one image size are built for it. Raises
    ``BadRequest`` for a name that torchvision does not list among its classifiers and for images that do not have three
    channels.
    """
    # torchvision takes long to import, and most networks do without it.
    from torchvision import models

    names = models.list_models(module=models)
    if name not in names:
        raise BadRequest(f"model.name={name} is not a torchvision classifier{near(name, names)}")
    if input_shape is not None and input_shape[0] != 3:
        raise BadRequest(f"model.name={name} takes images of 3 channels, and the data's have {input_shape[0]}")
    options = {**_single_output(name), **_image_size(name, input_shape), **kwargs}
    return models.get_model(name, weights=None, num_classes=classes, **options)


def _single_output(name: str) -> dict[str, Any]:
    """Builds the two Inception networks without their auxiliary classifiers, whose outputs a plain loss cannot take."""
    return {"aux_logits": False, "init_weights": True} if name in ("googlenet", "inception_v3") else {}


def _image_size(name: str, input_shape: tuple[int, int, int] | None) -> dict[str, Any]:
    if input_shape is None:
        return {}
    _, height, width = input_shape
    if name.startswith("vit_"):
        return {"image_size": height}
    if name.startswith("maxvit_"):
        return {"input_size": (height, width)}
    return {}
