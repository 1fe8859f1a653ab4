"""Which artifact tickets and their controls come from, in methods whose mask is found while something trains."""

from __future__ import annotations

from collections.abc import Callable

from lotto.plan import Plan
from lotto.spec import Spec


def test_controls_of_edge_popup_take_the_mask_that_was_found(spec_of: Callable[..., Spec]) -> None:
    plan = Plan.of(spec_of("experiment=ramanujan2020/digits", "controls=[reinit]", "replicates=1"))
    controls = [entry for entry in plan.entries if entry.branch == "reinit"]
    assert controls
    for entry in controls:
        assert entry.start.parents["ticket"].parents["mask"].key == entry.ticket.key
        assert entry.ticket.kind == "train" and entry.ticket.fields["regimen"]


def test_gradual_pruning_begins_at_the_rewinding_point(spec_of: Callable[..., Spec]) -> None:
    plan = Plan.of(spec_of("method=gmp", "rewind.at=100it", "replicates=1", "controls=[]"))
    (ticket, *_) = [entry for entry in plan.entries if entry.level == 1]
    assert ticket.trained.parents["start"].parents["weights"].fields["stop"] == 100
