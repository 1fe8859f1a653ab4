"""ResNet-18 with the stem for small images."""

from __future__ import annotations

from lotto.models.residual import ResidualNetwork


class CifarResNet18(ResidualNetwork):
    """ResNet-18 for CIFAR: four stages of two blocks, ``width`` to 8 times ``width`` channels, 11,173,962 parameters.

    The ImageNet network of He et al. (2016) with a 3x3 stem of stride 1 and no max-pool. It is not the 20-layer
    network that Frankle & Carbin (2019) call "Resnet-18", which is ``CifarResNet``.
    """

    def __init__(self, input_shape: tuple[int, int, int], classes: int, width: int = 64) -> None:
        super().__init__(input_shape, classes, (width, 2 * width, 4 * width, 8 * width), blocks_per_stage=2)
