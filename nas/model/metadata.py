"""What is kept with a model's weights: how to use it, and which images it was trained on."""

import json
from collections.abc import Mapping
from dataclasses import MISSING, dataclass, field, fields

from nas.datasets.found import PixelRange
from nas.datasets.membership import Membership
from search_space.architecture import Candidate
from search_space.checks import check_choice, check_range, check_type
from search_space.graph import Shape
from search_space.record import Record

MOST_PIXELS, MOST_CLASSES = 1024, 100_000
FORMAT = 1

INPUT, OUTPUT = "images", "probabilities"
"""What an exported network takes and gives, where a format has names."""


@dataclass(frozen=True, kw_only=True)
class Metadata(Record):
    """What it takes to use a model, and the data that it is from: an exported file has this.

    ``dataset`` is as ``--dataset`` names it, ``data`` the digest of its images and their split.
    ``held_out``: its validation images were not trained on. ``pixel_range`` are black and white in
    images of more than 8 bits, ``membership`` which files were in which part of a folder, as
    ``Membership.to_text`` has it.
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
        """The shape of an image: channels, height, width."""
        return self.channels, self.resolution, self.resolution

    def to_text(self) -> dict[str, str]:
        """The fields as text by their names: text as it is, anything else as JSON."""
        data = self.to_json()
        return {
            name: value if isinstance(value, str) else json.dumps(value)
            for name, value in data.items()
        }

    @classmethod
    def from_text(cls, metadata: Mapping[str, str]) -> "Metadata":
        """What ``to_text`` wrote, whatever else is there; ValueError where that's not it."""
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


@dataclass(frozen=True, kw_only=True)
class ModelMetadata(Metadata):
    """Beside that what PyTorch needs to build the network again, which is kept with its weights.

    ``mean`` and ``std`` have one entry a channel, of pixels on a scale of 0..1.
    """

    candidate: Candidate = field(metadata={"of": Candidate})
    mean: tuple[float, ...]
    std: tuple[float, ...]
    format: int = FORMAT

    def __post_init__(self) -> None:
        check_choice("format", self.format, (FORMAT,))
        check_type("candidate", self.candidate, Candidate)
        super().__post_init__()
        for name in ("mean", "std"):
            values = getattr(self, name)
            check_range(f"length of {name}", len(values), self.channels, self.channels)
            for value in values:
                check_range(name, value, 1e-6 if name == "std" else 0, 1, integer=False)

    def for_export(self) -> Metadata:
        """The part that a file for other runtimes carries."""
        return Metadata(**{spec.name: getattr(self, spec.name) for spec in fields(Metadata)})
