"""Evaluations on the workers of a Dask cluster, one at a time on each.

Dask would place tasks itself, and repeat those whose workers die. Here the driver places them: so
an evaluation goes only to workers that were checked, is repeated once and elsewhere, and how its
worker ended is known.
"""

import queue
import time
import warnings
from collections import deque
from collections.abc import Callable
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from distributed import KilledWorker

from nas.settings import Request
from nas.workers.connection import ANSWER_SECONDS, Connection
from nas.workers.exits import Losses
from nas.workers.preparation import (
    Facts,
    NotKeptError,
    Raised,
    Supply,
    differing,
    facts,
    guarded,
    keep,
    lacking,
)
from nas.workers.protocol import ClusterError, Outcome
from studies.evaluation import Evaluation
from studies.wording import counted

if TYPE_CHECKING:
    import distributed

LOOK_SECONDS = 1.0
"""Between two looks at which workers there are, where no event calls for one."""
SENT_AT_ONCE = 4
"""Workers that images are on their way to; the scheduler holds a copy for each."""
RETRIES = 1
"""Evaluations more, of one whose worker has died."""


@dataclass
class _Worker:
    """``stage`` is ``new``, ``asked`` for facts, ``sent`` images, ``ready``, or ``refused``.

    ``place`` stays the same when its nanny starts it anew. One that is ``paused``, as Dask does to
    those that are short of memory, begins nothing.
    """

    address: str
    name: str
    place: str
    memory: int
    stage: str = "new"
    paused: bool = False
    request: Request | None = None
    future: "distributed.Future[Any] | None" = None


