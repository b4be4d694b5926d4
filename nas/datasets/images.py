"""Images in memory as uint8: the splits of a data set at one resolution, batched by indexing."""

from collections.abc import Iterator
from dataclasses import dataclass
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from torch import Tensor


@dataclass(frozen=True, eq=False)
class Images:
    """Images and what they show.

    pixels: [N, C, H, W], 0..255; of gray ones as 3 channels, all are views of one.
    labels: [N], int64 indexes into the classes.
    """

    pixels: "Tensor"
    labels: "Tensor"

    def __deepcopy__(self, memo: object) -> "Images":
        """Return itself: what copies a module, to average its weights, leaves its images alone."""
        return self

    def __len__(self) -> int:
        """Return the number of images."""
        return len(self.labels)


@dataclass(frozen=True, eq=False)
class Dataset:
    """The two splits of a search at one resolution.

    mean, std: of all training pixels at this resolution, on a scale of 0..1, one entry a channel.
    digest: 16 hex digits that identify the raw data and the rule of the split, not the resolution.
    """

    train: Images
    validation: Images
    classes: tuple[str, ...]
    mean: tuple[float, ...]
    std: tuple[float, ...]
    digest: str


def order(count: int, budget: int, seed: int) -> "Tensor":
    """Return the images that a run sees, in order: int64 [budget], indexes in 0..count-1.

    Epoch after epoch in a fresh permutation, cut at the budget; so the order of a smaller budget
    is the beginning of that of a larger one.

    Raises ValueError if there are no images or the budget is negative.
    """
    import torch

    if count < 1:
        raise ValueError(f"count is {count}, but an order needs at least 1 image")
    if budget < 0:
        raise ValueError(f"budget is {budget} images, but can't be negative")
    generator = torch.Generator().manual_seed(seed)
    epochs = [torch.randperm(count, generator=generator) for _ in range(-(-budget // count))]
    return torch.cat([torch.empty(0, dtype=torch.int64), *epochs])[:budget]


@dataclass(frozen=True, eq=False)
class Batches:
    """Images in the order of `order`, int64 [M], as batches of (pixels [B, C, H, W], labels [B]).

    B is `batch_size`, less in the last batch if that doesn't divide M, unless `drop_last`.
    May be iterated any number of times; Lightning takes it for a data loader.

    Raises ValueError for a batch size below 1.
    """

    images: Images
    order: "Tensor"
    batch_size: int
    drop_last: bool = False

    def __post_init__(self) -> None:
        if self.batch_size < 1:
            raise ValueError(f"batch_size is {self.batch_size}, but must be at least 1")

    def __len__(self) -> int:
        """Return the number of batches."""
        spare = 0 if self.drop_last else self.batch_size - 1
        return (len(self.order) + spare) // self.batch_size

    def __iter__(self) -> "Iterator[tuple[Tensor, Tensor]]":
        """Yield the batches; their tensors are copies, pixels uint8 and labels int64."""
        for start in range(0, len(self) * self.batch_size, self.batch_size):
            chosen = self.order[start : start + self.batch_size]
            yield (
                self.images.pixels.index_select(0, chosen),
                self.images.labels.index_select(0, chosen),
            )
