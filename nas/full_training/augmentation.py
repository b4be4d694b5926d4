"""Training images at random: shifted, mirrored, with a rectangle wiped out; a batch at a time."""

import torch
from torch import Tensor

ERASED = (0.02, 0.2)
"""Least and most of an image's area that is wiped out."""

ASPECT = 3.0
"""Height to width of what is wiped out, at most, and at least its inverse."""


def augment(
    pixels: Tensor, shift: int, flip: bool, erase: float, generator: torch.Generator
) -> Tensor:
    """uint8 [N, C, H, W] as uint8 [N, C, H, W], each image changed on its own.

    It is moved by up to ``shift`` pixels up or down and left or right, black coming in; mirrored
    with a chance of one half if ``flip``; and with a chance of ``erase`` a rectangle of it takes
    the batch's mean [Zhong2020]_. What happens is drawn on the CPU, so that it is the same whatever
    device the images are on.
    """
    count, channels, height, width = pixels.shape
    moved = torch.randint(-shift, shift + 1, (2, count, 1), generator=generator)
    rows = torch.arange(height) + moved[0]
    columns = torch.arange(width) + moved[1]
    if flip:
        mirrored = torch.rand(count, 1, generator=generator) < 0.5
        columns = torch.where(mirrored, columns.flip(1), columns)
    rows, columns = rows.to(pixels.device), columns.to(pixels.device)
    inside = _within(rows, height)[:, :, None] & _within(columns, width)[:, None, :]
    places = rows.clamp(0, height - 1)[:, :, None] * width + columns.clamp(0, width - 1)[:, None, :]
    places = places.flatten(1)[:, None].expand(-1, channels, -1)
    out = pixels.flatten(2).gather(2, places) * inside.flatten(1)[:, None]
    if erase:
        drawn = torch.rand(5, count, generator=generator).to(pixels.device)
        wiped = _rectangles(drawn, height, width, erase).flatten(1)[:, None]
        fill = pixels.float().mean((0, 2, 3)).round().to(torch.uint8)[:, None]
        out = torch.where(wiped, fill, out)
    return out.view(count, channels, height, width)


def _within(places: Tensor, size: int) -> Tensor:
    return (places >= 0) & (places < size)


def _rectangles(drawn: Tensor, height: int, width: int, erase: float) -> Tensor:
    """Bool [N, H, W]: a rectangle of each image, or nothing, of five numbers 0..1, [5, N]."""
    chance, area, aspect, top, left = drawn
    area = (ERASED[0] + area * (ERASED[1] - ERASED[0])) * height * width
    ratio = ASPECT ** (2 * aspect - 1)
    tall = (area * ratio).sqrt().round().clamp(1, height)
    wide = (area / ratio).sqrt().round().clamp(1, width)
    first_row, first_column = (
        (top * (height - tall + 1)).floor(),
        (left * (width - wide + 1)).floor(),
    )
    rows, columns = (torch.arange(size, device=drawn.device) for size in (height, width))
    down = (rows >= first_row[:, None]) & (rows < (first_row + tall)[:, None])
    across = (columns >= first_column[:, None]) & (columns < (first_column + wide)[:, None])
    chosen = (chance < erase)[:, None, None]
    wiped: Tensor = down[:, :, None] & across[:, None, :] & chosen
    return wiped
