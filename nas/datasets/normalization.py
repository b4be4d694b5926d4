"""Normalization: the one place where pixels become what networks are trained on."""

from collections.abc import Sequence

import torch
from torch import Tensor, nn


class Normalization(nn.Module):
    """Float32 [N, C, H, W] of uint8 pixels, less their mean and divided by their deviation.

    ``mean`` and ``std`` have one entry a channel, of pixels on a scale of 0..1. They are no part of
    the state that is saved, but of what is exported.
    """

    mean: Tensor
    std: Tensor

    def __init__(self, mean: Sequence[float], std: Sequence[float]) -> None:
        super().__init__()
        for name, values in (("mean", mean), ("std", std)):
            scaled = torch.tensor([255 * value for value in values])[:, None, None]
            self.register_buffer(name, scaled, persistent=False)

    def forward(self, pixels: Tensor) -> Tensor:
        """The pixels as the network takes them."""
        return (pixels.to(torch.float32) - self.mean) / self.std
