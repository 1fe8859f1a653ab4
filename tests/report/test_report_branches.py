"""Colours as readers see them who lack one of the three kinds of cones (Machado, Oliveira & Fernandes 2009, Table 1)."""

from __future__ import annotations

from itertools import combinations

import numpy as np
import pytest

from lotto.report.branches import KNOWN, SPARE, in_order, look

SEEN_WITHOUT = {
    "nothing": np.eye(3),
    "red": np.array(
        [[0.152286, 1.052583, -0.204868], [0.114503, 0.786281, 0.099216], [-0.003882, -0.048116, 1.051998]]
    ),
    "green": np.array(
        [[0.367322, 0.860646, -0.227968], [0.280085, 0.672501, 0.047413], [-0.011820, 0.042940, 0.968881]]
    ),
    "blue": np.array(
        [[1.255528, -0.076749, -0.178779], [-0.078411, 0.930809, 0.147602], [0.004733, 0.691367, 0.303900]]
    ),
}
TO_XYZ = np.array([[0.4124, 0.3576, 0.1805], [0.2126, 0.7152, 0.0722], [0.0193, 0.1192, 0.9505]])
WHITE = TO_XYZ @ np.ones(3)

# Okabe and Ito's own closest pair is 16 apart; what differs by 2 is just told apart side by side.
LEAST_DISTANCE = 15


def linear(colour: str) -> np.ndarray:
    """Linear sRGB of ``#rrggbb``."""
    channels = np.array([int(colour[place : place + 2], 16) for place in (1, 3, 5)]) / 255
    return np.where(channels <= 0.04045, channels / 12.92, ((channels + 0.055) / 1.055) ** 2.4)


def lab(light: np.ndarray) -> np.ndarray:
    """CIE L*a*b* of linear sRGB, in which distances are about what is seen."""
    relative = TO_XYZ @ np.clip(light, 0, 1) / WHITE
    x, y, z = np.where(relative > 0.008856, np.cbrt(relative), 7.787 * relative + 16 / 116)
    return np.array([116 * y - 16, 500 * (x - y), 200 * (y - z)])


@pytest.mark.parametrize("lacking", SEEN_WITHOUT)
def test_the_named_branches_can_be_told_apart(lacking: str) -> None:
    seen = {name: lab(SEEN_WITHOUT[lacking] @ linear(branch.colour)) for name, branch in KNOWN.items()}

    distances = {pair: np.linalg.norm(seen[pair[0]] - seen[pair[1]]) for pair in combinations(seen, 2)}

    assert min(distances.values()) > LEAST_DISTANCE, min(distances, key=lambda pair: distances[pair])


def test_every_colour_stands_out_from_white_and_every_marker_is_its_own() -> None:
    luminance = {look.colour: (TO_XYZ @ linear(look.colour))[1] for look in (*KNOWN.values(), *SPARE)}

    assert min(1.05 / (value + 0.05) for value in luminance.values()) > 2
    markers = [look.marker for look in (*KNOWN.values(), *SPARE)]
    assert len(set(markers)) == len(markers)


def test_a_branch_looks_the_same_whatever_stands_beside_it() -> None:
    assert look("my_control") == look("my_control") and look("my_control") in SPARE
    assert look("ticket") == KNOWN["ticket"]
    assert in_order(["b", "noise", "a", "ticket"]) == ("ticket", "noise", "a", "b")
