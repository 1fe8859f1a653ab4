"""The handwritten digits that ship with scikit-learn."""

from __future__ import annotations

import torch
from sklearn.datasets import load_digits

from lotto.data.base import Labelled, ResidentData
from lotto.data.split import hold_out


class Digits(ResidentData):
    """1,797 digits of 8x8 pixels, 0 to 16 (Alpaydin & Kaynak, 1998); ``split_seed`` draws the test set."""

    def read(self) -> tuple[Labelled, Labelled]:
        images, labels = load_digits(return_X_y=True)
        whole = Labelled(
            torch.from_numpy(images).to(torch.uint8).view(-1, 1, 8, 8), torch.from_numpy(labels).to(torch.int64)
        )
        kept, held = hold_out(len(labels), self.sizes["test"], "test", self.split_seed)
        return whole.take(kept), whole.take(held)
