"""Augmentation: what it may do to an image, that it does it, and that a seed decides."""

import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st
from torch import Tensor

from nas.full_training.augmentation import augment


def seeded(seed: int = 0) -> torch.Generator:
    return torch.Generator().manual_seed(seed)


def images(count: int = 64, channels: int = 1, height: int = 9, width: int = 9) -> Tensor:
    generator = seeded(1)
    shape = (count, channels, height, width)
    return torch.randint(1, 256, shape, dtype=torch.uint8, generator=generator)


def moved(image: Tensor, down: int, right: int) -> Tensor:
    """The image [C, H, W] moved, by padding and cropping: an oracle in other words."""
    pad = max(abs(down), abs(right))
    _, height, width = image.shape
    padded = torch.nn.functional.pad(image, [pad] * 4)
    return padded[:, pad - down : pad - down + height, pad - right : pad - right + width]


@given(
    seed=st.integers(0, 2**31),
    count=st.integers(1, 5),
    channels=st.sampled_from([1, 3]),
    height=st.integers(1, 9),
    width=st.integers(1, 9),
    shift=st.integers(0, 3),
    flip=st.booleans(),
)
def test_every_image_is_one_of_those_that_it_may_become(
    seed: int, count: int, channels: int, height: int, width: int, shift: int, flip: bool
) -> None:
    pixels = images(count, channels, height, width)
    out = augment(pixels, shift, flip, 0.0, seeded(seed))
    assert out.dtype == torch.uint8
    assert out.shape == pixels.shape
    for before, after in zip(pixels, out, strict=True):
        mirrored = [before, before.flip(2)] if flip else [before]
        reach = range(-shift, shift + 1)
        possible = [
            moved(one, down, right) for one in mirrored for down in reach for right in reach
        ]
        assert any(torch.equal(after, one) for one in possible)


def test_all_of_them_come_up() -> None:
    pixels = images(1).expand(2_000, -1, -1, -1)
    out = {bytes(image.flatten().tolist()) for image in augment(pixels, 1, True, 0.0, seeded())}
    assert len(out) == 18


def test_a_rectangle_of_the_asked_share_is_wiped_out() -> None:
    pixels = torch.full((4_000, 3, 28, 28), 200, dtype=torch.uint8)
    pixels[:, :, :14] = 0
    out = augment(pixels, 0, False, 0.25, seeded())
    changed = (out == 100).all(1)
    assert (out[~changed[:, None].expand_as(out)] != 100).all()
    areas = changed.flatten(1).sum(1)
    wiped = areas > 0
    assert 0.22 < wiped.float().mean() < 0.28
    assert areas[wiped].min() >= 0.01 * 28 * 28
    assert areas[wiped].max() <= 0.22 * 28 * 28
    for one in changed[wiped][:50]:
        rows, columns = one.any(1), one.any(0)
        assert one.sum() == rows.sum() * columns.sum()


def test_a_seed_decides() -> None:
    pixels = images()
    first, again, other = (augment(pixels, 2, True, 0.5, seeded(seed)) for seed in (3, 3, 4))
    assert torch.equal(first, again)
    assert not torch.equal(first, other)


def test_without_anything_asked_nothing_changes() -> None:
    pixels = images()
    assert torch.equal(augment(pixels, 0, False, 0.0, seeded()), pixels)


@pytest.mark.parametrize("channels", [1, 3])
def test_channels_stay_together(channels: int) -> None:
    pixels = images(channels=1).expand(-1, channels, -1, -1)
    out = augment(pixels, 2, True, 0.5, seeded())
    assert torch.equal(out, out[:, :1].expand_as(out))
