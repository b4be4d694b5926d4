"""Images as they are sent to workers: the same bytes from every process, the same images there."""

import hashlib
import subprocess
import sys

import pytest
import torch

from nas.datasets import Dataset, Images, find, load
from nas.workers.preparation import package, unpacked

PACK = """
from nas.datasets import find, load
from nas.workers.preparation import package
load(find("fashion-mnist").reading(12, 1))  # another one has its place in memory
print(package(load(find("fashion-mnist").reading(8, 1))).address)
"""


@pytest.mark.parametrize("channels", [1, 3])
def test_what_arrives_is_what_was_sent(channels: int) -> None:
    sent = load(find("fashion-mnist").reading(8, channels))
    packed = package(sent)
    found = unpacked(packed.content)
    for name in ("train", "validation"):
        here, there = getattr(sent, name), getattr(found, name)
        assert torch.equal(here.pixels, there.pixels)
        assert torch.equal(here.labels, there.labels)
        assert here.pixels.dtype == there.pixels.dtype
    for name in ("classes", "mean", "std", "digest"):
        assert getattr(found, name) == getattr(sent, name)
    # Gray images that are seen three times are sent, and held, once.
    assert len(packed.content) < 1.1 * 60_000 * (64 + 8)


def test_colour_is_sent_whole() -> None:
    generator = torch.Generator().manual_seed(0)
    pixels = torch.randint(0, 256, (5, 3, 4, 4), dtype=torch.uint8, generator=generator)
    train, validation = (
        Images(one, torch.arange(len(one))) for one in (pixels, pixels[:2].clone())
    )
    sent = Dataset(train, validation, ("a", "b"), (0.1,) * 3, (0.2,) * 3, "d")
    assert torch.equal(unpacked(package(sent).content).train.pixels, pixels)


def test_equal_images_are_equal_bytes_in_every_process() -> None:
    known = package(load(find("fashion-mnist").reading(8, 1)))
    assert known.address == hashlib.sha256(known.content).hexdigest()
    other = subprocess.run([sys.executable, "-c", PACK], capture_output=True, text=True, check=True)
    assert other.stdout.strip() == known.address
