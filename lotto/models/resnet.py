"""The thin residual networks made for CIFAR: ResNet-20, 32, 44, 56, 110."""

from __future__ import annotations

from lotto.errors import BadRequest
from lotto.models.residual import ResidualNetwork


class CifarResNet(ResidualNetwork):
    """Three stages of ``width``, 2 and 4 times ``width`` channels with (depth - 2) / 6 blocks each.

    ResNet-20 is the network that Frankle & Carbin (2019) call "Resnet-18": 270,896 weights that can be pruned,
    272,474 parameters. The names and the projection shortcuts are OpenLTH's; ``width`` 32, 64, … gives its wide
    relatives. Raises ``BadRequest`` unless ``depth`` is 6n + 2 with n of at least 1.
    """

    def __init__(self, input_shape: tuple[int, int, int], classes: int, depth: int = 20, width: int = 16) -> None:
        blocks_per_stage, remainder = divmod(depth - 2, 6)
        if remainder or blocks_per_stage < 1:
            raise BadRequest(
                f"model.depth={depth} is not allowed: a CIFAR ResNet has 6n + 2 layers, such as 20, 32 or 110"
            )
        super().__init__(input_shape, classes, (width, 2 * width, 4 * width), blocks_per_stage)
