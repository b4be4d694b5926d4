"""The command `nas evaluate`: how good a model is on images that it has not seen, and how fast."""

import time
from typing import Any, NamedTuple

import numpy as np
from rich.console import Console
from rich.text import Text

from nas.classifier import Classifier, Pixels
from nas.commands.images import Where, find_images, read_part, say
from nas.commands.tables import new_table
from nas.latency import Latency, timed
from nas.scores import Interval, Scores, score

BATCH = 64
"""Images of the batch whose time is measured beside that of one image."""


class Evaluated(NamedTuple):
    """A model's scores on a split of a data set, and its times on one thread or all.

    ``notes`` say where these aren't all images, or not the ones, that the model's data set had.
    On one thread it is the CPU time of that thread, on all the time that passes.
    """

    dataset: str
    split: str
    runtime: str
    scores: Scores
    notes: tuple[str, ...]
    times: tuple[tuple[str, Latency], ...]


def evaluate(
    classifier: Classifier,
    where: Where,
    validation: bool,
    batch_size: int,
    quiet: bool = False,
) -> Evaluated:
    """Score a model on the test images of its data set, or the validation images, and time it.

    What was found is printed before on standard error, unless ``quiet``. ValueError where no image
    is left that the model was not trained on.
    """
    known = classifier.facts
    found = find_images(known, where)
    say(found.words, quiet)
    images, notes = read_part(found, known, "val" if validation else "test")
    say(notes, quiet=False)
    pixels = images.pixels.numpy()
    probabilities = classifier.probabilities(pixels, batch_size)
    return Evaluated(
        found.name,
        "validation" if validation else "test",
        classifier.runtime,
        score(probabilities, images.labels.numpy(), known.classes),
        notes,
        _times(classifier, pixels),
    )


def _times(classifier: Classifier, pixels: Pixels) -> tuple[tuple[str, Latency], ...]:
    one, batch = (pixels[np.arange(count) % len(pixels)] for count in (1, BATCH))
    with classifier.on_threads(1) as run:
        alone = timed(lambda: run(one), 1)
        batched = timed(lambda: run(batch), BATCH)
    with classifier.on_threads(None) as run:
        everywhere = timed(lambda: run(batch), BATCH, time.perf_counter)
    return ("one", alone), ("one", batched), ("all", everywhere)


def print_evaluated(evaluated: Evaluated) -> None:
    """The scores, then a row a class, then a row for each time."""
    scores = evaluated.scores
    console = Console(soft_wrap=True, highlight=False)
    console.print(
        Text(
            f"{scores.images:,} {evaluated.split} images of {evaluated.dataset}, "
            f"{evaluated.runtime}\n"
            f"  accuracy {scores.accuracy:.2%}, 95 % interval {_interval(scores.interval)}\n"
            f"  negative log-likelihood {scores.loss:.4f}\n"
            f"  expected calibration error {scores.calibration_error:.2%}"
        )
    )
    table = new_table("By class")
    table.add_column("class", overflow="fold")
    for name in ("images", "accuracy", "95 % interval"):
        table.add_column(name, justify="right")
    for one in scores.per_class:
        accuracy = f"{one.accuracy:.2%}" if one.n else "-"
        table.add_row(Text(one.name), f"{one.n:,}", accuracy, _interval(one.interval))
    console.print(table)
    table = new_table("Time on this machine (one thread: its CPU time; all: elapsed)")
    for name in ("images", "threads", "median", "quartiles", "runs", "images/s"):
        table.add_column(name, justify="right")
    for threads, took in evaluated.times:
        quartiles = f"{1000 * took.low:.3f}..{1000 * took.high:.3f} ms"
        speed = f"{took.batch / took.median:,.0f}"
        median = f"{1000 * took.median:.3f} ms"
        table.add_row(f"{took.batch}", threads, median, quartiles, f"{took.runs}", speed)
    console.print(table)


def _interval(interval: Interval) -> str:
    return "{:.2%}..{:.2%}".format(*interval)


def to_json(evaluated: Evaluated) -> dict[str, Any]:
    """The same, and the confusion matrix, as JSON data; times in seconds."""
    return {
        "dataset": evaluated.dataset,
        "split": evaluated.split,
        "runtime": evaluated.runtime,
        **evaluated.scores.to_json(),
        "notes": list(evaluated.notes),
        "latency": [
            {"threads": threads, **took._asdict(), "images_per_second": took.batch / took.median}
            for threads, took in evaluated.times
        ],
    }
