"""What a page's figures show, from tables and stores that are small enough to count by hand."""

from __future__ import annotations

import base64
import json
import math
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st

from lotto.report.evidence import Evidence, data_hash
from lotto.report.page.claims import claims_section
from lotto.report.page.cost import cost
from lotto.report.page.costing import duration, energy_words, quantity, with_prefix
from lotto.report.page.density import ACCURACIES, density_sets, points
from lotto.report.page.embed import embedded
from lotto.report.page.layers import layer_densities
from lotto.report.page.masks import first_layer_masks, picture_of
from lotto.report.page.probes import is_barrier, profile_sets, scalar_sets
from lotto.report.page.profile import MOST_POINTS, learning_curves, points_each, thinned
from lotto.report.page.provenance import origins
from lotto.store import Store
from tests.report.report_examples import claims, probes, small

LENET = {"model": {"_target_": "lotto.models.lenet.LeNet", "plan": [3]}, "input_shape": [1, 2, 2], "classes": 2}
CONV = {"model": {"_target_": "lotto.models.conv.ConvNet", "depth": 2}, "input_shape": [3, 8, 8], "classes": 2}


def publish(
    store: Store, row: dict[str, Any], masks: dict[str, Any], network: dict[str, Any] = LENET, **more: Any
) -> None:
    """A row as a run stores it: what it started with, and what it came to."""
    start = f"{row['key'][:39]}s"
    store.publish(
        start, {"kind": "rewind", "result": {}}, {f"mask/{name}": torch.tensor(m) for name, m in masks.items()}
    )
    record = {
        "kind": "train",
        "fields": {
            **network,
            "data": {"name": "made-up"},
            "seed": 7,
            "replicate": row["replicate"],
            "start": 0,
            "stop": 9,
        },
        "parents": {"start": start},
        "versions": {"lotto": "0.1.0", "torch": "2.15.0"},
        **more,
    }
    store.publish(
        row["key"], record, {}, [{"step": 0, "val_loss": 2.0 + row["replicate"]}, {"step": 9, "val_loss": 0.5}]
    )


@pytest.fixture
def rows() -> pd.DataFrame:
    """The dense network and one ticket, two replicates each, one reinit each."""
    table = small({"ticket": [[0.9, 0.92], [0.91, 0.95]], "reinit": [[0.8, 0.85]]})
    return table.assign(key=[f"{place:x}" * 40 for place in range(len(table))], sample=0, engine="stacked")


def mask(*kept: int) -> dict[str, Any]:
    """Of LeNet with three units on four pixels: the kept connections of the first layer by place, all of the others."""
    first = np.zeros(12, np.uint8)
    first[list(kept)] = 1
    return {"fc_layers.0.weight": first.reshape(3, 4), "fc.weight": np.ones((2, 3), np.uint8)}


def test_points_average_the_draws_of_a_replicate_before_replicates() -> None:
    table = small({"ticket": [[0.9, 0.9], [0.5, 0.7]]})
    drawn_twice = pd.concat([table, table[(table["level"] == 1) & (table["replicate"] == 0)].assign(test_accuracy=0.7)])

    dense, sparse = points(drawn_twice, "test_accuracy")

    assert dense == [0, 1.0, 0.9, 0.9, 0.9, 0.0, 2]
    # Replicate 0 has (0.5 + 0.7) / 2, so the mean is 0.65 and not 0.6333.
    level, density, mean, low, high, sd, n = sparse
    assert (level, density, mean, low, high, n) == (1, 0.5, 0.65, 0.6, 0.7, 2)
    assert sd == pytest.approx(0.1 / math.sqrt(2), abs=1e-5)


def test_a_measure_that_is_not_known_is_not_offered(rows: pd.DataFrame) -> None:
    known = rows.assign(test_accuracy_early_stop=np.nan)

    sets = density_sets({"ticket": known}, ACCURACIES)

    assert [found["id"] for found in sets] == ["test_accuracy"]
    assert sets[0]["factor"] == 100 and sets[0]["unit"] == "%"


