"""COLT, cyclic overlapping lottery tickets (Hossain, Rakib, Elahi, Mohammed and Rahman 2022, arXiv 2212.12770; IEEE TAI 2025).

P copies of one initial network learn a part of the classes each; every copy is pruned by itself, and what all of them keep is the mask that
all of them go on with. With theta_0 the initial weights, D_i the part of copy i, A the training and q the rate of a round:

    theta_i = A(m^(r-1) * theta_0; D_i)                     every copy from the same weights, on its own classes
    m_i^r   = m^(r-1) without the fraction q of its weights of the smallest |theta_i|
    m^r     = m_1^r * ... * m_P^r                           the overlap; all copies are rewound to m^r * theta_0

A round removes between q and P q of what remains, 1 - (1 - q)^P where copies rank weights independently, at the cost of one round of
iterative magnitude pruning where lengths are in epochs; P = 1 is iterative magnitude pruning, stage for stage.

Copies have a head of C/P outputs, drawn once, and never pruned. A ticket is the overlap and theta_0's body under theta_0's own head of C
outputs, which has not been trained; so tickets of all rounds, and those of ``method=imp`` at the same seed, start from one head. A
ticket is trained on all classes as any other, and has the same controls. The weights of the last step are pruned, and statistics of
batch normalisation are rewound with the weights.

The paper's setting is in ``experiment=colt/...``: convolutions compete (``prune.allocation=global prune.rate=0.15
prune.exclude=[dense,output]``), and linear layers are left alone unless ``prune.exclude`` says otherwise. Its stopping rule, 99.1% of the
weights of convolutions, linear layers and normalisation, is ``method.until`` here, a density of the weights of convolutions and linear
layers alone; the results have both definitions. Not stated, and chosen here: which weights and which head a later rewinding point has
(those of the dense network on all classes, W_k; the paper rewinds to step 0), and that no checkpoint is chosen for pruning, where the
authors' code keeps the best on the test set in the first round. That code leaves batch normalisation's statistics as training left them,
and holds weights below 1e-6 in place of a mask, so that one that comes near zero stays there; here the mask holds what is pruned.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import replace
from functools import cache
from typing import Any

from lotto.data.part import Part
from lotto.entry import Entry
from lotto.errors import BadRequest
from lotto.fields import choice, fraction, section, whole
from lotto.limit import Limit
from lotto.parts import head, of_part, overlap
from lotto.recipe import Recipe
from lotto.schedule import Density, Removal, Target
from lotto.stage import Stage


def entries(
    recipe: Recipe,
    partitions: int = 2,
    partition: str = "by_class",
    train: Mapping[str, Any] | None = None,
    until: float | None = None,
    floor: int = 0,
) -> Iterator[Entry]:
    """Level 0 is the dense network; level L is the overlap of round L, trained on all classes.

    Args:
        partitions: how many copies there are, P.
        partition: ``by_class``, neighbouring classes to each; or ``stratified``, to each as even a share of every class as can be: a
            control, whose copies learn all classes and have the network's own head.
        train: settings of ``train`` that differ for the copies, such as ``{steps: 300it}``; lengths in epochs are those of a part.
        until: the search ends at a ticket of at most this density, or where nothing can be removed any more; at the last level anyway.
        floor: weights that every layer keeps at least, brought back from what most copies keep.

    Raises:
        BadRequest: an option is out of its range, P does not divide the classes, or copies would be rewound to weights of their own.
    """
    search = Search(recipe, partitions, partition, train, until, floor)
    dense = recipe.dense()
    yield recipe.dense_entry(dense)
    yield from search.rounds(dense)


class Search:
    """The rounds of one replicate."""

    def __init__(
        self,
        recipe: Recipe,
        partitions: int,
        partition: str,
        train: Mapping[str, Any] | None,
        until: float | None,
        floor: int,
    ) -> None:
        parts = parts_of(
            recipe.spec.data.classes,
            whole("method.partitions", partitions, 1),
            choice("method.partition", partition, ("by_class", "stratified")),
        )
        settings = section("method.train", train or {}, ())
        self.recipe, self.layers = recipe, cache(recipe.layers)
        self.copies = [of_part(recipe, part, settings) for part in parts] if len(parts) > 1 else [recipe]
        self.until = None if until is None else fraction("method.until", until)
        self.floor = whole("method.floor", floor, 0)
        # Heads of another size than the network's are the copies' own, and no part of what they find.
        self.beheaded = self.copies[0].spec.data.classes != recipe.spec.data.classes
        self.spare = ("output",) if self.beheaded else ()
        rewind = recipe.spec.rewind
        if len(parts) > 1 and (rewind.to != "weights" or rewind.batch_norm == "keep"):
            raise BadRequest(
                f"method=colt rewinds all copies to the same weights, and rewind.to={rewind.to} with rewind.batch_norm={rewind.batch_norm} "
                "goes on from those of each: choose rewind=weights, and follow or reset, or method.partitions=1."
            )

    def rounds(self, dense: Stage) -> Iterator[Entry]:
        """The rows of all levels but the dense network's, which is given."""
        recipe, limit = self.recipe, None
        sparse = recipe.first_mask() is not None  # the experiment starts from a ticket already
        point = recipe.dense_point() if sparse or not self.beheaded else recipe.rewinding_point()
        start = head(self.copies[0], point) if self.beheaded else point
        common = start if sparse and len(self.copies) > 1 else None
        trained = [dense] if len(self.copies) == 1 else [copy.train(start) for copy in self.copies]
        for level in range(1, recipe.levels):
            common = self._pruned(trained, common, level)
            if len(self.copies) == 1:
                begun = ticket = recipe.rewind(trained[0], common)
            else:
                begun = self.copies[0].ticket(start, common)
                ticket = head(recipe, begun, recipe.rewinding_point()) if self.beheaded else begun
            found = recipe.train(ticket)
            for entry in recipe.entries(level, ticket, found):
                yield replace(entry, limit=limit, noted=common if entry.branch == "ticket" else None)
            trained = [found] if len(self.copies) == 1 else [copy.train(begun) for copy in self.copies]
            limit = self._limit(ticket, level, limit)

    def _pruned(self, trained: Sequence[Stage], before: Stage | None, level: int) -> Stage:
        """What all copies keep of ``before``."""
        target = self._target(level)
        masks = [
            copy.prune(network, before, level, level - 1, target, self.spare)
            for copy, network in zip(self.copies, trained, strict=True)
        ]
        return masks[0] if len(masks) == 1 else overlap(self.copies[0], masks, before, self.spare, self.floor)

    def _target(self, level: int) -> Target:
        """The schedule's rate; of densities the rate from one to the next, since a copy's own density is not the overlap's."""
        schedule = self.recipe.spec.schedule
        target = schedule.target(level, level - 1)
        if len(self.copies) == 1 or not isinstance(target, Density):
            return target
        earlier = schedule.target(level - 1, level - 2) if level > 1 else Density(1.0)
        assert isinstance(earlier, Density)
        return Removal(1 - target.value / earlier.value)

    def _limit(self, ticket: Stage, level: int, before: Limit | None) -> Limit | None:
        """Whether there will be a level behind this one."""
        if level + 1 >= self.recipe.levels:
            return before
        rule = replace(self.recipe.spec.rule, exclude=tuple(self.recipe.excluded(self.spare)))
        return Limit(ticket, self.until, rule, self._target(level + 1), self.layers, before)


def parts_of(classes: int, partitions: int, partition: str) -> list[Part]:
    """The part of every copy: disjoint, and together the data set.

    Raises:
        BadRequest: ``by_class``, and the classes cannot be dealt out evenly.
    """
    if partition == "stratified":
        return [Part(share=share, of=partitions) for share in range(partitions)]
    if classes % partitions:
        raise BadRequest(
            f"method.partitions={partitions} does not divide the {classes} classes of the data: copies learn as many classes each."
        )
    size = classes // partitions
    return [Part(tuple(range(first, first + size))) for first in range(0, classes, size)]
