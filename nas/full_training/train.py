"""Trainings one after the other: timed if need be, each trained to its end, then tested once."""

import sys
from collections.abc import Callable, Sequence
from contextlib import ExitStack
from dataclasses import replace
from pathlib import Path
from typing import Any, NamedTuple

from nas.datasets import Images
from nas.full_training import record
from nas.full_training.job import EPOCHS, Job
from nas.full_training.loggers import LOGGERS, CurveLog
from nas.full_training.task import Task, Wanted
from nas.interrupt import Stopped, stop_on_signals
from nas.model.classifier import model_classifier
from nas.model.model import Model, load_model
from nas.model.scores import Scores, score
from studies.trials import Trial
from studies.wording import counted

INT8_SHARE = 0.25
"""Of all other epochs' time, what those in 8-bit integers take: a tenth as many, each longer."""

BATCH = 128
"""Test images at once: small beside what training holds."""


class Trained(NamedTuple):
    """A training that was asked for: its directory, its trial, its card or why it has none."""

    directory: Path
    trial: Trial | None
    card: dict[str, Any] | None
    failure: str | None


def train_until_stopped(
    tasks: Sequence[Task], wanted: Wanted, several: bool, quiet: bool
) -> list[Trained] | Stopped:
    """`train_all` until a signal comes, which is said to people; what came of it."""
    try:
        with stop_on_signals() as check:
            failures = train_all(tasks, wanted, several, quiet, check)
    except Stopped as stopped:
        kept = any(record.read_job(task.directory) for task in tasks)
        what = "every finished epoch is kept; the same command continues"
        print(f"stopped: {what if kept else 'nothing was begun'}", file=sys.stderr)
        return stopped
    return [
        Trained(
            task.directory,
            task.subject.trial,
            record.read_card(task.directory),
            failures.get(task.directory),
        )
        for task in tasks
    ]


def train_all(
    tasks: Sequence[Task],
    wanted: Wanted,
    several: bool,
    quiet: bool,
    check: Callable[[], None],
) -> dict[Path, str]:
    """Train what isn't trained yet and test it; why some failed, by their directories.

    ValueError, where there aren't ``several``, on a failure that isn't the network's. ``check``
    raises where a signal asked to stop.
    """
    failures: dict[Path, str] = {}
    with ExitStack() as claims:
        open_tasks = [task for task in _timed(tasks, wanted, quiet, check) if not task.finished]
        for task in open_tasks:
            claims.enter_context(record.claimed(task.directory))
        for task in open_tasks:
            record.keep_job(task.directory, task.job)
        if open_tasks and not quiet:  # all of them have the same images
            for line in open_tasks[0].found.words:
                print(line, file=sys.stderr)
        for place, task in enumerate(open_tasks, start=1):
            if not quiet:
                count = f"{place}/{len(open_tasks)}: " if several else ""
                print(f"{count}{task.directory}: {_how(task.job)}", file=sys.stderr)
            failures |= _failing(_train, task, wanted.logger, several, quiet, check)
        for task in open_tasks:
            if task.directory not in failures:
                failures |= _failing(_test, task, wanted.logger, several)
    return failures


def _how(job: Job) -> str:
    """How a network is trained, as far as nobody may have asked for it."""
    size = "x".join(map(str, (job.channels, job.resolution, job.resolution)))
    images = counted(job.train_size, "image")
    return f"{counted(job.epochs, 'epoch')} of {images} as {size}, in {job.precision}"


