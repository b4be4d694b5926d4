"""What a worker of these scripts does: one evaluation, with the images read once a process."""

from functools import cache

from nas.datasets import Dataset, load
from nas.datasets.found import Reading
from nas.settings import Request
from nas.short_run.evaluation import evaluate
from studies.evaluation import Evaluation


@cache
def images(reading: Reading) -> Dataset:
    """The images, read once a process."""
    return load(reading)


def trained(request: Request) -> Evaluation:
    """The evaluation of a request."""
    return evaluate(request, images(request.images))
