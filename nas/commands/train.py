"""The command `nas train`: a network, or every member of a front, trained to the end and tested."""

import sys
from collections.abc import Callable, Sequence
from contextlib import ExitStack
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any, TypeVar

from nas.commands.images import say
from nas.commands.parsing import count, duration, pixel_range
from nas.commands.subjects import RESOLUTIONS, Subject, View, find_subject, trial_subject
from nas.commands.trained import Trained, show
from nas.datasets import Dataset, Found, Images, find, load_test
from nas.datasets.found import PixelRange
from nas.datasets.sources import DATASETS, FOLDER, load_found, source
from nas.full_training import record
from nas.full_training.job import EPOCHS, FullRecipe, Job
from nas.full_training.loggers import LOGGERS, CurveLog, check_logger
from nas.model import Description, load_model
from nas.settings import DATASET, PRECISIONS
from search_space.checks import check_choice, check_range
from studies.results import load_results
from studies.store import open_store
from studies.table import REPLAYED
from studies.wording import counted

DEFAULT_EPOCHS = 30


@dataclass(frozen=True)
class Asked:
    """The options of `nas train` as they were typed; see its help."""

    network: str | None
    front: bool
    study: str
    storage: str
    dataset: str | None
    data_dir: Path | None
    pixel_range: str | None
    resolution: int | None
    channels: int | None
    epochs: int | None
    train_size: str | None
    validate: bool | None
    out: Path | None
    seed: int | None
    time_limit: str | None
    precision: str
    flip: bool | None
    logger: str | None


@dataclass(frozen=True)
class Task:
    """One network to train: what it is, on which images, into which directory.

    It is ``begun`` where the directory has its job already, ``finished`` where it has its card.
    """

    subject: Subject
    found: Found
    directory: Path
    job: Job
    begun: bool
    finished: bool

    def dataset(self) -> Dataset:
        """The training and validation images."""
        return load_found(self.found, self.job.resolution, self.job.channels)

    def test_images(self) -> Images:
        """The test images, which only a network that is trained to its end may see."""
        job, found = self.job, self.found
        shape = (job.resolution, job.channels)
        return load_test(found.name, found.directory, *shape, found.pixel_range, found.digest)

    def description(self) -> Description:
        """What is kept with the weights."""
        job, dataset = self.job, self.dataset()
        return Description(
            job.candidate,
            job.channels,
            job.resolution,
            self.found.classes,
            dataset.mean,
            dataset.std,
            job.dataset,
            job.data,
            job.validate,
            pixel_range=self.found.pixel_range,
            membership=self.found.membership.to_text(),
        )


def train_command(asked: Asked, quiet: bool, as_json: bool) -> int:
    """Check everything, then train what isn't trained yet, test it, and show it. The exit code.

    ValueError on bad input, before anything is written.
    """
    from nas.interrupt import Stopped, stop_on_signals

    seconds = duration(asked.time_limit, "time limit") if asked.time_limit else None
    check_choice("precision", asked.precision, ("auto", *PRECISIONS))
    if asked.epochs is not None:
        check_range("epochs", asked.epochs, *EPOCHS)
    if asked.logger is not None:
        check_logger(asked.logger)
    tasks = [_task(subject, asked, seconds) for subject in _subjects(asked)]
    failures: dict[Path, str] = {}
    with ExitStack() as claims:
        try:
            with stop_on_signals() as check:
                tasks = _timed(tasks, asked, seconds, quiet, check)
                open_tasks = [task for task in tasks if not task.finished]
                for task in open_tasks:
                    claims.enter_context(record.claimed(task.directory))
                for task in open_tasks:
                    record.keep_job(task.directory, task.job)
                if open_tasks:  # all of them have the same images
                    say(open_tasks[0].found.words, quiet)
                for place, task in enumerate(open_tasks, start=1):
                    if asked.front and not quiet:
                        print(f"{place}/{len(open_tasks)}: {task.directory}", file=sys.stderr)
                    failures |= _failing(_train, task, asked, quiet, check)
                for task in open_tasks:
                    if task.directory not in failures:
                        failures |= _failing(_test, task, asked)
        except Stopped as stopped:
            kept = any(record.read_job(task.directory) for task in tasks)
            what = "every finished epoch is kept; the same command continues"
            print(f"stopped: {what if kept else 'nothing was begun'}", file=sys.stderr)
            return 128 + stopped.number
    show(
        [
            Trained(
                task.directory,
                task.subject.trial,
                record.read_card(task.directory),
                failures.get(task.directory),
            )
            for task in tasks
        ],
        asked.front,
        as_json,
    )
    return 1 if failures else 0


