"""Where evaluations run: in this process, or on a local Dask cluster with a process per worker."""

import contextlib
import logging
import os
import queue
import signal
import threading
import warnings
from collections.abc import Iterator
from typing import TYPE_CHECKING, Protocol

from nas.evaluation import Evaluate, Evaluation
from nas.settings import Request

if TYPE_CHECKING:
    import distributed

    Running = distributed.Future[Evaluation]

Outcome = tuple[Request, Evaluation | BaseException]

CLOSE_SECONDS = 5.0


class Workers(Protocol):
    """Takes requests, gives outcomes back in the order in which they end."""

    slots: int
    """Requests that run at the same time."""

    def submit(self, request: Request) -> None:
        """Begin an evaluation as soon as a slot is free."""

    def next(self, seconds: float) -> Outcome | None:
        """The next outcome; None if nothing ends within ``seconds``."""


class InDriver:
    """Evaluations in this process, one at a time."""

    slots = 1

    def __init__(self, evaluate: Evaluate) -> None:
        self._evaluate = evaluate
        self._waiting: list[Request] = []

    def submit(self, request: Request) -> None:
        self._waiting.append(request)

    def next(self, seconds: float) -> Outcome | None:
        del seconds
        request = self._waiting.pop(0)
        try:
            return request, self._evaluate(request)
        except Exception as error:  # as a worker would hand it over
            return request, error


class OnDask:
    """Evaluations on the workers of a Dask cluster, one at a time on each."""

    def __init__(self, client: "distributed.Client", slots: int, evaluate: Evaluate) -> None:
        self.slots = slots
        self.client, self._evaluate = client, evaluate
        self._ended: queue.SimpleQueue[tuple[Request, Running]] = queue.SimpleQueue()
        self._running: set[Running] = set()

    def submit(self, request: Request) -> None:
        # Not pure: two studies' equal requests are our store's business, not the scheduler's.
        future = self.client.submit(self._evaluate, request, pure=False)
        self._running.add(future)
        future.add_done_callback(lambda done: self._ended.put((request, done)))

    def next(self, seconds: float) -> Outcome | None:
        try:
            request, future = self._ended.get(timeout=seconds)
        except queue.Empty:
            return None
        self._running.discard(future)
        if future.status == "finished":
            result: Evaluation = future.result()
            return request, result
        error = future.exception()
        return request, error or RuntimeError(f"the evaluation was {future.status}")


def default_workers() -> int:
    """One per core this process may use; one where there is a GPU, which they would share."""
    import torch
    from dask.system import CPU_COUNT  # respects affinity and a container's quota

    if torch.accelerator.is_available():
        return 1
    return int(CPU_COUNT)


@contextlib.contextmanager
def open_workers(count: int, evaluate: Evaluate) -> Iterator[Workers]:
    """``count`` worker processes on this machine, over TLS; 0 evaluates in the driver.

    Left by an exception, a signal's included, the workers are killed at once.
    """
    if count == 0:
        yield InDriver(evaluate)
        return
    import distributed
    from distributed.security import Security

    logging.getLogger("distributed").setLevel(logging.CRITICAL)
    with warnings.catch_warnings():
        warnings.filterwarnings("ignore", module="distributed")
        cluster = distributed.LocalCluster(
            n_workers=count,
            threads_per_worker=1,
            # What a worker holds is its images: at a limit Dask could only pause it, for ever.
            memory_limit=None,
            processes=True,
            host="127.0.0.1",
            security=Security.temporary(),
            dashboard_address=None,
            silence_logs=logging.CRITICAL,
            preload=["nas.worker"],
        )
        client = distributed.Client(cluster)
        finished = False
        try:
            yield OnDask(client, count, evaluate)
            finished = True
        finally:
            if not finished:
                _kill(cluster)
            closing = threading.Thread(target=_close, args=(client, cluster), daemon=True)
            closing.start()
            closing.join(3 * CLOSE_SECONDS if finished else CLOSE_SECONDS)


def _close(client: "distributed.Client", cluster: "distributed.LocalCluster") -> None:
    with contextlib.suppress(Exception):  # there is nothing more to lose
        client.close(timeout=CLOSE_SECONDS)
        cluster.close(timeout=CLOSE_SECONDS)


def _kill(cluster: "distributed.LocalCluster") -> None:
    """Kill the worker processes; what they compute is not wanted any more."""
    for nanny in cluster.workers.values():
        nanny.close_gracefully(reason="stopped")  # or it would start another one
        if nanny.pid is not None:
            with contextlib.suppress(ProcessLookupError):
                os.kill(nanny.pid, signal.SIGKILL)
