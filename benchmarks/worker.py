"""What a worker of these scripts does: one evaluation, with the images read once a process."""

import math
import time
from collections.abc import Iterable, Iterator
from concurrent.futures import FIRST_COMPLETED, Future, ProcessPoolExecutor, wait
from functools import cache
from typing import TypeVar

from nas.datasets import Dataset, load
from nas.datasets.found import Reading
from nas.settings import Request
from nas.short_run.evaluation import evaluate
from studies.evaluation import Evaluation

What = TypeVar("What")


@cache
def images(reading: Reading) -> Dataset:
    """The images, read once a process."""
    return load(reading)


def trained(request: Request) -> Evaluation:
    """The evaluation of a request."""
    return evaluate(request, images(request.images))


def each_trained(
    jobs: Iterable[tuple[What, Request]], processes: int, minutes: float = math.inf
) -> Iterator[tuple[What, Request, Evaluation]]:
    """Every request with its evaluation as it ends, and what it is for; none begun after minutes.

    One is begun whenever another ends, in the order in which they come.
    """
    ends, left = time.monotonic() + 60 * minutes, iter(jobs)
    running: dict[Future[Evaluation], tuple[What, Request]] = {}
    with ProcessPoolExecutor(processes) as pool:

        def begin() -> None:
            found = next(left, None) if time.monotonic() < ends else None
            if found is not None:
                running[pool.submit(trained, found[1])] = found

        for _ in range(processes):
            begin()
        while running:
            for done in wait(running, return_when=FIRST_COMPLETED).done:
                what, request = running.pop(done)
                begin()
                yield what, request, done.result()