def _subjects(asked: Asked) -> list[Subject]:
    if asked.front == (asked.network is not None):
        raise ValueError("network is missing; give a trial, a name, a file, or --front alone")
    if asked.network is not None:
        return [find_subject(asked.network, asked.study, asked.storage)]
    store = open_store(asked.storage)
    front = load_results(store, asked.study).front()
    if not front:
        raise ValueError(f"study {asked.study!r} has no completed trial yet; run it first")
    return [trial_subject(store, asked.study, result.number) for result in front]


def _task(subject: Subject, asked: Asked, seconds: float | None) -> Task:
    """The training that is asked for; what isn't, is as in its directory where that is there."""
    if subject.candidate is None:
        raise ValueError(
            f"{subject.name} is a layer graph only, which can't be trained; give a candidate"
        )
    directory = _directory(subject, asked)
    record.check_place(directory)
    before, card = record.read_job(directory), record.read_card(directory)
    was = vars(before) if before else {}
    name = asked.dataset or (subject.settings.dataset if subject.settings else DATASET)
    asked_range = pixel_range(asked.pixel_range)
    if asked_range is None and source(name) is DATASETS[FOLDER]:
        own_range = subject.settings.pixel_range if subject.settings else None
        asked_range = was.get("pixel_range") or own_range
    found = _found(subject, asked, name, asked_range)
    own = subject.image[0] if subject.trial else found.channels
    resolution = _first(asked.resolution, was.get("resolution"), subject.image[1])
    channels = _first(asked.channels, was.get("channels"), own)
    check_range("resolution", resolution, *RESOLUTIONS)
    check_choice("channels", channels, (1, 3))
    View((channels, resolution, resolution), len(found.classes)).graph(subject)
    validate = _first(asked.validate, was.get("validate"), False)
    own_flip = source(found.name).mirrored
    recipe = before.recipe if before else FullRecipe(flip=own_flip)
    if asked.flip is not None:
        recipe = replace(recipe, flip=asked.flip)
    job = Job(
        subject.candidate,
        found.name,
        found.digest,
        channels,
        resolution,
        _size(asked, before, found, validate, resolution, channels),
        _first(asked.epochs, was.get("epochs"), EPOCHS[1] if seconds else DEFAULT_EPOCHS),
        _precision(before, asked.precision),
        before.threads if before else _threads(),
        validate,
        _first(asked.seed, was.get("seed"), 0),
        recipe,
        asked_range,
    )
    if before:
        record.check_same(directory, before, job)
    return Task(subject, found, directory, job, before is not None, card is not None)


T = TypeVar("T")


def _first(asked: T | None, before: T | None, default: T) -> T:
    """What is asked for, else what was, else the default."""
    if asked is not None:
        return asked
    return default if before is None else before


def _found(subject: Subject, asked: Asked, name: str, asked_range: PixelRange | None) -> Found:
    settings = subject.settings
    found = find(name, asked.data_dir, asked_range)
    known = settings.data if settings and not settings.data.startswith(REPLAYED) else ""
    if known and asked.dataset is None and found.digest != known:
        raise ValueError(
            f"{found.name} has changed since study's {subject.name} was evaluated (its digest is "
            f"{found.digest}, then {known}); give --dataset to train on it as it is now"
        )
    return found


def _directory(subject: Subject, asked: Asked) -> Path:
    name = Path(subject.name).stem.replace(" ", "-")
    if asked.front:
        return (asked.out or Path(f"{asked.study}-front")) / name
    return asked.out or Path(f"{asked.study}-{name}" if subject.trial else f"{name}-model")