def _timed(
    tasks: Sequence[Task],
    wanted: Wanted,
    quiet: bool,
    check: Callable[[], None],
) -> list[Task]:
    """The tasks; those that are new with as many epochs, by their weights, as the time allows.

    Where some of several were begun and aren't finished, the others get as many epochs as these.
    """
    if wanted.seconds is None:
        return list(tasks)
    new = [task for task in tasks if not task.begun]
    begun = [task for task in tasks if task.begun and not task.finished]
    if not new and not begun:
        return list(tasks)
    if begun:
        epochs = max(1.0, *(task.job.epochs / task.weight for task in begun))
        if not quiet:
            most = counted(max(task.job.epochs for task in begun), "epoch")
            print(f"time limit: begun before with {most}, and kept so", file=sys.stderr)
    else:
        from nas.full_training.pace import epochs_within, seconds_of_an_epoch

        if not quiet:
            print("timing a few steps", file=sys.stderr)
        paces = [
            task.weight
            * (1 + INT8_SHARE * task.job.int8)
            * seconds_of_an_epoch(task.job, task.metadata(), task.dataset(), check)
            for task in new
        ]
        epochs = epochs_within(wanted.seconds, sum(paces), len(new))
    limit = wanted.epochs or EPOCHS[1]
    return [
        replace(task, job=replace(task.job, epochs=min(limit, int(task.weight * epochs))))
        if task in new
        else task
        for task in tasks
    ]


def _failing(
    step: Callable[..., None], task: Task, logger: str | None, several: bool, *arguments: Any
) -> dict[Path, str]:
    """Do a step of a task; why it failed, if it did, by directory. A front goes on all the same."""
    from nas.short_run.training import DivergedError

    try:
        step(task, logger, *arguments)
    except DivergedError as diverged:
        return {task.directory: f"{diverged}; give another --seed, and another --out"}
    except ValueError as error:
        if not several:
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
    from nas.full_training.fit import fit, trained, training_images
    from nas.model.model import FILE, save_model
    from nas.progress import shown

    if (task.directory / FILE).exists():
        return
    metadata = task.metadata()
    log = _log(task, logger)
    if logger is not None and not quiet:
        print(f"curve: {LOGGERS[logger].look(task.directory)}", file=sys.stderr)
    with shown(quiet) as report:
        fit(task.job, metadata, task.dataset(), task.directory, report, check, log)
    model, _ = trained(task.directory, task.job, metadata)
    if task.job.int8:
        from nas.full_training.integer_tuning import tuned

        dataset = task.dataset()
        train = training_images(task.job, dataset)
        with shown(quiet) as report:
            found = tuned(
                task.job,
                model,
                train,
                dataset.validation if task.job.validate else train,
                report,
                check,
            )
        model = found.model
        if not quiet:
            whose = "validation" if task.job.validate else "training"
            print(
                f"in 8-bit integers {found.before:.2%} of {whose} images before, "
                f"{found.after:.2%} after {counted(task.job.int8_epochs, 'epoch')} of tuning: "
                f"{'kept' if found.kept else 'not kept'}",
                file=sys.stderr,
            )
    save_model(model, task.directory)


def _test(task: Task, logger: str | None) -> None:
    """Measure the trained network, on test images too, and keep its card."""
    from nas.full_training.card import card_json, card_words
    from nas.full_training.fit import trained
    from studies.curves_plot import CurvePoint, curves_figure
    from studies.page import page_html

    model, job = load_model(task.directory), task.job
    validation = _scores(model, task.dataset().validation) if job.validate else None
    test_images = task.test_images()
    test = _scores(model, test_images)
    in_8_bits = None
    if job.int8:
        from nas.full_training.fit import training_images
        from nas.full_training.integer_tuning import accuracy_in_integers, in_integers

        integers = in_integers(model, training_images(job, task.dataset()))
        in_8_bits = accuracy_in_integers(integers, test_images)
    _, curve = trained(task.directory, job, model.metadata)
    card = card_json(task.subject.name, job, model.metadata, curve, validation, test, in_8_bits)
    figure = curves_figure([CurvePoint(e.number, e.loss, e.accuracy, e.validation) for e in curve])
    heading = f"{task.subject.name}: {test.accuracy:.2%} of {counted(test.images, 'test image')}"
    words = [f"{card['architecture']}.", f"{card['params']:,} parameters, {card['flops']:,} FLOPs."]
    if log := _log(task, logger):
        log.end(curve, test.accuracy)
    record.write_card(task.directory, card, card_words(card), page_html(heading, [figure], words))


def _scores(model: Model, images: Images) -> Scores:
    """The scores of a model on images of its own shape, in float32."""
    probabilities = model_classifier(model).probabilities(images.pixels.numpy(), BATCH)
    return score(probabilities, images.labels.numpy(), model.metadata.classes)