@given(st.integers(0, 5000), st.integers(6, 200))
def test_thinned_keeps_both_ends_in_order_and_no_more_than_asked(count: int, most: int) -> None:
    kept = thinned(count, most)

    assert kept == sorted(set(kept)) and len(kept) <= max(most, min(count, most))
    assert len(kept) == count or len(kept) > most // 2
    if count:
        assert kept[0] == 0 and kept[-1] == count - 1


def test_many_curves_have_fewer_points_each() -> None:
    assert points_each(1) == MOST_POINTS
    assert points_each(1000) * 1000 <= 50_000
    assert points_each(10**6) > 10  # a curve of ten points is none


def test_learning_curves_have_the_range_of_the_replicates(rows: pd.DataFrame, store: Store) -> None:
    for row in rows[rows["branch"] == "ticket"].to_dict("records"):
        publish(store, row, {} if row["level"] == 0 else mask(0))
    evidence = Evidence.read(rows, store)

    (found,) = learning_curves(evidence.curves(rows, "0/"))

    assert found["id"] == "val_loss" and found["x"] == "iteration" and set(found["lines"]) == {"0/ticket"}
    assert found["lines"]["0/ticket"]["1"] == {
        "x": [0, 9],
        "mean": [2.5, 0.5],
        "low": [2, 0.5],
        "high": [3, 0.5],
        "n": 2,
    }


def test_a_row_that_is_not_stored_leaves_its_figures_out(rows: pd.DataFrame, store: Store) -> None:
    evidence = Evidence.read(rows, store)

    assert learning_curves(evidence.curves(rows)) == []
    assert layer_densities(rows, evidence) is None and first_layer_masks(rows, evidence) is None
    assert [set(row) >= {"key", "accuracy"} and "kind" not in row for row in origins(rows, evidence)["rows"]] == [
        True
    ] * 6


def test_layers_are_in_the_order_of_the_network_and_level_0_is_dense(rows: pd.DataFrame, store: Store) -> None:
    for row in rows[rows["level"] == 1].to_dict("records"):
        publish(store, row, mask(0, 5) if row["replicate"] else mask(0, 5, 7, 9))

    found = layer_densities(rows, Evidence.read(rows, store))

    assert found is not None
    assert found["names"] == ["fc_layers.0.weight", "fc.weight"] and found["totals"] == [12, 6]
    assert found["kept"]["ticket"] == {"0": [12, 6], "1": [3, 6]}
    assert found["kept"]["reinit"] == {"1": [3, 6]}


def test_the_first_mask_counts_the_connections_of_every_pixel(rows: pd.DataFrame, store: Store) -> None:
    for row in rows[rows["level"] == 1].to_dict("records"):
        publish(store, row, mask(0, 1, 4, 11))

    found = first_layer_masks(rows, Evidence.read(rows, store))

    assert found is not None
    assert (found["kind"], found["image"], found["shape"]) == ("pixels", [1, 2, 2], [3, 4])
    assert set(found["frames"]) == {"ticket"}, "reinit has the ticket's mask, which is not shown twice"
    frame = found["frames"]["ticket"]["0"]["1"]
    # Connections 0, 4 lead to the first pixel, 1 to the second, 11 to the fourth.
    assert frame["pixels"] == [2, 1, 0, 1] and frame["kept"] == 4 and frame["units"] == [0, 1, 2]
    assert base64.b64decode(frame["bits"]) == bytes([0b11001000, 0b00010000])
    assert found["frames"]["ticket"]["0"]["0"]["pixels"] == [3, 3, 3, 3]


