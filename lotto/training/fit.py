"""One Trainer.fit per Train stage, or per stack of them: Lightning owns device and precision, lotto owns every number."""

from __future__ import annotations

import time
from collections.abc import Callable, Mapping, Sequence
from typing import Any

import lightning
import torch
from hydra.utils import get_class
from torch import Tensor, nn

from lotto.data.facts import steps_per_epoch
from lotto.data.interface import Data
from lotto.models.anatomy import kinds
from lotto.training.best import Best
from lotto.training.captured import Captured, may_capture
from lotto.training.evaluation import Evaluation
from lotto.training.member import Checkpoints, Fitted, Member
from lotto.training.moved import Moved
from lotto.training.network import Network, Tensors
from lotto.training.optimizer import optimizer_for
from lotto.training.ranks import Ranks
from lotto.training.regimen import Regimens, regimen_class
from lotto.training.rows import apart, together
from lotto.training.scale_penalty import ScalePenalty
from lotto.training.step import Step
from lotto.training.tally import Tally

LONGEST_CHUNK = 200


class Fit(lightning.LightningModule):
    """Trains R members with the same recipe from step ``first`` to the recipe's ``stop``.

    A Lightning batch is a chunk of steps that ends where something is evaluated: Lightning's loop costs as much as a small network's step.
    Where several processes (``ranks``) share every batch and every evaluation, each comes to the numbers of one process.
    """

    def __init__(
        self,
        network: Network,
        members: Sequence[Member],
        recipe: Mapping[str, Any],
        first: int,
        data: Data,
        checkpoints: Checkpoints,
        advance: Callable[[int, float | None], None],
        graph: bool = True,
        ranks: Ranks | None = None,
        model: nn.Module | None = None,
    ) -> None:
        """``model`` is the plain module, which a regimen needs to know."""
        super().__init__()
        self.automatic_optimization = False
        self.network = network
        self.members = list(members)
        self.recipe = recipe
        self.first = first
        self.data = data
        self.checkpoints = checkpoints
        self.advance = advance
        self.graph = graph
        self.ranks = ranks
        self.share = ranks.share if ranks else None
        self.validates = data.sizes["validation"] > 0
        self._model = (model,)  # out of the tree of modules: its tensors are the network's affair
        self.regimens: Regimens | None = None

    # -- what Lightning asks for ------------------------------------------------------------------------------------------------

    def configure_optimizers(self) -> torch.optim.Optimizer:
        self.multipliers, self.regimens = self._regimented()
        self.graph = self.graph and self.regimens is None  # which decides at every step anew
        self.captured = may_capture(get_class(self.recipe["optimizer"]["_target_"]), self.device, self.graph)
        self.moved = Moved(self.network, self.regimens)
        return optimizer_for(self.recipe, list(self.moved.parameters.values()), self.captured)

    def _regimented(self) -> tuple[Tensors, Regimens | None]:
        """What keeps pruned weights at zero, and who else acts at every step."""
        config, (model,) = self.recipe.get("regimen"), self._model
        if config is None or model is None:
            return self.network.multipliers(self.members), None
        kind = kinds(model)
        multipliers = self.network.multipliers(self.members, kind if regimen_class(config).moves_masks else ())
        per_epoch = steps_per_epoch(self.data.sizes["train"], self.recipe["batch_size"], self.recipe["drop_last"])
        return multipliers, Regimens(
            self.network, self.members, model, kind, self.recipe, self.first, per_epoch, multipliers
        )

    def _penalty(self) -> ScalePenalty | None:
        strength, (model,) = self.recipe.get("scale_penalty", 0.0), self._model
        if not strength or model is None:
            return None
        return ScalePenalty(strength, model, self.network.trained())

    def on_fit_start(self) -> None:
        self.data.place(self.device)
        optimizer = self.optimizers(use_pl_optimizer=False)
        assert isinstance(optimizer, torch.optim.Optimizer)
        self.optimizer = optimizer
        self.best = Best(self.network, self.members, self.validates, self.device)
        working = torch.float64 if self.recipe["precision"] == "64" else torch.float32
        precision = self.trainer.precision_plugin.forward_context
        self.evaluation = Evaluation(self.network, self.data, precision, working, self.recipe["loss"], self.ranks)
        self.step = self.first
        self.rows: list[dict[str, Any]] = []
        self.wall_before = 0.0
        self.started = time.monotonic()
        self.times = {"started": time.time()}
        self.moved.write(self.moved.gather([member.slots for member in self.members]), self.optimizer, self.device)
        self.one = Step(
            self.network,
            self.multipliers,
            self.optimizer,
            self.recipe,
            working,
            self.ranks,
            self.regimens,
            self._penalty(),
        )
        if self.regimens is not None:
            self.regimens.attach(self.optimizer, self.network)
            self.regimens.begin([member.regimen for member in self.members])
        self.take = Captured(self.one).take if self.captured else self.one.take
        self.finite = torch.ones(len(self.members), dtype=torch.bool, device=self.device)
        self.tally = Tally(len(self.members), self.device)
        self.tally.take_up([member.pending for member in self.members])
        self.trained = 0
        self.over = False
        self.carry: list[dict[str, Any]] = [{} for _ in self.members]
        kept = self.checkpoints.load()
        if kept is not None and kept[1]["layout"] == self.network.layout:
            self._restore(*kept)
        elif not self.members[0].metrics:
            self._evaluate()
        self.batches = self.data.train_batches(
            [member.streams for member in self.members],
            self.step,
            self.recipe["stop"],
            self.recipe["batch_size"],
            self.recipe["drop_last"],
            self.share,
        )

    def training_step(self, chunk: tuple[int, int], index: int) -> None:
        first, last = chunk
        if last <= self.step or not self.finite.any() or self.over:
            return  # done before the checkpoint that this fit goes on from, or nothing left to train
        first = max(first, self.step)  # that checkpoint may lie inside the chunk
        # The steps come first: they end before another batch is asked for.
        for step, (x, y) in zip(range(first, last), self.batches, strict=False):
            self._update(step, x, y)
            self.times.setdefault("first_step", time.time())
            if self.regimens is not None and self.regimens.over:
                self.over, last = True, step + 1
                break
            if step + 1 < last and self.checkpoints.asked():
                self.step = step + 1
                self.checkpoints.save(*self._checkpoint())
        self.step = last
        self.trained += (last - first) * len(self.members)
        if last % self.recipe["evaluate_every"] == 0:
            self._evaluate()
        if last == self.recipe["stop"] or self.over:
            self.carry = self._carried()
            if last % self.recipe["evaluate_every"]:
                self._evaluate()
        self.finite &= torch.isfinite(self.tally.loss)
        accuracy = float(self.rows[-1]["val_accuracy"].mean()) if self.rows and self.validates else None
        self.advance((last - first) * len(self.members), accuracy)
        if last < self.recipe["stop"] and not self.over and self.checkpoints.due():
            self.checkpoints.save(*self._checkpoint())

    def on_train_end(self) -> None:
        # Here and not after the fit: Lightning then moves the network off its device.
        self.trained_on = str(self.device)
        self.outcome = self._fitted_members()
        self.times["finished"] = time.time()

    def _update(self, step: int, x: Tensor, y: Tensor) -> None:
        self.one.begin(step)
        loss, logits = self.take(x, y)
        with torch.no_grad():
            self.tally.add(loss, logits, y)

    # -- evaluation -------------------------------------------------------------------------------------------------------------

    @torch.no_grad()
    def _evaluate(self) -> None:
        """Note the metrics of this step, on the device; the first step of least validation loss is the early-stopping step."""
        if self.regimens is not None:
            self.regimens.before_evaluation(self.step)
        tally = self.tally
        row: dict[str, Any] = {"step": self.step}
        if tally.steps:
            tally.count()
            row |= {"train_loss": tally.loss.double() / tally.steps, "train_accuracy": tally.correct / tally.steps}
        self.finite &= torch.isfinite(tally.loss)
        if self.validates:
            live = self.network.tensors()
            loss, accuracy = self._measure(live, "validation")
            row |= {"val_loss": loss, "val_accuracy": accuracy}
            self.finite &= torch.isfinite(loss)
            self.best.take(self.step, live, loss, self.regimens.settled(self.device) if self.regimens else None)
        if self.regimens is not None:
            row |= self.regimens.row(self.device)
        self.rows.append(row)
        tally.forget()

    def _measure(self, tensors: Tensors, split: str) -> tuple[Tensor, Tensor]:
        """Mean loss and accuracy ``[R]``."""
        return self.evaluation.of(tensors, split, self.device)

    def _carried(self) -> list[dict[str, Any]]:
        """For every member the evaluations on the grid, their best, and the sums since: an evaluation off the grid is left out."""
        early = self._measure(self.best.tensors, "test")[1] if self.validates and self.recipe["resumable"] else None
        made: list[dict[str, Any]] = []
        for index, member in enumerate(self.members):
            carry: dict[str, Any] = {
                "evaluations": len(member.metrics) + len(self.rows),
                "pending": list(self.tally.pending(index)),
            }
            if early is not None:
                carry["best"] = self.best.of_member(index, float(early[index]))
            made.append(carry if self.recipe["resumable"] else {})
        return made

    # -- the end ----------------------------------------------------------------------------------------------------------------

    @torch.no_grad()
    def _fitted_members(self) -> list[Fitted]:
        """Every member's weights, metrics and results. The test split is read here: at the early-stopping step and at the end."""
        wall = self.wall_before + time.monotonic() - self.started
        live = self.network.tensors()
        _, test = self._measure(live, "test")
        early = None
        if self.validates:
            # Where the last step is the best for all, its weights are the ones just measured.
            early = test if bool((self.best.step == self.step).all()) else self._measure(self.best.tensors, "test")[1]
        rows = apart(self.rows, len(self.members))
        slots = self.moved.read(self.optimizer)
        return [self._fitted(index, live, slots, rows[index], test, early, wall) for index in range(len(self.members))]

    def _fitted(
        self,
        index: int,
        live: Tensors,
        slots: Tensors,
        rows: list[dict[str, float]],
        test: Tensor,
        early: Tensor | None,
        wall: float,
    ) -> Fitted:
        member, part = self.members[index], self.network.of_replicate
        results: dict[str, Any] = {
            "test_accuracy": float(test[index]),
            "wall_seconds": member.wall + wall,
        }
        if self.over:
            results["stopped_at"] = self.step
        if early is not None:
            best = self.best.of_member(index, float(early[index]))
            results |= {
                "early_stop_step": best["step"],
                "val_loss_min": best["loss"],
                "test_accuracy_early_stop": best["test_accuracy"],
                "val_accuracy": rows[-1]["val_accuracy"],
            }
        own: Tensors = {}
        regimen: Tensors = {}
        if self.regimens is not None:
            one = self.regimens.each[index]
            results |= one.results()
            own, regimen = one.artifact(), self.regimens.states()[index]
        return Fitted(
            state={name: part(name, tensor.detach(), index).clone() for name, tensor in live.items()},
            slots=self.moved.of_replicate(slots, index),
            metrics=[*member.metrics, *rows],
            results=results,
            finite=bool(self.finite[index]),
            carry=self.carry[index],
            own=own,
            regimen=regimen,
        )

    # -- optimizer state and checkpoints ----------------------------------------------------------------------------------------

    def _checkpoint(self) -> tuple[Tensors, dict[str, Any]]:
        tensors = {f"live/{name}": tensor for name, tensor in self.network.tensors().items()}
        tensors |= self.best.state()
        tensors |= {f"slot/{name}": tensor for name, tensor in self.moved.read(self.optimizer).items()}
        for index, kept in enumerate(self.regimens.states() if self.regimens else ()):
            tensors |= {f"regimen/{index}/{name}": tensor for name, tensor in kept.items()}
        self.tally.count()
        tensors |= {"own/finite": self.finite, "tally/loss": self.tally.loss, "tally/correct": self.tally.correct}
        state = {
            "layout": self.network.layout,
            "step": self.step,
            "tallied": self.tally.steps,
            "rows": apart(self.rows, len(self.members)),
            "wall": self.wall_before + time.monotonic() - self.started,
        }
        return {name: tensor.detach() for name, tensor in tensors.items()}, state

    @torch.no_grad()
    def _restore(self, tensors: Tensors, state: dict[str, Any]) -> None:
        def under(prefix: str) -> Tensors:
            return {name.removeprefix(prefix): tensor for name, tensor in tensors.items() if name.startswith(prefix)}

        for name, tensor in self.network.tensors().items():
            tensor.copy_(tensors[f"live/{name}"])
        self.best.restore(tensors, self.device)
        self.moved.write(under("slot/"), self.optimizer, self.device)
        if self.regimens is not None:
            self.regimens.restore([under(f"regimen/{index}/") for index in range(len(self.members))])
        self.finite = tensors["own/finite"].to(self.device)
        self.tally.loss, self.tally.correct = (tensors[f"tally/{name}"].to(self.device) for name in ("loss", "correct"))
        self.step, self.tally.steps, self.wall_before = state["step"], state["tallied"], state["wall"]
        self.rows = together(state["rows"])
        self.advance((self.step - self.first) * len(self.members), None)


def chunks(first: int, stop: int, evaluate_every: int) -> list[tuple[int, int]]:
    """Consecutive runs of steps from ``first`` to ``stop``, none across an evaluation, none long."""
    made = []
    while first < stop:
        last = min(stop, first + LONGEST_CHUNK, (first // evaluate_every + 1) * evaluate_every)
        made.append((first, last))
        first = last
    return made
