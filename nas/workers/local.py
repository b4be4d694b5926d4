"""A cluster of this machine alone: a process per worker, over TLS, on loopback."""

import contextlib
import logging
import os
import threading
import warnings
from collections.abc import Iterator
from functools import partial
from typing import TYPE_CHECKING, Any

from nas.short_run.evaluation import Evaluate
from nas.workers.place import Place
from nas.workers.preparation import Supply
from nas.workers.protocol import ClusterError, InDriver, Workers
from nas.workers.spawning import check_can_spawn
from studies.wording import counted

if TYPE_CHECKING:
    import distributed

    from nas.workers.pool import Pool

CLOSE_SECONDS = 5.0

MEMORY_SHARE = 0.9
"""Of the memory that this process may use: what its workers may hold together."""

QUIET_SECONDS = "1 hour"
"""How long Dask waits for a worker that is silent before it takes its nanny away as well."""

CONFIG = {
    # Nothing that a worker holds could be written out, and a paused one would pause for ever.
    "distributed.worker.memory.target": False,
    "distributed.worker.memory.spill": False,
    "distributed.worker.memory.pause": False,
    "distributed.worker.memory.terminate": 0.95,
    "distributed.deploy.lost-worker-timeout": QUIET_SECONDS,
    # Cores are for training: no statistics that nobody looks at, 50 and 100 times a second.
    "distributed.worker.profile.enabled": False,
    "distributed.admin.tick.interval": "500ms",
    "distributed.admin.system-monitor.interval": "10s",
}


WORKER_MEMORY = 1_250_000_000
"""Bytes that a worker may need, for the largest candidate of the default space and its images."""


def default_workers(gpus_per_trial: float | None) -> int:
    """One per core that this process may use, if there is the memory; or as many as share GPUs."""
    from dask.system import CPU_COUNT  # respects affinity and a container's quota

    return places(gpus_per_trial) or max(1, min(CPU_COUNT, default_memory(1) // WORKER_MEMORY))


def places(gpus_per_trial: float | None) -> int:
    """Trials that the GPUs of this machine have room for at once; 0 without a GPU."""
    return len(gpus()) * int(1 / (gpus_per_trial or 1))


def count_of(place: Place, trials: int) -> int:
    """How many worker processes a place asks for, at most one a trial."""
    wanted = default_workers(place.gpus_per_trial) if place.workers is None else place.workers
    return min(wanted, trials)


def check_local(place: Place, count: int) -> None:
    """ValueError where ``count`` workers can't be started on this machine."""
    check_places(count, place.gpus_per_trial)
    if count:
        check_can_spawn()


def check_places(count: int, gpus_per_trial: float | None) -> None:
    """ValueError where ``count`` trials at once would need more GPUs than there are."""
    if gpus_per_trial is not None and count > places(gpus_per_trial):
        raise ValueError(
            f"workers is {count}, but on {counted(len(gpus()), 'GPU')} there is room for "
            f"{counted(places(gpus_per_trial), 'trial')} of {gpus_per_trial:g} each; "
            "give fewer --workers, or no --gpus-per-trial"
        )


def gpus() -> list[str]:
    """The GPUs that this process may use, as CUDA_VISIBLE_DEVICES names them."""
    import torch

    count = torch.accelerator.device_count() if torch.accelerator.is_available() else 0
    visible = [name for name in os.environ.get("CUDA_VISIBLE_DEVICES", "").split(",") if name]
    return visible[:count] if visible else [str(number) for number in range(count)]


def default_memory(count: int) -> int:
    """Bytes that each of ``count`` workers may hold."""
    from distributed.system import MEMORY_LIMIT  # respects a container's

    return int(MEMORY_LIMIT * MEMORY_SHARE / max(1, count))


@contextlib.contextmanager
def open_workers(count: int, evaluate: Evaluate, memory: int | None = None) -> Iterator[Workers]:
    """``count`` worker processes on this machine; 0 evaluates in the driver.

    One that holds more than ``memory`` bytes is ended by its nanny. Where there are GPUs each
    worker sees one of them. Left by an exception, a signal's included, the workers are killed at
    once. ClusterError where they don't start.
    """
    if count == 0:
        yield InDriver(evaluate)
        return
    import dask
    import distributed

    from nas.workers.pool import Pool  # with distributed, which the driver alone doesn't need

    for name in ("distributed", "asyncio"):  # of workers that die and are told of in our own words
        logging.getLogger(name).setLevel(logging.CRITICAL)
    with warnings.catch_warnings(), dask.config.set(CONFIG):
        warnings.filterwarnings("ignore", module="distributed")
        finished = False
        pool = cluster = None
        try:
            try:
                cluster = _started(count, memory or default_memory(count))
            except (RuntimeError, OSError) as error:
                raise ClusterError(
                    f"the workers of this machine didn't start: {error}; give --workers 0"
                ) from error
            client = partial(distributed.Client, cluster, set_as_default=False)
            pool = Pool(client, Supply(evaluate), count, mend=partial(_mend, cluster))
            yield pool
            finished = True
        finally:
            if not finished and cluster is not None:
                _kill(cluster)
            closing = threading.Thread(target=_close, args=(pool, cluster), daemon=True)
            closing.start()
            closing.join(3 * CLOSE_SECONDS if finished else CLOSE_SECONDS)


def _started(count: int, memory: int) -> "distributed.SpecCluster":
    """A scheduler in this process and ``count`` nannies, each with its worker process."""
    import distributed
    from distributed.security import Security

    security = Security.temporary()
    common: dict[str, Any] = {
        "nthreads": 1,
        "memory_limit": memory,
        "host": "127.0.0.1",
        "security": security,
        "dashboard_address": None,
        "dashboard": False,
        "preload": ["nas.workers.preload"],
        "silence_logs": logging.CRITICAL,
    }
    workers = {
        number: {
            "cls": distributed.Nanny,
            "options": common | device(number),
        }
        for number in range(count)
    }
    return distributed.SpecCluster(
        workers=workers,
        scheduler={
            "cls": distributed.Scheduler,
            "options": {
                "host": "127.0.0.1",
                "protocol": "tls://",
                "security": security,
                "dashboard": False,
                "dashboard_address": None,
            },
        },
        security=security,
        silence_logs=logging.CRITICAL,
    )


def _mend(cluster: "distributed.SpecCluster") -> None:
    """Start those workers anew whose nannies gave up, as over one that is killed as it starts."""
    from distributed.core import Status

    over = (Status.closed, Status.failed)
    gone = [name for name, nanny in list(cluster.workers.items()) if nanny.status in over]
    for name in gone:
        del cluster.workers[name]
    if gone:
        cluster.scale(len(cluster.worker_spec))  # to those that it should have


def device(number: int) -> dict[str, Any]:
    """What makes a worker see one GPU, all of them in turns; nothing where there is none."""
    found = gpus()
    return {"env": {"CUDA_VISIBLE_DEVICES": found[number % len(found)]}} if found else {}


def _close(pool: "Pool | None", cluster: "distributed.SpecCluster | None") -> None:
    with contextlib.suppress(Exception):  # there is nothing more to lose
        if pool is not None:
            pool.close()
    with contextlib.suppress(Exception):
        if cluster is not None:
            cluster.close(timeout=CLOSE_SECONDS)


def _kill(cluster: "distributed.SpecCluster") -> None:
    """Kill the worker processes; what they compute is not wanted any more."""
    import psutil

    for nanny in cluster.workers.values():
        nanny.close_gracefully(reason="stopped")  # or it would start another one
        if nanny.pid is not None:
            with contextlib.suppress(psutil.Error):
                psutil.Process(nanny.pid).kill()