def test_a_control_with_other_masks_is_shown_too(rows: pd.DataFrame, store: Store) -> None:
    for row in rows[rows["level"] == 1].to_dict("records"):
        publish(store, row, mask(0, 1) if row["branch"] == "ticket" else mask(2, 3))

    found = first_layer_masks(rows, Evidence.read(rows, store))

    assert found is not None and list(found["frames"]) == ["ticket", "reinit"]
    assert found["frames"]["reinit"]["1"]["1"]["pixels"] == [0, 0, 1, 1]


def test_replicates_beyond_the_budget_are_left_out_but_for_the_first(rows: pd.DataFrame, store: Store) -> None:
    for row in rows[rows["level"] == 1].to_dict("records"):
        publish(store, row, mask(0, 1))

    found = first_layer_masks(rows, Evidence.read(rows, store), budget=1)

    assert found is not None and list(found["frames"]["ticket"]) == ["0"] and found["replicates"] == 2


def test_the_first_mask_of_a_convolution_is_its_filters(rows: pd.DataFrame, store: Store) -> None:
    kept = np.zeros((64, 3, 3, 3), np.uint8)
    kept[0, 0, 0, :] = 1
    for row in rows[rows["level"] == 1].to_dict("records"):
        publish(store, row, {"convs.0.weight": kept, "fc.weight": np.ones((2, 256), np.uint8)}, CONV)

    found = first_layer_masks(rows, Evidence.read(rows, store))

    assert found is not None and (found["layer"], found["kind"], found["filters"]) == ("convs.0.weight", "filters", 64)
    bits = np.unpackbits(np.frombuffer(base64.b64decode(found["frames"]["ticket"]["0"]["1"]["bits"]), np.uint8))
    assert bits[: kept.size].tolist() == kept.ravel().tolist()


@pytest.mark.parametrize(("shape", "image"), [((3, 5), (1, 2, 2)), ((3, 4), (4,)), ((3, 2, 4), (2, 8, 8))])
def test_a_first_layer_that_sees_no_picture_has_none(shape: tuple[int, ...], image: tuple[int, ...]) -> None:
    assert picture_of("first", np.ones(shape, np.uint8), image) is None


def test_the_wall_time_of_a_fit_counts_once_for_all_that_were_stacked_in_it(rows: pd.DataFrame, store: Store) -> None:
    together = rows[rows["level"] == 1]["key"].tolist()
    for row in rows.to_dict("records"):
        publish(store, row, mask(0), stack=together if row["level"] else [row["key"]], engine="stacked")
    timed = rows.assign(wall_seconds=[10.0, 20.0, *[4.0] * 4], train_steps=100, cached=[True, *[False] * 5])
    timed = timed.assign(
        energy_kwh=timed["wall_seconds"] / 10, co2_kg=timed["wall_seconds"] / 20, energy_from="estimated"
    )

    found = cost(timed, Evidence.read(timed, store))

    assert (found.seconds, found.fits, found.widest, found.networks, found.steps) == (34.0, 3, 4, 6, 600)
    assert (found.cached, found.rows, found.engines, found.flops) == (1, 6, ("stacked",), None)
    assert (found.energy_kwh, found.co2_kg) == (pytest.approx(3.4), pytest.approx(1.7))
    assert energy_words(found) == "3.4 kWh and 1.7 kg of CO2 for the 3 fits, estimated"


def test_a_network_that_two_rows_name_counts_once(rows: pd.DataFrame, store: Store) -> None:
    twice = pd.concat([rows, rows[:1]]).assign(train_steps=100, flops_training=1e9)

    found = cost(twice, Evidence(store))

    assert (found.networks, found.rows, found.steps, found.flops) == (6, 7, 600, 6e9)


@pytest.mark.parametrize(
    ("seconds", "text"),
    [
        (0.04, "0.04 s"),
        (9.96, "10 s"),
        (41.2, "41 s"),
        (59.7, "1 min 0 s"),
        (125, "2 min 5 s"),
        (11_520, "3 h 12 min"),
    ],
)
def test_durations_as_one_reads_them(seconds: float, text: str) -> None:
    assert duration(seconds) == text


