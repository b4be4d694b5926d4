"""What tells images apart: a trained model, or an ONNX file of one, used in the same way."""

import contextlib
import json
import os
from collections.abc import Callable, Iterator, Mapping
from contextlib import AbstractContextManager
from dataclasses import MISSING, dataclass, fields
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np
import numpy.typing as npt

from nas.datasets.found import PixelRange
from nas.datasets.membership import Membership
from search_space.checks import check_choice, check_range, check_type
from search_space.graph import Shape
from search_space.record import Record

if TYPE_CHECKING:
    from nas.model import Model

Pixels = npt.NDArray[np.uint8]
Probabilities = npt.NDArray[np.float32]
Run = Callable[[Pixels], Probabilities]
"""Probabilities [N, classes] of images [N, C, R, R]."""

MOST_PIXELS, MOST_CLASSES = 1024, 100_000


@dataclass(frozen=True)
class Facts(Record):
    """What it takes to use a classifier, and the data that it is from.

    ``dataset`` is as ``--dataset`` names it, ``data`` the digest of its images and their split.
    ``held_out``: its validation images were not trained on. ``pixel_range`` are black and white in
    images of more than 8 bits, ``membership`` which files were in which part of a folder.
    """

    classes: tuple[str, ...]
    resolution: int
    channels: int
    dataset: str
    data: str
    held_out: bool = False
    pixel_range: PixelRange | None = None
    membership: str = ""

    def __post_init__(self) -> None:
        check_range("classes", len(self.classes), 2, MOST_CLASSES)
        check_range("resolution", self.resolution, 1, MOST_PIXELS)
        check_choice("channels", self.channels, (1, 3))
        for text in (*self.classes, self.dataset, self.data):
            check_type("name of a class or data set", text, str)
        check_type("held_out", self.held_out, bool)
        Membership.from_text(self.membership)

    @property
    def image(self) -> Shape:
        """Of one image: channels, height, width."""
        return self.channels, self.resolution, self.resolution

    def to_metadata(self) -> dict[str, str]:
        """As text under the names of the fields: text as it is, anything else as JSON."""
        data = self.to_json()
        return {
            name: value if isinstance(value, str) else json.dumps(value)
            for name, value in data.items()
        }

    @classmethod
    def from_metadata(cls, metadata: Mapping[str, str]) -> "Facts":
        """What ``to_metadata`` wrote, whatever else is there; ValueError where that's not it."""
        data = {}
        for spec in fields(cls):
            if spec.name not in metadata:
                if spec.default is not MISSING:
                    continue
                raise ValueError(f"its metadata has no {spec.name!r}")
            text = metadata[spec.name]
            data[spec.name] = text if spec.type is str else json.loads(text)
        try:
            return cls.from_json(data)
        except TypeError as error:
            raise ValueError(f"its metadata is of other types: {error}") from None


@dataclass(frozen=True, eq=False)
class Classifier:
    """A network ready to run on the CPU, and what must be known of it.

    ``on_threads`` gives what runs it on that many threads while the context lasts; None is as
    many as the runtime takes of itself.
    """

    facts: Facts
    runtime: str
    on_threads: Callable[[int | None], AbstractContextManager[Run]]

    def probabilities(self, pixels: Pixels, batch_size: int) -> Probabilities:
        """Float32 [N, classes] of uint8 [N, C, R, R]; ValueError if one isn't finite."""
        batches = range(0, len(pixels), batch_size)
        with self.on_threads(None) as run:
            parts = [run(pixels[start : start + batch_size]) for start in batches]
        found = np.concatenate([np.empty((0, len(self.facts.classes)), np.float32), *parts])
        if not np.isfinite(found).all():
            raise ValueError(
                "the network says NaN where probabilities should be: its weights are no good; "
                "train it anew"
            )
        return found


def load_classifier(path: Path) -> Classifier:
    """The model in a directory or safetensors file, or what `nas export` made of one as ONNX.

    ValueError for anything else.
    """
    if path.suffix.lower() == ".onnx" and not os.path.isdir(path):
        from nas.export.onnx_file import onnx_classifier

        return onnx_classifier(path)
    from nas.model import load_model

    return model_classifier(load_model(path))


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

    return Classifier(facts(model), f"PyTorch {torch.__version__}", on_threads)


def facts(model: "Model") -> Facts:
    """Those of a trained model's description."""
    known = model.description
    return Facts(
        known.classes,
        known.resolution,
        known.channels,
        known.dataset,
        known.data,
        known.held_out,
        known.pixel_range,
        known.membership,
    )