def _size(
    asked: Asked,
    before: Job | None,
    found: Found,
    validate: bool,
    resolution: int,
    channels: int,
) -> int:
    if before and asked.train_size is None:
        return before.train_size
    dataset = load_found(found, resolution, channels)
    most = len(dataset.train) + (0 if validate else len(dataset.validation))
    size = most if asked.train_size is None else count("--train-size", asked.train_size)
    check_range("train size", size, 2, most)
    return size


def _precision(before: Job | None, asked: str) -> str:
    if asked != "auto":
        return asked
    from nas.precision import best_precision

    return before.precision if before else best_precision()


def _threads() -> int:
    import torch

    return torch.get_num_threads()


def _timed(
    tasks: Sequence[Task],
    asked: Asked,
    seconds: float | None,
    quiet: bool,
    check: Callable[[], None],
) -> list[Task]:
    """The tasks; those that are new with as many epochs, all the same, as the time allows.

    Where some of a front were begun before, the others get as many epochs as these.
    """
    if seconds is None:
        return list(tasks)
    new, begun = [task for task in tasks if not task.begun], [task for task in tasks if task.begun]
    if begun:
        epochs = max(task.job.epochs for task in begun)
        if not quiet:
            print(
                f"time limit: begun before with {counted(epochs, 'epoch')}, and kept so",
                file=sys.stderr,
            )
    else:
        from nas.full_training.pace import epochs_within, seconds_of_an_epoch

        if not quiet:
            print("timing a few steps", file=sys.stderr)
        paces = [
            seconds_of_an_epoch(task.job, task.description(), task.dataset(), check) for task in new
        ]
        epochs = epochs_within(seconds, sum(paces), asked.epochs)
    return [
        replace(task, job=replace(task.job, epochs=epochs)) if task in new else task
        for task in tasks
    ]


def _failing(
    step: Callable[..., None], task: Task, asked: Asked, *arguments: Any
) -> dict[Path, str]:
    """Do a step of a task; why it failed, if it did, by directory. A front goes on all the same."""
    from nas.training import DivergedError

    try:
        step(task, asked.logger, *arguments)
    except DivergedError as diverged:
        return {task.directory: f"{diverged}; give another --seed, and another --out"}
    except ValueError as error:
        if not asked.front:
            raise
        return {task.directory: str(error)}
    return {}


def _log(task: Task, logger: str | None) -> CurveLog | None:
    """Where the curve is to be followed, if that is asked for."""
    if logger is None:
        return None
    name = task.subject.name
    return CurveLog(logger, task.directory, name, task.job, len(task.found.classes))


def _train(task: Task, logger: str | None, quiet: bool, check: Callable[[], None]) -> None:
    """Train the task's network, where that isn't done."""
    from nas.full_training.fit import fit, trained
    from nas.model import FILE, save_model
    from nas.progress import shown

    if (task.directory / FILE).exists():
        return
    description = task.description()
    log = _log(task, logger)
    if logger is not None and not quiet:
        print(f"curve: {LOGGERS[logger].look(task.directory)}", file=sys.stderr)
    with shown(quiet) as report:
        fit(task.job, description, task.dataset(), task.directory, report, check, log)
    save_model(trained(task.directory, task.job, description)[0], task.directory)


def _test(task: Task, logger: str | None) -> None:
    """Measure the trained network, on test images too, and keep its card."""
    from nas.full_training.card import card_json, card_words
    from nas.full_training.fit import trained
    from nas.full_training.measure import measured
    from studies.curves_plot import CurvePoint, curves_figure
    from studies.page import page_html

    model, job = load_model(task.directory), task.job
    validation = measured(model, task.dataset().validation) if job.validate else None
    test = measured(model, task.test_images())
    _, curve = trained(task.directory, job, model.description)
    card = card_json(task.subject.name, job, model.description, curve, validation, test)
    figure = curves_figure([CurvePoint(e.number, e.loss, e.accuracy, e.validation) for e in curve])
    heading = f"{task.subject.name}: {test.accuracy:.2%} of {counted(test.images, 'test image')}"
    words = [f"{card['architecture']}.", f"{card['params']:,} parameters, {card['flops']:,} FLOPs."]
    if log := _log(task, logger):
        log.end(curve, test.accuracy)
    record.write_card(task.directory, card, card_words(card), page_html(heading, [figure], words))
