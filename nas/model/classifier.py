"""What tells images apart: a trained model, or an ONNX file of one, used in the same way."""

import contextlib
from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager
from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np
import numpy.typing as npt

from nas.model.metadata import Metadata

if TYPE_CHECKING:
    from nas.model.model import Model

Pixels = npt.NDArray[np.uint8]
Probabilities = npt.NDArray[np.float32]
Run = Callable[[Pixels], Probabilities]
"""Probabilities [N, classes] of images [N, C, R, R]."""


@dataclass(frozen=True, eq=False)
class Classifier:
    """A network ready to run on the CPU, and what must be known of it.

    ``on_threads`` gives what runs it on that many threads while the context lasts; None is as
    many as the runtime takes of itself.
    """

    metadata: Metadata
    runtime: str
    on_threads: Callable[[int | None], AbstractContextManager[Run]]

    def probabilities(self, pixels: Pixels, batch_size: int) -> Probabilities:
        """Float32 [N, classes] of uint8 [N, C, R, R]; ValueError if one isn't finite."""
        batches = range(0, len(pixels), batch_size)
        with self.on_threads(None) as run:
            parts = [run(pixels[start : start + batch_size]) for start in batches]
        found = np.concatenate([np.empty((0, len(self.metadata.classes)), np.float32), *parts])
        if not np.isfinite(found).all():
            raise ValueError(
                "the network says NaN where probabilities should be: its weights are no good; "
                "train it anew"
            )
        return found


def model_classifier(model: "Model") -> Classifier:
    """A trained model, run by PyTorch."""
    import torch

    from nas.threads import threads

    def run(pixels: Pixels) -> Probabilities:
        found: Probabilities = model.probabilities(torch.from_numpy(pixels)).numpy()
        return found

    @contextlib.contextmanager
    def on_threads(count: int | None) -> Iterator[Run]:
        with threads(count or torch.get_num_threads()):
            yield run

    return Classifier(model.metadata.for_export(), f"PyTorch {torch.__version__}", on_threads)
