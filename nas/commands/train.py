"""The command `nas train`: a network, or every member of a front, trained to the end and tested."""

import sys
from collections.abc import Callable, Sequence
from contextlib import ExitStack
from dataclasses import dataclass, replace
from pathlib import Path

from nas.commands.parsing import count, duration
from nas.commands.subjects import Subject, View, find_subject, trial_subject
from nas.commands.trained import Trained, show
from nas.datasets import Dataset, Found, find, load, load_test
from nas.datasets.sources import source
from nas.full_training import record
from nas.full_training.job import EPOCHS, FullRecipe, Job
from nas.model import Description, load_model
from nas.settings import DATASET, PRECISIONS
from search_space.checks import check_choice, check_range
from studies.results import load_results
from studies.store import open_store
from studies.table import REPLAYED

DEFAULT_EPOCHS = 30
DEFAULT_RESOLUTION = 28


@dataclass(frozen=True)
class Asked:
    """The options of `nas train` as they were typed; see its help."""

    network: str | None
    front: bool
    study: str
    storage: str
    dataset: str | None
    data_dir: Path | None
    resolution: int | None
    channels: int | None
    epochs: int | None
    train_size: str | None
    validate: bool
    out: Path | None
    seed: int
    time_limit: str | None
    precision: str
    flip: bool | None


@dataclass(frozen=True)
class Task:
    """One network to train: what it is, on which images, into which directory."""

    subject: Subject
    found: Found
    directory: Path
    description: Description
    job: Job
    finished: bool

    def dataset(self) -> Dataset:
        """The training and validation images."""
        job = self.job
        return load(self.found.name, self.found.directory, job.resolution, job.channels)


def train_command(asked: Asked, quiet: bool, as_json: bool) -> int:
    """Check everything, then train what isn't trained yet, test it, and show it. The exit code.

    ValueError on bad input, before anything is written.
    """
    from nas.interrupt import Stopped, stop_on_signals

    seconds = duration(asked.time_limit, "time limit") if asked.time_limit else None
    check_choice("precision", asked.precision, ("auto", *PRECISIONS))
    if asked.epochs is not None:
        check_range("epochs", asked.epochs, *EPOCHS)
    subjects = _subjects(asked)
    tasks = [_task(subject, asked, seconds) for subject in subjects]
    failed: dict[Path, str] = {}
    tasks = _timed(tasks, asked, seconds, quiet)
    with ExitStack() as claims:
        for task in tasks:
            if not task.finished:
                claims.enter_context(record.claimed(task.directory))
                record.keep_job(task.directory, task.job)
        try:
            with stop_on_signals() as check:
                for place, task in enumerate(tasks, start=1):
                    of = f"{place}/{len(tasks)} {task.subject.name}" if asked.front else ""
                    failed |= _train(task, of, quiet, check)
                for task in tasks:
                    if not task.finished and task.directory not in failed:
                        _test(task)
        except Stopped as stopped:
            print(
                "stopped: every finished epoch is kept; the same command continues",
                file=sys.stderr,
            )
            return 128 + stopped.number
    shown = [
        Trained(
            task.directory,
            task.subject.trial,
            record.read_card(task.directory),
            failed.get(task.directory),
        )
        for task in tasks
    ]
    show(shown, asked.front, as_json)
    return 1 if failed else 0


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
    found = _found(subject, asked)
    settings = subject.settings
    resolution = asked.resolution or (settings.resolution if settings else DEFAULT_RESOLUTION)
    channels = asked.channels or (settings.channels if settings else found.channels)
    check_range("resolution", resolution, 1, 1024)
    check_choice("channels", channels, (1, 3))
    View((channels, resolution, resolution), len(found.classes)).graph(subject)
    directory = _directory(subject, asked)
    record.check_place(directory)
    before, card = record.read_job(directory), record.read_card(directory)
    dataset = load(found.name, found.directory, resolution, channels)
    most = len(dataset.train) + (0 if asked.validate else len(dataset.validation))
    size = most if asked.train_size is None else count("--train-size", asked.train_size)
    check_range("train size", size, 2, most)
    job = Job(
        subject.candidate,
        found.name,
        found.digest,
        channels,
        resolution,
        size,
        _epochs(before, asked, seconds),
        _precision(before, asked.precision),
        before.threads if before else _threads(),
        asked.validate,
        asked.seed,
        FullRecipe(flip=source(found.name).mirrored if asked.flip is None else asked.flip),
    )
    if before:
        record.check_same(directory, before, job)
    description = Description(
        subject.candidate,
        channels,
        resolution,
        found.classes,
        dataset.mean,
        dataset.std,
        found.name,
        found.digest,
    )
    return Task(subject, found, directory, description, job, card is not None)