def test_large_numbers_have_prefixes() -> None:
    assert [with_prefix(number) for number in (12, 5.32e5, 1.5e12, 2e19)] == ["12", "532 k", "1.5 T", "20 E"]
    assert [quantity(number, "Wh") for number in (0, 2e-7, 0.0034, 12, 5320)] == [
        "0 Wh",
        "2e-07 Wh",
        "3.4 mWh",
        "12 Wh",
        "5.32 kWh",
    ]


def test_origins_name_seed_engine_data_and_what_was_trained_from(rows: pd.DataFrame, store: Store) -> None:
    for row in rows.to_dict("records"):
        publish(store, row, mask(0), stack=[row["key"]], engine="alone", device="cpu")
    evidence = Evidence.read(rows, store)

    found = origins(rows, evidence)

    last = found["rows"][-1]
    assert (last["line"], last["seed"], last["replicate"], last["engine"], last["stack"]) == (
        "reinit",
        7,
        1,
        "alone",
        1,
    )
    assert last["start"] == ["5" * 39 + "s", "rewind"] and last["steps"] == [0, 9]
    assert found["versions"] == ["lotto 0.1.0, torch 2.15.0"]
    (data,) = found["data"]
    assert data == f"made-up {data_hash(evidence.trained[last['key']])}"
    other = {"fields": {"data": {"name": "made-up", "split_seed": 1}}}
    assert data_hash(other) != data_hash({"fields": {"data": {"name": "made-up"}}})


def test_probes_are_scalars_against_density_or_profiles_at_a_level(rows: pd.DataFrame) -> None:
    frame = probes(rows)
    between = frame[is_barrier(frame)]
    rest = frame[~is_barrier(frame)]

    assert [found["id"] for found in scalar_sets(between)] == ["interpolation/barrier_test"]
    (path,) = profile_sets(between)
    assert path["x"] == "position between the two networks" and path["lines"]["ticket"]["1"]["x"] == [0, 0.5, 1]
    # At level 1 the heights are 0.04 and 0.041, on top of an error of 0.02.
    assert path["lines"]["ticket"]["1"]["mean"] == [0.02, pytest.approx(0.0605), 0.02]
    assert {found["id"] for found in scalar_sets(rest)} == {"calibration/ece", "stability/l2", "stability/l2/fc.weight"}
    assert [(found["id"], found["diagonal"]) for found in profile_sets(rest)] == [("calibration/accuracy", True)]


def test_claims_tell_verdict_source_and_spread() -> None:
    text = claims_section(claims(), ["a tenth of the iterations"])

    assert text.index("a tenth of the iterations") < text.index("does not hold")
    assert "0.21 ± 0.11 points, 95% interval \N{MINUS SIGN}0.05 to 0.47 (n = 5)" in text
    assert "more than 0.3 points (read in the paper)" in text and "\N{MINUS SIGN}0.09 points" in text
    assert "not measured" in text and "1 does not hold, 1 not testable at this scale" in text


@given(st.text())
def test_no_text_breaks_out_of_the_data(text: str) -> None:
    shown = embedded({"name": text + "</script><!--", text: [None, 0.5]})

    assert not set(shown) & set("<>&\u2028\u2029")
    assert json.loads(shown)["name"] == text + "</script><!--"


def test_numbers_that_json_does_not_know_are_refused() -> None:
    with pytest.raises(ValueError, match="not JSON compliant"):
        embedded({"value": math.nan})


def test_masks_that_only_their_tensors_tell_are_counted(rows: pd.DataFrame, store: Store, tmp_path: Path) -> None:
    row = rows.iloc[-1].to_dict()
    publish(store, row, mask(0, 3))

    assert Evidence.read(rows, store).layers(row["key"]) == {"fc_layers.0.weight": (2, 12), "fc.weight": (6, 6)}
