"""Conv-3."""

from __future__ import annotations

import pytest
import torch

from lotto.errors import BadRequest
from lotto.models.anatomy import counts, kinds
from lotto.models.conv3 import Conv3


def test_three_convolutions_and_a_classifier() -> None:
    model = Conv3((3, 32, 32), 10)
    assert list(kinds(model).values()) == ["conv", "conv", "conv", "output"]
    assert sum(counts(model).values()) == 27 * 64 + 9 * 64 * 128 + 9 * 128 * 256 + 16 * 256 * 10 == 411_328
    assert model(torch.zeros(2, 3, 32, 32)).shape == (2, 10)


def test_the_body_does_not_depend_on_the_classes() -> None:
    bodies = [
        {
            name: tensor.shape
            for name, tensor in Conv3((1, 8, 8), classes, width=4).state_dict().items()
            if name[:2] != "fc"
        }
        for classes in (5, 10)
    ]
    assert bodies[0] == bodies[1]


def test_small_images_are_refused() -> None:
    with pytest.raises(BadRequest):
        Conv3((1, 7, 8), 10)
