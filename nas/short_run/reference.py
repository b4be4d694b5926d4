"""The reference: multinomial logistic regression on the pixels, which a network must beat.

It is the simplest classifier that somebody would take instead, is fitted in seconds, and has the
same accuracy whoever fits it: its loss has one minimum. Fitted once for a data set at a resolution,
and kept in the cache.
"""

import contextlib
import functools
import json
import operator
import warnings
from dataclasses import asdict
from typing import Any

from threadpoolctl import threadpool_limits

from nas.datasets import DataError, Dataset, Images, load
from nas.datasets.cache import cache_directory, write
from nas.datasets.folds import fold_of
from nas.datasets.found import Reading
from nas.metrics import ACCURACY, METRICS, Tally
from nas.settings import Reference

MOST_PRODUCTS = 400_000_000
"""Training images x pixels x classes that one step of fitting looks at, at most: 0.1 s."""

LEAST_IMAGES = 200
"""Training images that are looked at even where that is more."""

STEPS, TOLERANCE = 200, 1e-3

ROOM = "1 MB"


def reference(reading: Reading, digest: str, metric: str = ACCURACY, folds: int = 1) -> Reference:
    """That of the images which a study reads and measures so, from the cache where it is there.

    Raises DataError where the images can't be read.
    """
    directory = cache_directory("references")
    how = "" if (metric, folds) == (ACCURACY, 1) else f"-{metric}-{folds}"
    name = f"{digest}-{reading.channels}-{reading.resolution}{how}.json"
    try:
        return Reference(**json.loads((directory / name).read_text("utf-8")))
    except (OSError, ValueError, TypeError):  # it isn't there, or isn't whole
        found = fitted(load(reading), metric, folds)
    with contextlib.suppress(DataError):  # it is only quicker with it
        write(directory, name, json.dumps(asdict(found)).encode(), ROOM)
    return found


def fitted(dataset: Dataset, metric: str = ACCURACY, folds: int = 1) -> Reference:
    """Logistic regression on a data set's training images, measured on its validation images.

    With several folds it is fitted once for each, and measured on the validation images of all.

    Its params are a weight for each pixel and class, and a bias for each class; its FLOPs twice the
    weights. Of very many, large images some are left out, so that it takes seconds.
    """
    tallies = [_tally(fold_of(dataset, fold)) for fold in range(folds)]
    tally = functools.reduce(operator.add, tallies)
    of = METRICS[metric]
    weights = dataset.train.pixels[0].numel() * len(dataset.classes)
    params = weights + len(dataset.classes)
    return Reference(of.value(tally), params, 2 * weights, round(of.images(tally.shown)))


def _tally(dataset: Dataset) -> Tally:
    """How many validation images of each class it recognizes, fitted on the training images."""
    import numpy as np
    from sklearn.exceptions import ConvergenceWarning
    from sklearn.linear_model import LogisticRegression

    train, validation, classes = dataset.train, dataset.validation, len(dataset.classes)
    count = max(LEAST_IMAGES, MOST_PRODUCTS // (train.pixels[0].numel() * classes))
    some = Images(train.pixels[:count], train.labels[:count])
    model = LogisticRegression(max_iter=STEPS, tol=TOLERANCE)
    labels = validation.labels.numpy()
    right = labels[:0]
    with threadpool_limits(1), warnings.catch_warnings():
        warnings.simplefilter("ignore", ConvergenceWarning)  # it is then what it is
        if len(set(some.labels.tolist())) > 1:
            model.fit(_rows(some), some.labels.numpy())
            right = labels[model.predict(_rows(validation)) == labels]
    of_class = (np.bincount(one, minlength=classes).tolist() for one in (right, labels))
    return Tally(*map(tuple, of_class))


def _rows(images: Images) -> Any:
    """Pixels as rows [N, C * H * W] of 0..1."""
    return images.pixels.reshape(len(images), -1).numpy().astype("float32") / 255