def _found(subject: Subject, asked: Asked) -> Found:
    settings = subject.settings
    name = asked.dataset or (settings.dataset if settings else DATASET)
    found = find(name, asked.data_dir)
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


def _epochs(before: Job | None, asked: Asked, seconds: float | None) -> int:
    if before and (asked.epochs is None or seconds is not None):
        return before.epochs
    return asked.epochs or (EPOCHS[1] if seconds is not None else DEFAULT_EPOCHS)


def _precision(before: Job | None, asked: str) -> str:
    if asked != "auto":
        return asked
    from nas.precision import best_precision

    return before.precision if before else best_precision()


def _threads() -> int:
    import torch

    return torch.get_num_threads()


def _timed(tasks: Sequence[Task], asked: Asked, seconds: float | None, quiet: bool) -> list[Task]:
    """The tasks; those that are new with as many epochs, all the same, as the time allows."""
    new = [task for task in tasks if record.read_job(task.directory) is None]
    if seconds is None or not new:
        return list(tasks)
    from nas.full_training.pace import epochs_within, seconds_of_an_epoch

    if not quiet:
        print("timing a few steps", file=sys.stderr)
    paces = [seconds_of_an_epoch(task.job, task.description, task.dataset()) for task in new]
    epochs = epochs_within(seconds, sum(paces), asked.epochs)
    return [
        replace(task, job=replace(task.job, epochs=epochs)) if task in new else task
        for task in tasks
    ]


def _train(task: Task, of: str, quiet: bool, check: Callable[[], None]) -> dict[Path, str]:
    """Train the task's network where that isn't done; why it failed, if it did, by directory."""
    from nas.full_training.fit import fit, trained
    from nas.model import FILE, save_model
    from nas.progress import shown
    from nas.training import DivergedError

    if task.finished or (task.directory / FILE).exists():
        return {}
    if of and not quiet:
        print(f"{of}: {task.directory}", file=sys.stderr)
    try:
        with shown(quiet) as report:
            fit(task.job, task.description, task.dataset(), task.directory, report, check)
    except DivergedError as diverged:
        return {task.directory: str(diverged)}
    save_model(trained(task.directory, task.description)[0], task.directory)
    return {}


def _test(task: Task) -> None:
    """Measure the trained network, on test images too, and keep its card."""
    from nas.full_training.card import card_json, card_words
    from nas.full_training.fit import trained
    from nas.full_training.measure import measured
    from studies.curves_plot import CurvePoint, curves_figure
    from studies.page import page_html

    model, job = load_model(task.directory), task.job
    dataset = task.dataset()
    validation = measured(model, dataset.validation) if job.validate else None
    images = load_test(task.found.name, task.found.directory, job.resolution, job.channels)
    test = measured(model, images)
    _, curve = trained(task.directory, task.description)
    card = card_json(task.subject.name, job, task.description, curve, validation, test)
    figure = curves_figure([CurvePoint(e.number, e.loss, e.accuracy, e.validation) for e in curve])
    heading = f"{task.subject.name}: {test.accuracy:.2%} of {test.images:,} test images"
    words = [f"{card['architecture']}.", f"{card['params']:,} parameters, {card['flops']:,} FLOPs."]
    record.write_card(task.directory, card, card_words(card), page_html(heading, [figure], words))
