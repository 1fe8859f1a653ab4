"""The engine's rule for the stages of one run."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any

from lotto.stage import Stage, canonical
from lotto.stages import model_of
from lotto.store import Store
from lotto.training.engine import Engine, engine_for, is_slimmed, sparse_layers
from lotto.training.regimen import regimen_class
from lotto.training.scale_penalty import ScalePenalty


class Engines:
    """Applies the rule once for every network, and tells why replicates are trained alone.

    Args:
        asked: ``engine=`` of the request.
        device: ``cpu`` or ``cuda``.
        note: prints a line.
    """

    def __init__(self, asked: str, device: str, store: Store, note: Callable[[str], None]) -> None:
        self.asked = asked
        self._device, self._store, self._note = device, store, note
        self._engines: dict[str, Engine] = {}
        self._starts: dict[str, dict[str, Any]] = {}
        self._told: set[str] = set()
        self._checked: set[str] = set()

    def engine(self, stage: Stage) -> Engine:
        """How the network of a train stage is trained.

        Raises:
            BadRequest: the request asks for what is impossible.
        """
        fields = stage.fields
        self._check(fields)
        optimizer = fields["optimizer"]["_target_"]
        name = canonical([fields["model"], fields["input_shape"], fields["classes"], optimizer])
        if name not in self._engines:
            shape = tuple(fields["input_shape"])
            engine = engine_for(model_of(fields), shape, optimizer, self.asked, self._device)
            self._engines[name] = engine
            if engine.reason and engine.reason not in self._told:
                self._told.add(engine.reason)
                self._note(f"Replicates are trained one after another: {engine.reason}.")
        return self._engines[name]

    def _check(self, fields: Mapping[str, Any]) -> None:
        """Raises BadRequest where what acts in training besides the optimizer can do nothing with the network."""
        regimen, penalty = fields.get("regimen"), fields.get("scale_penalty", 0.0)
        name = canonical([fields["model"], regimen and regimen["_target_"], penalty > 0])
        if name in self._checked:
            return
        self._checked.add(name)
        if regimen:
            regimen_class(regimen).check(model_of(fields))
        if penalty:
            ScalePenalty.check(model_of(fields))

    def rule(self, stage: Stage, members: int) -> tuple[int, tuple[str, ...]]:
        """How many replicates the fit of a stage may hold, and which weights it keeps as their values if it holds ``members``.

        The stage's parents are stored.
        """
        engine = self.engine(stage)
        if stage.fields.get("regimen") or "found" in stage.parents:
            # A regimen sees weights and gradients as tensors of the plain module; a found step is each replicate's own.
            return (1 if "found" in stage.parents else engine.largest), ()
        start = stage.parents["start"].key
        if start not in self._starts:
            self._starts[start] = self._store.record(start)["result"]
        found = self._starts[start]
        if found.get("structured") and is_slimmed(engine.largest, stage.fields, self.asked, members):
            return 1, ()
        return engine.largest, sparse_layers(engine, found.get("layers", {}), self.asked, min(members, engine.largest))
