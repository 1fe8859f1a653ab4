"""A training loop as somebody who knows PyTorch well writes it by hand: what lotto is measured against. It shares no code with lotto's.

What was tried on two cores of a shared Xeon, and what was kept. Times are the fastest of forty, with one thread and with two:

- The whole set lies on the device. Without augmentation as float32, normalised once: 60 images of MNIST take 49 and 33 us to gather, 62
  and 137 from uint8. Putting a whole epoch in order at once is no faster and takes the memory of another set.
- An augmented set lies there as uint8, padded and with its mirror image beside it: one gather from a view of every possible crop makes a
  batch. 128 images of CIFAR-10 take 1.0 and 1.3 ms; cropped first and mirrored then 2.0 and 2.3, gathered pixel by pixel 1.4 and 1.9,
  mirrored, padded and cropped one after the other 2.8 and 4.4.
- Pixels lie channels last, and so do the weights of convolutions. The constants of the normalisation are repeated along a whole image: a
  product with three numbers at a time is not vectorised.
- The fused optimizer: foreach takes twice as long for LeNet's step. Gradients are dropped; to set them to zero takes a tenth longer.
- Masks are multiplied into the gradients, all tensors in one call. Tensor by tensor, or into the weights after the step, takes as long.
- Nothing is read back from the device.
"""

from __future__ import annotations

import ctypes
from collections.abc import Iterator, Mapping, Sequence
from itertools import islice
from typing import cast

import torch
import torch.nn.functional as F
from torch import Tensor, nn

Batches = Iterator[tuple[Tensor, Tensor]]

# Parameters of mallopt(3).
_M_TRIM_THRESHOLD, _M_MMAP_THRESHOLD = -1, -3


def prepare_process(threads: int | None, tf32: bool) -> None:
    """Keep freed memory instead of asking for it anew at every step, compute tiny numbers as zero and, on a GPU, with TF32 or without."""
    if threads:
        torch.set_num_threads(threads)
    if torch.cuda.is_available():
        torch.set_float32_matmul_precision("high" if tf32 else "highest")
        torch.backends.cudnn.allow_tf32 = tf32
    torch.set_flush_denormal(True)
    mallopt = getattr(ctypes.CDLL(None), "mallopt", None)
    if mallopt is not None:
        mallopt(_M_MMAP_THRESHOLD, 1 << 30)
        mallopt(_M_TRIM_THRESHOLD, (1 << 31) - 1)


class PlainLoop:
    """Trains ``model`` on ``batches``; ``masks``, by parameter name, hold 1 where a weight remains and 0 where it was pruned."""

    def __init__(
        self,
        model: nn.Module,
        optimizer: torch.optim.Optimizer,
        masks: Mapping[str, Tensor],
        batches: Batches,
        bf16: bool = False,
    ) -> None:
        parameters = dict(model.named_parameters())
        self.model, self.optimizer, self.batches, self.bf16 = model.train(), optimizer, batches, bf16
        self.pruned = [parameters[name] for name in masks]
        # In the layout of the weights, or every product would first rearrange one of the two.
        self.masks = [torch.empty_like(parameters[name]).copy_(mask) for name, mask in masks.items()]
        first = next(model.parameters())
        self.device_type, self.dtype = first.device.type, first.dtype

    def train(self, steps: int) -> None:
        """Take ``steps`` steps."""
        for x, y in islice(self.batches, steps):
            self.step(x, y)

    def step(self, x: Tensor, y: Tensor) -> None:
        """Move the weights once. Pruned ones start at zero and stay there: their gradients are zero, and so is all that follows."""
        with torch.autocast(self.device_type, torch.bfloat16, enabled=self.bf16):
            loss = F.cross_entropy(self.model(x.to(self.dtype)), y)
        self.optimizer.zero_grad(set_to_none=True)
        loss.backward()
        if self.masks:
            torch._foreach_mul_(cast(list[Tensor], [parameter.grad for parameter in self.pruned]), self.masks)
        self.optimizer.step()


def whole_batches(
    images: Tensor, labels: Tensor, batch_size: int, mean: Sequence[float], std: Sequence[float]
) -> Batches:
    """Batches of a set that is not augmented, without end.

    Args:
        images: uint8 ``[n, C, H, W]``, on the device that trains.
        mean: of every channel, for pixels in [0, 1]; ``std`` likewise.
    """
    scale, shift = _constants(images, mean, std)
    pixels = images.permute(0, 2, 3, 1).flatten(1).float().mul_(scale).sub_(shift).view(_channels_last(images))

    def batches() -> Batches:
        while True:
            for chosen in _permutation(labels).split(batch_size):
                yield pixels.index_select(0, chosen).permute(0, 3, 1, 2), labels.index_select(0, chosen)

    return batches()


def cropped_batches(
    images: Tensor, labels: Tensor, batch_size: int, mean: Sequence[float], std: Sequence[float], padding: int
) -> Batches:
    """The same of a set whose images are mirrored half of the time and cut out of a black border of ``padding`` pixels."""
    count, channels, height, width = images.shape
    scale, shift = _constants(images, mean, std)
    padded = F.pad(images, (padding,) * 4).permute(0, 2, 3, 1)
    both = torch.stack([padded, padded.flip(2)]).view(2 * count, height + 2 * padding, -1)
    # [image or mirror image, top, left, row, what lies in the row]: a view, of which a batch is copied.
    crops = both.unfold(1, height, 1).unfold(2, width * channels, channels)

    def batches() -> Batches:
        while True:
            order = _permutation(labels)
            mirrored = torch.randint(2, (count,), device=labels.device)
            top, left = torch.randint(2 * padding + 1, (2, count), device=labels.device)
            drawn = (order, order + count * mirrored, top, left)
            for chosen, image, row, column in zip(*(draw.split(batch_size) for draw in drawn), strict=True):
                x = crops[image, row, column].flatten(1).float().mul_(scale).sub_(shift)
                yield x.view(-1, height, width, channels).permute(0, 3, 1, 2), labels.index_select(0, chosen)

    return batches()


def _permutation(labels: Tensor) -> Tensor:
    return torch.randperm(len(labels), device=labels.device)


def _constants(images: Tensor, mean: Sequence[float], std: Sequence[float]) -> tuple[Tensor, Tensor]:
    """What a whole image, pixel after pixel, is multiplied by, and what is then taken from it."""
    centre, spread = torch.tensor([mean, std], dtype=torch.float32, device=images.device)
    pixels = images.shape[2] * images.shape[3]
    return (1 / (255 * spread)).repeat(pixels), (centre / spread).repeat(pixels)


def _channels_last(images: Tensor) -> tuple[int, ...]:
    count, channels, height, width = images.shape
    return count, height, width, channels