class Pool:
    """Workers that come and go. ``expected`` are counted on from the beginning.

    ``connect`` gives a client, or raises OSError. A cluster that is away, or has no worker that
    could be used, is waited for ``patience`` seconds; then ClusterError. ``say`` hears of each
    worker that is refused; ``mend`` is called while there are fewer than expected.
    """

    def __init__(
        self,
        connect: "Callable[[], distributed.Client]",
        supply: Supply,
        expected: int = 1,
        patience: float = 120.0,
        say: Callable[[str], None] = lambda words: None,
        mend: Callable[[], None] = lambda: None,
    ) -> None:
        self._supply, self._say, self._mend = supply, say, mend
        self._expected, self._patience = expected, patience
        self._workers: dict[str, _Worker] = {}
        self._waiting: deque[Request] = deque()
        self._losses = Losses()
        self._ends: dict[Request, list[tuple[str, str]]] = {}
        self._outcomes: deque[Outcome] = deque()
        self._done: queue.SimpleQueue[Any] = queue.SimpleQueue()
        self._refusals: dict[str, str] = {}
        self._looked = self._away = 0.0
        self._useful = time.monotonic()
        self.retried = 0
        self._connection = Connection(connect, lambda: self._done.put(None))
        self._connection.open()

    @property
    def client(self) -> "distributed.Client | None":
        """Dask's own, while the cluster is there."""
        return self._connection.client

    @property
    def slots(self) -> int:
        """Requests that can run at the same time now, at least as many as were expected."""
        return max(self._expected, self._count("ready"))

    def submit(self, request: Request) -> None:
        """Begin an evaluation as soon as a worker is free."""
        self._waiting.append(request)
        self._place()

    def want(self, more: int) -> None:
        """Let an adaptive cluster grow; this machine's own has all its workers."""
        self._connection.want(more if self._supply.images is not None else 0)

    def next(self, seconds: float) -> Outcome | None:
        """The next outcome; None if nothing ends within ``seconds``."""
        until = time.monotonic() + seconds
        while True:
            self._look()
            if self._outcomes:
                return self._outcomes.popleft()
            left = until - time.monotonic()
            if left <= 0:
                return None
            try:
                done = self._done.get(timeout=min(left, LOOK_SECONDS / 2))
            except queue.Empty:
                continue
            if done is not None:
                self._task_ended(*done)

    def words(self) -> str:
        """How many workers there are, if that is news; what they wait for; what was repeated."""
        ready = self._count("ready")
        parts = []
        if self._away:
            parts.append(f"cluster away for {time.monotonic() - self._away:.0f} s")
        elif ready < self._expected:
            parts.append(f"{ready} of {counted(self._expected, 'worker')}")
        elif self._supply.images is not None:
            parts.append(counted(ready, "worker"))
        if self._refusals:
            parts.append(f"{len(self._refusals)} refused")
        if self.retried:
            parts.append(f"{self.retried} retried")
        return ", ".join(parts)

    def wait(self, seconds: float) -> bool:
        """Whether there is a worker to evaluate on, at the latest after ``seconds``.

        ClusterError once all that there are were refused.
        """
        until = time.monotonic() + seconds
        self.want(1)
        while not self._count("ready") and time.monotonic() < until:
            self.next(LOOK_SECONDS / 10)
            if self._workers and len(self._workers) == self._count("refused"):
                raise self._useless()
        return bool(self._count("ready"))

    def close(self) -> None:
        """Let go of the cluster; what runs there is not wanted any more."""
        self._connection.close()

    def _count(self, *stages: str) -> int:
        return sum(worker.stage in stages for worker in self._workers.values())

    def _look(self) -> None:
        """Hear of events, see which workers are there, and give them what they are to do."""
        if self._hear() or time.monotonic() - self._looked >= LOOK_SECONDS:
            self._looked = time.monotonic()
            if self._present():
                self._prepare()
        self._repeat_lost()
        self._place()

    def _hear(self) -> bool:
        """Take events in; whether workers have come or gone."""
        stirred = False
        for topic, event in self._connection.events():
            known = self._workers.get(event.get("worker", ""))
            self._losses.hear(topic, event, known.memory if known else 0)
            stirred = stirred or event.get("action") in ("add-worker", "remove-worker")
        return stirred

    def _present(self) -> bool:
        """Whether the cluster answers; then the workers are those that it has."""
        if self.client is None:
            self._rejoin()
            return False
        try:
            workers = self._connection.workers()
        except OSError:
            self._disconnect()
            return False
        for address in set(self._workers) - set(workers):
            self._worker_gone(self._workers[address])
        for address in sorted(set(workers) - set(self._workers)):
            known = workers[address]
            name, place = str(known["name"]), known["nanny"] or address
            self._workers[address] = _Worker(address, name, place, known["memory_limit"])
            if words := lacking(self._supply, known):
                self._refuse(self._workers[address], words)
        for address, worker in self._workers.items():
            worker.paused = workers[address]["status"] != "running"
        if len(self._workers) < self._expected:
            self._mend()
        if len(self._workers) > self._count("refused"):
            self._useful = self._looked
        if self._looked - self._useful > self._patience:
            raise self._useless()
        return True

    def _useless(self) -> ClusterError:
        words = "; ".join(self._refusals.values()) or f"none for {self._patience:.0f} s"
        return ClusterError(f"the cluster has no worker that can be used: {words}")

    def _disconnect(self) -> None:
        """The cluster is away: what ran there runs again, which no worker is to blame for."""
        self._connection.close(1)
        self._away = time.monotonic()
        running = [worker.request for worker in self._workers.values() if worker.request]
        self._waiting.extendleft([*running, *self._losses.drop()])
        self._workers.clear()
        self._refusals.clear()

    def _rejoin(self) -> None:
        try:
            self._connection.open()
        except OSError as error:
            if time.monotonic() - self._away > self._patience:
                raise ClusterError(f"the cluster is lost: {error}") from error
        else:
            self._away = self._looked = 0.0
            self._useful = time.monotonic()

    def _prepare(self) -> None:
        """Ask new workers for their facts; those of this machine are ready as they are."""
        for worker in self._workers.values():
            if worker.stage == "new" and self._supply.images is None:
                worker.stage = "ready"
            elif worker.stage == "new" and self._count("asked", "sent") < SENT_AT_ONCE:
                worker.stage = "asked"
                self._run(worker, facts)

    def _run(self, worker: _Worker, task: Callable[..., Any], *given: object) -> None:
        assert self.client is not None
        with warnings.catch_warnings():
            warnings.filterwarnings("ignore", "Sending large graph")  # as it must be, once
            worker.future = self.client.submit(
                guarded,
                task,
                *given,
                pure=False,  # equal requests of two studies are our store's business
                workers=[worker.address],
                allow_other_workers=False,
                resources=self._supply.resources if worker.request else None,
            )
        worker.future.add_done_callback(lambda future: self._done.put((worker, future)))

    def _place(self) -> None:
        """Give what waits to workers that are free, a second time to another one."""
        if self.client is None:
            return
        ready = [worker for worker in self._workers.values() if worker.stage == "ready"]
        for request in list(self._waiting):
            before = [place for place, _ in self._ends.get(request, ())]
            others = [worker for worker in ready if worker.place not in before] or ready
            free = next((one for one in others if one.request is None and not one.paused), None)
            if free is not None:
                self._waiting.remove(request)
                free.request = request
                self._run(free, self._supply.evaluate, request)

    def _task_ended(self, worker: _Worker, future: "distributed.Future[Any]") -> None:
        """What a worker's task has come to."""
        if worker.future is not future or self._workers.get(worker.address) is not worker:
            return
        try:
            result = future.result(timeout=ANSWER_SECONDS)
        except Exception as error:
            if future.status == "cancelled":  # forgotten, as by a scheduler that is new
                self._disconnect()
            elif future.status == "error" and not isinstance(error, KilledWorker):
                self._refuse(worker, f"can't run our code: {type(error).__name__}: {error}")
                self._take_back(worker)
            else:
                self._worker_gone(worker)  # with its result
            return
        if isinstance(result, Raised) and result.name == NotKeptError.__name__:
            worker.stage = "new"  # another study's images took the place of ours
            self._take_back(worker)
        elif worker.stage != "ready":
            self._prepared(worker, result)
        elif worker.request is not None:
            request, worker.request = worker.request, None
            self._end(request, result.words if isinstance(result, Raised) else result)

    def _take_back(self, worker: _Worker) -> None:
        """Let another one do what it was to do."""
        if worker.request is not None:
            self._waiting.appendleft(worker.request)
        worker.request = None

    def _prepared(self, worker: _Worker, result: object) -> None:
        """On from a worker's facts to its images, and to its being ready or refused."""
        images = self._supply.images
        assert images is not None
        if isinstance(result, Raised):
            self._refuse(worker, f"can't run our code: {result.words}")
        elif isinstance(result, Facts) and (wrong := differing(result)):
            self._refuse(worker, f"on {result.host} has other versions: {'; '.join(wrong)}")
        elif isinstance(result, Facts) and images.address not in result.kept:
            worker.stage = "sent"
            self._run(worker, keep, images)
        else:
            worker.stage = "ready"

    def _refuse(self, worker: _Worker, reason: str) -> None:
        worker.stage = "refused"
        words = f"worker {worker.name} {reason}"
        if self._refusals.get(worker.address) != words:
            self._refusals[worker.address] = words
            self._say(f"{words}; it is not used")

    def _worker_gone(self, worker: _Worker) -> None:
        """Forget it; where it is there after all, it is found again and asked for its facts."""
        del self._workers[worker.address]
        self._refusals.pop(worker.address, None)
        if worker.future is not None:
            worker.future.release()  # or it would begin once more where another takes its place
        if worker.request is not None:
            self._losses.add(worker.request, worker.address, worker.name, worker.place)

    def _repeat_lost(self) -> None:
        """Repeat what lost workers did, once, and elsewhere."""
        for loss, how in self._losses.explained():
            if how is not None:
                ends = self._ends.setdefault(loss.request, [])
                ends.append((loss.place, how))
                if len(ends) > RETRIES:
                    self._end(loss.request, "; ".join(words for _, words in ends))
                    continue
                self.retried += 1
            self._waiting.appendleft(loss.request)

    def _end(self, request: Request, result: Evaluation | str) -> None:
        lost = tuple(words for _, words in self._ends.pop(request, ()))
        self._outcomes.append(Outcome(request, result, lost))
