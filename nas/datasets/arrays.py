"""What is made of images that are published as one array: a fixed split, at any resolution."""

import math

import numpy as np
import numpy.typing as npt
import torch
from torch import Tensor

from nas.datasets.formats import Arrays
from nas.datasets.images import Dataset, Images
from nas.datasets.split import Bytes, validation_mask

CHUNK = 1 << 24
"""Values that are resized at once: small beside the result, large beside the overhead."""

LEAST_STD = 1 / 255
"""Of a channel: one that hardly varies isn't blown up."""

LUMA = (19595, 38470, 7471)
"""Shares of red, green and blue in gray, of 65,536: ITU-R 601 as Pillow rounds it."""


def dataset(
    arrays: Arrays, classes: tuple[str, ...], digest: str, resolution: int, channels: int
) -> Dataset:
    """Return training images split in two, at a resolution.

    Takes resolution^2 bytes an image, three times that in colour: for 60,000 gray ones 47 MB at
    28, 3.0 GB at 224; making it takes less than 0.5 GB more.

    Raises DataError if a class has too few images, or a label names no class.
    """
    validation = validation_mask(arrays.labels, classes)
    train, held_out = (
        images(arrays, np.flatnonzero(chosen), resolution, channels)
        for chosen in (~validation, validation)
    )
    mean, std = mean_std(train.pixels)
    return Dataset(train, held_out, classes, mean, std, digest)


def images(arrays: Arrays, chosen: npt.NDArray[np.intp], resolution: int, channels: int) -> Images:
    """Return the chosen images at a resolution and in so many channels."""
    pixels = _resized(arrays.pixels, chosen, resolution, min(channels, arrays.pixels.shape[1]))
    labels = torch.from_numpy(arrays.labels[chosen].astype(np.int64))
    return Images(pixels.expand(-1, channels, -1, -1), labels)


def _resized(pixels: Bytes, chosen: npt.NDArray[np.intp], resolution: int, channels: int) -> Tensor:
    """Return the chosen images of [N, C, H, W] as uint8 [len(chosen), channels, R, R]."""
    result = torch.empty((len(chosen), channels, resolution, resolution), dtype=torch.uint8)
    same = pixels.shape[2:] == (resolution, resolution)
    step = max(1, CHUNK // max(channels * resolution**2, math.prod(pixels.shape[1:])))
    for start in range(0, len(chosen), step):
        part = torch.from_numpy(pixels[chosen[start : start + step]])
        if channels < part.shape[1]:
            part = gray(part)
        result[start : start + step] = part if same else resize(part, resolution)
    return result


def gray(pixels: Tensor) -> Tensor:
    """Return uint8 [N, 3, H, W] as [N, 1, H, W], rounded as Pillow does it."""
    shares = torch.tensor(LUMA, dtype=torch.int32)[:, None, None]
    total = (pixels.to(torch.int32) * shares).sum(1, keepdim=True, dtype=torch.int32)
    return ((total + 0x8000) >> 16).to(torch.uint8)


def resize(pixels: Tensor, resolution: int) -> Tensor:
    """Return uint8 [N, C, H, W] as uint8 [N, C, R, R], bilinear and without aliasing."""
    # torchvision takes a second to import, and images at their own resolution don't need it
    from torchvision.transforms.v2.functional import resize

    resized: Tensor = resize(pixels, [resolution, resolution], antialias=True)
    return resized


def mean_std(pixels: Tensor) -> tuple[tuple[float, ...], tuple[float, ...]]:
    """Return mean and population standard deviation by channel of uint8 [N, C, H, W], on 0..1.

    Sums are of integers, hence exact: the result doesn't depend on threads or machine.
    """
    one = pixels.shape[1] > 1 and pixels.stride(1) == 0  # all channels are the same memory
    found = [_mean_std(pixels[:, channel]) for channel in range(1 if one else pixels.shape[1])]
    mean, std = zip(*found, strict=True)
    return (mean * pixels.shape[1], std * pixels.shape[1]) if one else (mean, std)


def _mean_std(pixels: Tensor) -> tuple[float, float]:
    """Return both of uint8 [N, H, W]."""
    counts = torch.bincount(pixels.flatten(), minlength=256)
    values = torch.arange(256)
    mean = int((counts * values).sum()) / pixels.numel()
    mean_square = int((counts * values**2).sum()) / pixels.numel()
    std = math.sqrt(max(0.0, mean_square - mean**2)) / 255
    return mean / 255, max(std, LEAST_STD)
