"""One network to train: what was asked, and what follows from its directory and its images."""

from dataclasses import dataclass, replace
from pathlib import Path
from typing import TypeVar

from nas.datasets import Dataset, Found, Images, find, load_test
from nas.datasets.found import PixelRange
from nas.datasets.sources import is_folder, load_found, source
from nas.defaults import DATASET, PRECISIONS
from nas.full_training import record
from nas.full_training.job import DEFAULT_EPOCHS, EPOCHS, FullRecipe, Job
from nas.full_training.loggers import check_logger
from nas.model.metadata import ModelMetadata
from nas.subjects import RESOLUTIONS, Subject, View
from search_space.checks import check_choice, check_range
from studies.evaluation import REPLAYED

T = TypeVar("T")


@dataclass(frozen=True)
class Wanted:
    """What was asked of a training; None is as it was begun, or as the trial or the images are.

    ``seconds`` are what all trainings together may take, which decides on their epochs.
    ``precision`` is auto, float32 or bf16. ValueError where something can't be.
    """

    dataset: str | None = None
    data_dir: Path | None = None
    pixel_range: PixelRange | None = None
    resolution: int | None = None
    channels: int | None = None
    epochs: int | None = None
    train_size: int | None = None
    validate: bool | None = None
    seed: int | None = None
    precision: str = "auto"
    flip: bool | None = None
    logger: str | None = None
    seconds: float | None = None
    int8: bool | None = None

    def __post_init__(self) -> None:
        check_choice("precision", self.precision, ("auto", *PRECISIONS))
        if self.epochs is not None:
            check_range("epochs", self.epochs, *EPOCHS)
        if self.logger is not None:
            check_logger(self.logger)


@dataclass(frozen=True)
class Task:
    """One network to train: what it is, on which images, into which directory.

    It is ``begun`` where the directory has its job already, ``finished`` where it has its card.
    ``weight``: how many epochs it gets, against others that share a time with it.
    """

    subject: Subject
    found: Found
    directory: Path
    job: Job
    begun: bool
    finished: bool
    weight: float = 1.0

    def dataset(self) -> Dataset:
        """The training and validation images."""
        return load_found(self.found, self.job.resolution, self.job.channels)

    def test_images(self) -> Images:
        """The test images, which only a network that is trained to its end may see."""
        reading = self.found.reading(self.job.resolution, self.job.channels)
        return load_test(reading, self.found.digest)

    def metadata(self) -> ModelMetadata:
        """What is kept with the weights."""
        return metadata_of(self.job, self.found, self.dataset())


def metadata_of(job: Job, found: Found, dataset: Dataset) -> ModelMetadata:
    """What is kept with the weights of a job on the images that were found, and were read so."""
    return ModelMetadata(
        classes=found.classes,
        resolution=job.resolution,
        channels=job.channels,
        dataset=job.dataset,
        data=job.data,
        held_out=job.validate,
        pixel_range=found.pixel_range,
        membership=found.membership.to_text(),
        candidate=job.candidate,
        mean=dataset.mean,
        std=dataset.std,
    )


def directory_of(
    subject: Subject, study: str, out: Path | None = None, above: Path | None = None
) -> Path:
    """Where a network is trained: as asked, or called after it; of a front inside one ``above``."""
    name = Path(subject.name).stem.replace(" ", "-")
    if above is not None:
        return above / name
    return out or Path(f"{study}-{name}" if subject.trial else f"{name}-model")


def task_of(subject: Subject, wanted: Wanted, directory: Path) -> Task:
    """The training that is asked for; what isn't, is as in its directory where that is there.

    ValueError where it can't be, or the directory is of something else.
    """
    if subject.candidate is None:
        raise ValueError(
            f"{subject.name} is a layer graph only, which can't be trained; give a candidate"
        )
    record.check_place(directory)
    before, card = record.read_job(directory), record.read_card(directory)
    was = vars(before) if before else {}
    name = wanted.dataset or (subject.settings.dataset if subject.settings else DATASET)
    pixel_range = wanted.pixel_range
    if pixel_range is None and is_folder(name):
        own_range = subject.settings.pixel_range if subject.settings else None
        pixel_range = was.get("pixel_range") or own_range
    found = _found(subject, wanted, name, pixel_range)
    own = subject.image[0] if subject.trial else found.channels
    resolution = _first(wanted.resolution, was.get("resolution"), subject.image[1])
    channels = _first(wanted.channels, was.get("channels"), own)
    check_range("resolution", resolution, *RESOLUTIONS)
    check_choice("channels", channels, (1, 3))
    View((channels, resolution, resolution), len(found.classes)).graph(subject)
    validate = _first(wanted.validate, was.get("validate"), False)
    own_flip = source(found.name).mirrored
    recipe = before.recipe if before else FullRecipe(flip=own_flip)
    if wanted.flip is not None:
        recipe = replace(recipe, flip=wanted.flip)
    job = Job(
        subject.candidate,
        found.name,
        found.digest,
        channels,
        resolution,
        _size(wanted, before, found, validate, resolution, channels),
        _epochs(wanted, before),
        _precision(before, subject, wanted.precision),
        before.threads if before else _threads(),
        validate,
        _first(wanted.seed, was.get("seed"), 0),
        recipe,
        pixel_range,
        _first(wanted.int8, was.get("int8"), False),
    )
    if before:
        record.check_same(directory, before, job)
    return Task(subject, found, directory, job, before is not None, card is not None)


def _epochs(wanted: Wanted, before: Job | None) -> int:
    """The epochs that are asked for; where there is a time limit they are the most that may be."""
    if before is not None and wanted.seconds and (wanted.epochs or EPOCHS[1]) >= before.epochs:
        return before.epochs
    was = None if before is None else before.epochs
    return _first(wanted.epochs, was, EPOCHS[1] if wanted.seconds else DEFAULT_EPOCHS)


def _first(asked: T | None, before: T | None, default: T) -> T:
    """The value that is asked for, else the one from before, else the default."""
    if asked is not None:
        return asked
    return default if before is None else before


def _found(subject: Subject, wanted: Wanted, name: str, pixel_range: PixelRange | None) -> Found:
    settings = subject.settings
    found = find(name, wanted.data_dir, pixel_range)
    known = settings.data if settings and not settings.data.startswith(REPLAYED) else ""
    if known and wanted.dataset is None and found.digest != known:
        raise ValueError(
            f"{found.name} has changed since study's {subject.name} was evaluated (its digest is "
            f"{found.digest}, then {known}); give --dataset to train on it as it is now"
        )
    return found


def _size(
    wanted: Wanted,
    before: Job | None,
    found: Found,
    validate: bool,
    resolution: int,
    channels: int,
) -> int:
    if before and wanted.train_size is None:
        return before.train_size
    dataset = load_found(found, resolution, channels)
    most = len(dataset.train) + (0 if validate else len(dataset.validation))
    size = most if wanted.train_size is None else wanted.train_size
    check_range("train size", size, 2, most)
    return size


def _precision(before: Job | None, subject: Subject, asked: str) -> str:
    """As asked, else as it was begun, else as the trial was searched, else what is faster here."""
    if asked != "auto":
        return asked
    if before is not None:
        return before.precision
    from nas.short_run.precision import best_precision, has_bf16

    if subject.settings is not None:
        searched = subject.settings.recipe.precision
        return searched if searched == "float32" or has_bf16() else "float32"
    return best_precision()


def _threads() -> int:
    import torch

    return torch.get_num_threads()
