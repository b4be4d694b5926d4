"""load_model(): a trained network from its directory or file, to predict, measure and export."""

import html
import os
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

from nas.datasets.found import PixelRange
from nas.model.classifier import Classifier, Probabilities
from nas.model.images import Where
from nas.model.metadata import Metadata
from nas.model.prediction import BATCH, Prediction, most_probable

if TYPE_CHECKING:
    from nas.model.export.exporting import Exported
    from nas.reporting.evaluation import Evaluated

Paths = str | Path | Sequence[str | Path]


@dataclass(frozen=True, eq=False, repr=False)
class TrainedModel:
    """A trained network, as `nas train` wrote it or `nas export` as ONNX; it lies at ``path``."""

    path: Path
    classifier: Classifier

    @property
    def metadata(self) -> Metadata:
        """What is kept with its weights: classes, resolution, channels, data set."""
        return self.classifier.metadata

    @property
    def classes(self) -> tuple[str, ...]:
        """What it tells apart, by name, in the order of its probabilities."""
        return self.metadata.classes

    @property
    def card(self) -> dict[str, Any] | None:
        """Its model card: ``card["test"]["accuracy"]`` and more; None of an exported file."""
        from nas.full_training.record import read_card

        return read_card(self.path) if os.path.isdir(self.path) else None

    def predict(
        self, images: Any, top: int = 3, pixel_range: PixelRange | None = None
    ) -> list[Prediction]:
        """The ``top`` classes of each image, with their probabilities, as `nas predict` has them.

        ``images`` are paths of files and folders, or images in memory: uint8 arrays or tensors
        [H, W], [H, W, C], [N, H, W], [N, H, W, C] or [N, C, H, W], PIL images, or a list of them.
        Of those in memory ``image`` is their number. ``pixel_range`` is for files of more than 8
        bits. ValueError that names all that can't be read.
        """
        if paths := _paths(images):
            from nas.model.prediction import predict

            return predict(self.classifier, paths, top, pixel_range, quiet=True)
        return most_probable(self.probabilities(images), self.classes, top)

    def probabilities(self, images: Any) -> Probabilities:
        """Float32 [N, classes] of images in memory, which ``predict`` says how to give."""
        from nas.model.arrays import pixels_of

        return self.classifier.probabilities(pixels_of(images, self.metadata), BATCH)

    def evaluate(
        self,
        *,
        validation: bool = False,
        dataset: str | None = None,
        data_dir: str | Path | None = None,
        pixel_range: PixelRange | None = None,
        batch_size: int = 128,
    ) -> "Evaluated":
        """Its scores on the test images, and its times on this machine, as `nas evaluate` does.

        ``.scores.accuracy`` (0..1) and ``.scores.interval`` are of all images. Test images are for
        the figure that ends a project: to choose among models train them with ``validate=True``,
        and give ``validation=True`` here.
        """
        from nas.reporting.evaluation import evaluate

        where = Where(dataset, None if data_dir is None else Path(data_dir), pixel_range)
        return evaluate(self.classifier, where, validation, batch_size, quiet=True)

    def export(
        self,
        path: str | Path,
        *,
        format: str | None = None,
        int8: bool = False,
        dataset: str | None = None,
        data_dir: str | Path | None = None,
    ) -> "Exported":
        """Write it as one file that runs without this package, as `nas export` does.

        The format is the suffix's, if none is given. The file is run on test images, and kept only
        if it says the same as the model. ValueError, and no file, where that fails.
        """
        from nas.model.export.asked import check_export, export_asked
        from nas.model.export.formats import format_by_suffix
        from nas.model.model import load_model as load

        out = Path(path)
        name = check_export(format, out, int8)
        if not os.path.isdir(self.path) and format_by_suffix(self.path):
            raise ValueError(f"{self.path} is exported already; load the model that it was made of")
        where = Where(dataset, None if data_dir is None else Path(data_dir))
        return export_asked(load(self.path), name, out, int8, where)

    def __repr__(self) -> str:
        known = self.metadata
        image = "x".join(map(str, known.image))
        accuracy = ""
        if card := self.card:
            test = card["test"]
            accuracy = f", {test['accuracy']:.2%} of {test['images']:,} test images right"
        return (
            f"<TrainedModel {self.path}: {known.dataset} at {image}, {len(self.classes)} "
            f"classes{accuracy}>"
        )

    def _repr_html_(self) -> str:
        """What it is, in a notebook."""
        return f"<p>{html.escape(repr(self)[1:-1])}</p>"


def load_model(path: str | Path) -> TrainedModel:
    """The model in a directory that `nas train` wrote, or in a file by `nas export`.

    A file is run by its own runtime; C is compiled and run here. ValueError for anything else.
    """
    from nas.model.loading import load_classifier

    return TrainedModel(Path(path), load_classifier(Path(path)))


def _paths(images: Any) -> list[Path]:
    """The paths that were given, if that is what was given."""
    if isinstance(images, str | os.PathLike):
        return [Path(images)]
    if isinstance(images, list | tuple) and images:
        paths = [isinstance(one, str | os.PathLike) for one in images]
        if all(paths):
            return [Path(one) for one in images]
        if any(paths):
            raise ValueError("images are paths and others; give either files or arrays")
    return []
