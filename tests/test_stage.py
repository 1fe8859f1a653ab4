"""Keys are addresses of stored results: they must not change by accident, and must change with every number."""

from __future__ import annotations

import hashlib
from collections.abc import Callable

import pytest

from lotto.plan import Plan
from lotto.spec import Spec
from lotto.stage import NEUTRAL, Stage, canonical, significant

INIT = Stage("init", {"model": {"width": 3}, "seed": 0, "replicate": 0})


def train(parent: Stage = INIT, **fields: object) -> Stage:
    return Stage("train", {"lr": 0.1, "start": 0, "stop": 600, **fields}, {"start": parent})


def sha(text: str) -> str:
    return hashlib.sha256(text.encode()).hexdigest()[:40]


def test_key_is_the_hash_of_canonical_json() -> None:
    init = '{"fields":{"model":{"width":3},"replicate":0,"seed":0},"kind":"init","parents":{},"version":1}'
    assert INIT.key == sha(init) == "09eb31c26eb9c5516132e6bcea689a7b58a7003f"
    child = '{"fields":{"lr":0.1,"stop":600},"kind":"train","parents":{"start":"%s"},"version":1}'
    assert train().key == sha(child % INIT.key) == "005c05a825726c459d518d82d2791efa2241ae75"


def test_keys_of_the_main_job_are_pinned(spec_of: Callable[..., Spec]) -> None:
    """Whoever changes these throws away every stored result: raise the kind's VERSION on purpose, or find out why."""
    plan = Plan.of(spec_of("controls=[reinit]", "replicates=1", "schedule.levels=2"))
    kinds = [stage.kind for stage in plan.stages.values()]
    assert kinds == ["init", "train", "prune", "rewind", "train", "control", "train"]
    assert [stage.key[:12] for stage in plan.stages.values()] == [
        "0da19b9177d6",
        "fee18bd44e0f",
        "43ff03934429",
        "2e232da7d214",
        "7ccdb2dfb986",
        "4e3e4c729ac6",
        "3a53bd2c562e",
    ]


def test_canonical_json_is_sorted_short_and_reads_back() -> None:
    assert canonical({"b": [1, 0.1], "a": {"d": None, "c": True}}) == '{"a":{"c":true,"d":null},"b":[1,0.1]}'
    with pytest.raises(ValueError, match="not JSON compliant"):
        canonical({"a": float("nan")})


def test_key_does_not_depend_on_the_order_of_fields_or_parents() -> None:
    fields = {"a": 1, "b": {"x": 1, "y": 2}}
    turned = {"b": {"y": 2, "x": 1}, "a": 1}
    assert Stage("prune", fields).key == Stage("prune", turned).key
    parents = {"trained": train(), "mask": INIT}
    assert Stage("prune", {}, parents).key == Stage("prune", {}, dict(reversed(parents.items()))).key


@pytest.mark.parametrize(("name", "neutral"), NEUTRAL.items())
def test_a_field_without_effect_is_left_out(name: str, neutral: object) -> None:
    assert significant({"lr": 0.1, name: neutral}) == {"lr": 0.1}
    assert train(**{name: neutral}).key == train().key
    assert train(**{name: "other"}).key != train().key


def test_fields_that_are_only_like_a_neutral_one_count() -> None:
    assert significant({"temperature": 0, "lr": 0.0, "seed": 0}) == {"temperature": 0, "lr": 0.0, "seed": 0}


def test_key_depends_on_kind_fields_parents_and_their_roles() -> None:
    other = Stage("init", {"model": {"width": 3}, "seed": 0, "replicate": 1})
    stages = [
        train(),
        train(lr=0.2),
        train(stop=500),
        train(parent=other),
        train(parent=train()),
        Stage("rewind", train().fields, train().parents),
        Stage("train", train().fields, {"origin": INIT}),
        Stage("train", train().fields),
    ]
    assert len({stage.key for stage in stages}) == len(stages)
    assert all(len(stage.key) == 40 and set(stage.key) <= set("0123456789abcdef") for stage in stages)


def test_trajectory_is_the_path_whatever_the_stop() -> None:
    point = train(stop=100, resumable=True)
    assert point.trajectory == train().trajectory
    assert point.key != train().key
    assert train(stop=100, resumable=True).key != train(stop=100).key
    for other in (train(lr=0.2), train(start=100), train(parent=point), train(warmup=10)):
        assert other.trajectory != train().trajectory


def test_description_is_enough_to_make_the_stage_again() -> None:
    stage = train(warmup=0)
    described = stage.description
    assert described["fields"]["warmup"] == 0
    assert Stage(described["kind"], described["fields"], {"start": INIT}).key == stage.key
    assert described["parents"] == {"start": INIT.key}


def test_a_thousand_levels_do_not_recurse() -> None:
    stage = INIT
    for _ in range(5000):
        stage = train(parent=stage)
    assert len(stage.key) == 40
