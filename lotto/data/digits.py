"""The handwritten digits that ship with scikit-learn."""

from __future__ import annotations

from importlib.metadata import distribution

import numpy as np
import torch

from lotto.data.base import Labelled, ResidentData
from lotto.data.split import hold_out


class Digits(ResidentData):
    """1,797 digits of 8x8 pixels, 0 to 16 (Alpaydin & Kaynak, 1998); ``split_seed`` draws the test set."""

    def read(self) -> tuple[Labelled, Labelled]:
        # Its file and not its function: importing scikit-learn takes longer than training a small network.
        path = distribution("scikit-learn").locate_file("sklearn/datasets/data/digits.csv.gz")
        rows = torch.from_numpy(np.loadtxt(str(path), delimiter=","))
        whole = Labelled(rows[:, :-1].to(torch.uint8).view(-1, 1, 8, 8), rows[:, -1].to(torch.int64))
        kept, held = hold_out(len(whole.labels), self.sizes["test"], "test", self.split_seed)
        return whole.take(kept), whole.take(held)
