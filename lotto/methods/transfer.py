"""Tickets found elsewhere: on another data set, on some of the classes, or in files (Hossain et al. 2022, COLT; Morcos et al. 2019).

Another method looks for tickets on the data of ``method.source``, with this experiment's network, pruning, schedule and rewinding point.
Every ticket's body, its mask and its weights at the rewinding point, is then put under the head of the network's own initialisation
theta_0 for the data here, which no training has seen, and trained on these data from step 0 to the last:

    w = (m * w_k of the source's body, head of theta_0)

So all tickets have one head, that of the dense network at level 0 and of ``method=imp`` on these data. Controls that need unpruned
weights take the source's w_k under the same head. A ticket of a method that moves masks in training is what that training ended with.
``method.tickets`` reads ticket files instead, one a level. Not stated in the paper: whether the head is the same for all tickets.
"""

from __future__ import annotations

import inspect
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import replace
from typing import Any

from lotto.data.facts import facts
from lotto.entry import Entry
from lotto.errors import BadRequest
from lotto.fields import flag, list_of, section
from lotto.parts import head
from lotto.recipe import Recipe
from lotto.request.rewind import RewindSpec
from lotto.request.train import TrainSpec
from lotto.spec import Spec
from lotto.stage import Stage
from lotto.starts.checkpoint import Checkpoint

_OWN = "method.source"


def entries(
    recipe: Recipe, source: Mapping[str, Any] | None = None, tickets: Sequence[str] | None = None
) -> Iterator[Entry]:
    """Level 0 is the dense network on the data here; level L is the ticket of the source's level L, or the L-th file.

    Args:
        source: ``data`` and ``method``, configured as an experiment's are, and ``train``, settings that differ there.
        tickets: ticket files instead.

    Raises:
        BadRequest: the source is no experiment, or there are more or fewer files than levels.
    """
    rewind = RewindSpec(to="weights", at=0)
    here = recipe.derived(replace(recipe.spec, rewind=rewind))
    yield here.dense_entry(here.dense())
    yield from _of_files(here, list_of("method.tickets", tickets)) if tickets else _of_source(recipe, here, source)


def _of_source(recipe: Recipe, here: Recipe, source: Mapping[str, Any] | None) -> Iterator[Entry]:
    there = recipe.derived(source_spec(recipe.spec, source))
    point = head(here, there.rewinding_point(), here.init())
    for entry in there.spec.method(there, **there.spec.method_options):
        if entry.branch != "ticket" or entry.level == 0:
            continue
        found = entry.trained if entry.trained.fields.get("regimen") else entry.start
        ticket = head(here, found, here.init(), begun=entry.start)
        for row in here.entries(entry.level, ticket, here.train(ticket), weights=point):
            yield replace(row, limit=entry.limit, noted=entry.noted if row.branch == "ticket" else None)


def _of_files(here: Recipe, paths: Sequence[Any]) -> Iterator[Entry]:
    if here.levels != len(paths) + 1:
        raise BadRequest(
            f"method.tickets lists {len(paths)} file(s), one for every level but the dense network's: give "
            f"schedule.levels={len(paths) + 1}."
        )
    for control in here.spec.controls:
        if control.needs_weights:
            raise BadRequest(
                f"controls=[{control.name}] needs unpruned weights, which a ticket file does not hold: drop it."
            )
    for level, path in enumerate(paths, 1):
        ticket: Stage = here.from_file(Checkpoint(path=str(path), head="fresh", field="method.tickets"))
        yield from here.entries(level, ticket, here.train(ticket))


def source_spec(spec: Spec, source: Mapping[str, Any] | None) -> Spec:
    """The experiment that tickets are taken from: this one on other data, by another method, without controls.

    Raises:
        BadRequest: a setting is missing, unknown or out of its range.
    """
    from lotto.compose import imported

    given = section(_OWN, source or {}, ("data", "method"))
    config = section(f"{_OWN}.data", given.pop("data"), ())
    method = section(f"{_OWN}.method", given.pop("method"), ("name", "_target_", "iterative"))
    changes = section(f"{_OWN}.train", given.pop("train", None) or {}, ())
    for field, value in given.items():
        raise BadRequest(f"{_OWN}.{field}={value} is no setting of {_OWN}: data, method and train are.")
    data = facts(config)
    train = TrainSpec.read({**spec.request["train"], **changes}, data, f"{_OWN}.train" if changes else "train")
    name, function = str(method.pop("name")), imported(f"{_OWN}.method._target_", method.pop("_target_"))
    iterative = flag(f"{_OWN}.method.iterative", method.pop("iterative"))
    try:
        inspect.signature(function).bind(None, **method)
    except TypeError as reason:
        raise BadRequest(f"{_OWN}.method={name} cannot be set up: {reason}.") from None
    return replace(
        spec,
        data=data,
        data_config=config,
        train=train,
        rewind=RewindSpec.read(spec.request["rewind"], train),
        method_name=name,
        method=function,
        iterative=iterative,
        method_options=method,
        controls=(),
        probes=(),
    )
