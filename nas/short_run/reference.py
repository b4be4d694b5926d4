"""The reference: multinomial logistic regression on the pixels, which a network must beat.

It is the simplest classifier that somebody would take instead, is fitted in seconds, and has the
same accuracy whoever fits it: its loss has one minimum. Fitted once for a data set at a resolution,
and kept in the cache.
"""

import contextlib
import json
import warnings
from dataclasses import asdict
from typing import Any

from threadpoolctl import threadpool_limits

from nas.datasets import DataError, Dataset, Images, load
from nas.datasets.cache import cache_directory, write
from nas.datasets.found import Reading
from nas.settings import Reference

MOST_PRODUCTS = 400_000_000
"""Training images x pixels x classes that one step of fitting looks at, at most: 0.1 s."""

LEAST_IMAGES = 200
"""Training images that are looked at even where that is more."""

STEPS, TOLERANCE = 200, 1e-3

ROOM = "1 MB"


def reference(reading: Reading, digest: str) -> Reference:
    """That of the images which a study reads so, from the cache where it is there.

    Raises DataError where the images can't be read.
    """
    directory = cache_directory("references")
    name = f"{digest}-{reading.channels}-{reading.resolution}.json"
    try:
        return Reference(**json.loads((directory / name).read_text("utf-8")))
    except (OSError, ValueError, TypeError):  # it isn't there, or isn't whole
        found = fitted(load(reading))
    with contextlib.suppress(DataError):  # it is only quicker with it
        write(directory, name, json.dumps(asdict(found)).encode(), ROOM)
    return found


def fitted(dataset: Dataset) -> Reference:
    """Logistic regression on a data set's training images, measured on its validation images.

    Its params are a weight for each pixel and class, and a bias for each class; its FLOPs twice the
    weights. Of very many, large images some are left out, so that it takes seconds.
    """
    from sklearn.exceptions import ConvergenceWarning
    from sklearn.linear_model import LogisticRegression

    train, validation, classes = dataset.train, dataset.validation, len(dataset.classes)
    pixels = train.pixels[0].numel()
    count = max(LEAST_IMAGES, MOST_PRODUCTS // (pixels * classes))
    some = Images(train.pixels[:count], train.labels[:count])
    model = LogisticRegression(max_iter=STEPS, tol=TOLERANCE)
    with threadpool_limits(1), warnings.catch_warnings():
        warnings.simplefilter("ignore", ConvergenceWarning)  # it is then what it is
        right, labels = 0, validation.labels.numpy()
        if len(set(some.labels.tolist())) > 1:
            model.fit(_rows(some), some.labels.numpy())
            right = int((model.predict(_rows(validation)) == labels).sum())
    weights = pixels * classes
    return Reference(right / len(labels), weights + classes, 2 * weights, len(labels))


def _rows(images: Images) -> Any:
    """Pixels as rows [N, C * H * W] of 0..1."""
    return images.pixels.reshape(len(images), -1).numpy().astype("float32") / 255
