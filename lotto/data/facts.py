"""What a plan must know of a data set before anything is read: sizes, shape, classes and identity. Imports no torch."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from importlib import import_module
from numbers import Real
from typing import Any, cast

from lotto.data.listing import Listing, list_images
from lotto.data.part import Part
from lotto.errors import BadRequest

SPLITS = ("train", "validation", "test")

# Where the data lie and how fast they are read changes no number; the class is told apart by ``name``.
_NOT_IDENTITY = frozenset({"_target_", "declared_by", "root", "download", "workers", "part"})


@dataclass(frozen=True)
class Facts:
    """What is known of a data set without reading it.

    ``train`` is what is left once ``validation`` examples are held out of the training set; ``input_shape`` is
    (channels, height, width); ``identity`` is a JSON-able dict of all that changes a number; ``remark`` is what a reader of
    the results must know of the splits.
    """

    train: int
    validation: int
    test: int
    input_shape: tuple[int, int, int]
    classes: int
    identity: dict[str, Any]
    remark: str = ""


def facts(config: Mapping[str, Any]) -> Facts:
    """The facts of the data set that ``config`` describes: read from its fields, or from a listing of its image folder.

    A set whose size follows from other fields names a function, ``declared_by``, that makes its facts of them.

    Raises:
        BadRequest: a field is missing or contradicts another, or the folder cannot be listed.
    """
    whole = _whole(config)
    return whole if config.get("part") is None else Part.read(config["part"]).facts(whole)


def _whole(config: Mapping[str, Any]) -> Facts:
    """The facts of all of the data set, whatever part of it is asked for."""
    identity = {field: value for field, value in config.items() if field not in _NOT_IDENTITY and value is not None}
    split_seed = config.get("split_seed", 0)
    if not isinstance(split_seed, int) or isinstance(split_seed, bool):
        raise BadRequest(f"data.split_seed={split_seed} is not a whole number.")
    if declared_by := config.get("declared_by"):
        return _declaration(declared_by)(config, identity)
    if config.get("examples") is not None:
        given, test = _declared_examples(config["examples"])
        shape, classes = _declared_shape(config), _declared_classes(config)
    else:
        listing = list_images(config.get("root"), config.get("folders"), config.get("test_fraction"))
        given, test = listing.train, listing.test
        shape, classes = _found_shape(config, listing), len(listing.classes)
        identity["listing"] = listing.digest()
    validation = held_out("validation", config.get("validation", 0), given)
    return Facts(given - validation, validation, test, shape, classes, identity)


def _declaration(path: object) -> Callable[[Mapping[str, Any], dict[str, Any]], Facts]:
    module, _, name = str(path).rpartition(".")
    try:
        found = getattr(import_module(module), name)
    except (ImportError, AttributeError, ValueError) as reason:
        raise BadRequest(f"data.declared_by={path} is no function that can be imported: {reason}.") from None
    return cast(Callable[[Mapping[str, Any], dict[str, Any]], Facts], found)


def held_out(field: str, amount: float, examples: int) -> int:
    """How many of ``examples`` the setting ``data.<field>`` holds out: a count, or a fraction of them, rounded.

    Raises:
        BadRequest: the amount is not a number, is negative, or leaves nothing to train on.
    """
    if isinstance(amount, Real) and not isinstance(amount, bool) and 0 <= amount < examples:
        held = amount if isinstance(amount, int) else round(amount * examples)
        if held < examples:
            return held
    raise BadRequest(
        f"data.{field}={amount!r} is neither a count from 0 to {examples - 1} nor a fraction of at least 0 and below 1 "
        f"of the {examples} examples."
    )


def steps_per_epoch(train: int, batch_size: int, drop_last: bool) -> int:
    """Training steps in one pass over ``train`` examples; a partial last batch counts unless ``drop_last``.

    Raises:
        BadRequest: the batch size is not positive, or an epoch would have no step.
    """
    if batch_size < 1:
        raise BadRequest(f"batch_size={batch_size} is not allowed: a batch has at least 1 example.")
    if drop_last and batch_size > train:
        raise BadRequest(
            f"batch_size={batch_size} with drop_last=true leaves no batch of the {train} training examples: "
            f"at most {train} is allowed."
        )
    return train // batch_size if drop_last else -(-train // batch_size)


def _declared_examples(examples: Mapping[str, int]) -> tuple[int, int]:
    if not isinstance(examples, Mapping) or set(examples) != {"train", "test"}:
        raise BadRequest(
            f"data.examples={examples} is not allowed: exactly train and test have a number, and data.validation says "
            "how much of train is held out."
        )
    return int(examples["train"]), int(examples["test"])


def _declared_shape(config: Mapping[str, Any]) -> tuple[int, int, int]:
    if config.get("input_shape") is None:
        return _found_shape(config, None)
    channels, height, width = config["input_shape"]
    return int(channels), int(height), int(width)


def _declared_classes(config: Mapping[str, Any]) -> int:
    if config.get("classes") is None:
        raise BadRequest("data.classes is missing: with data.examples given, give it too.")
    return int(config["classes"])


def _found_shape(config: Mapping[str, Any], listing: Listing | None) -> tuple[int, int, int]:
    """The shape that ``data.size`` makes of every image, or the one the first image has."""
    channels, size = config.get("channels", 3), config.get("size")
    if channels not in (1, 3):
        raise BadRequest(f"data.channels={channels!r} is not allowed: 1 (grey) or 3 (RGB).")
    if size is not None:
        if not isinstance(size, int) or size < 1:
            raise BadRequest(f"data.size={size!r} is not allowed: a positive number of pixels, or null.")
        return channels, size, size
    if listing is None:
        raise BadRequest("data.input_shape is missing: with data.examples given, give it or data.size too.")
    from lotto.data.images import image_size  # brings NumPy, which no other plan waits for

    width, height = image_size(listing.path(0))
    return channels, height, width
