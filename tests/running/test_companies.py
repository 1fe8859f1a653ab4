"""Which train stages wait for one another."""

from __future__ import annotations

from lotto.compose import composed, read_spec
from lotto.plan import Plan
from lotto.running.companies import Companies
from tests.e2e import TINY


def plan(*more: str) -> Plan:
    return Plan.of(read_spec(composed([*TINY, *more])))


def trainings(made: Plan, level: int, branch: str) -> list[str]:
    return [entry.trained.key for entry in made.entries if entry.level == level and entry.branch == branch]


def test_a_company_is_ready_when_all_of_it_is() -> None:
    made = plan("replicates=3", "controls=[]")
    companies = Companies(made)
    first, second, third = trainings(made, 1, "ticket")
    missing = {first, second, third}
    ready = [made.stages[first], made.stages[second]]
    assert companies.complete(ready, missing, ()) == []
    assert len(companies.complete([*ready, made.stages[third]], missing, ())) == 3
    # The third is stored already, or will never be ready: nobody waits for it.
    assert len(companies.complete(ready, {first, second}, ())) == 2
    lost = made.stages[third].parents["start"].key
    assert len(companies.complete(ready, missing, {lost})) == 2


def test_other_levels_and_other_lengths_are_not_waited_for() -> None:
    made = plan("replicates=2", "rewind.at=20it", "controls=[]")
    companies = Companies(made)
    points = [key for key, stage in made.stages.items() if stage.kind == "train" and stage.fields["stop"] == 20]
    missing = {key for key, stage in made.stages.items() if stage.kind == "train"}
    whole = companies.complete([made.stages[key] for key in points], missing, ())
    assert [stage.key for stage in whole] == points


def test_what_is_less_deep_comes_first() -> None:
    union = Plan.union([plan("replicates=1"), plan("replicates=1", "train.lr=0.003")])
    companies = Companies(union)
    deep, shallow = trainings(union, 2, "ticket"), trainings(union, 0, "ticket")
    mixed = [union.stages[key] for key in (deep[0], shallow[1])]
    assert [stage.key for stage in companies.complete(mixed, (), ())] == [shallow[1], deep[0]]
