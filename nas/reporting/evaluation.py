"""How good a model is on images that it has not seen, and how fast it is on this machine."""

import time
from typing import NamedTuple

import numpy as np

from nas.model.classifier import Classifier, Pixels
from nas.model.images import Where, find_images, read_part, say
from nas.model.scores import Scores, score
from nas.short_run.latency import Latency, timed

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
    known = classifier.metadata
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
