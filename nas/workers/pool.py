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
from typing import TYPE_CHECKING, Any

from distributed import KilledWorker

from nas.settings import Request
from nas.workers.connection import ANSWER_SECONDS, Connection
from nas.workers.exits import WorkerExits
from nas.workers.preparation import NotKeptError, Raised, Supply, guarded
from nas.workers.protocol import ClusterError, Outcome
from nas.workers.roster import Roster, Worker
from studies.evaluation import Evaluation
from studies.wording import counted

if TYPE_CHECKING:
    import distributed

LOOK_SECONDS = 1.0
"""Between two looks at which workers there are, where no event calls for one."""
RETRIES = 1
"""Evaluations more, of one whose worker has died."""


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
        self._supply, self._mend = supply, mend
        self._expected, self._patience = expected, patience
        self._roster = Roster(supply, say)
        self._waiting: deque[Request] = deque()
        self._exits = WorkerExits()
        self._ends: dict[Request, list[tuple[str, str]]] = {}
        self._outcomes: deque[Outcome] = deque()
        self._done: queue.SimpleQueue[Any] = queue.SimpleQueue()
        self._looked = self._away = 0.0
        self._useful = time.monotonic()
        self.retried = 0
        self._connection = Connection(connect, lambda: self._done.put(None))
        self._connection.open()

    @property
    def client(self) -> "distributed.Client | None":
        """Dask's client; None while the cluster is away."""
        return self._connection.client

    @property
    def slots(self) -> int:
        """Requests that can run at the same time now, at least as many as were expected."""
        return max(self._expected, self._roster.count("ready"))

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
        ready = self._roster.count("ready")
        parts = []
        if self._away:
            parts.append(f"cluster away for {time.monotonic() - self._away:.0f} s")
        elif ready < self._expected:
            parts.append(f"{ready} of {counted(self._expected, 'worker')}")
        elif self._supply.images is not None:
            parts.append(counted(ready, "worker"))
        if self._roster.refusals:
            parts.append(f"{len(self._roster.refusals)} refused")
        if self.retried:
            parts.append(f"{self.retried} retried")
        return ", ".join(parts)

    def wait(self, seconds: float) -> bool:
        """Whether there is a worker to evaluate on, at the latest after ``seconds``.

        ClusterError once all that there are were refused.
        """
        until = time.monotonic() + seconds
        self.want(1)
        while not self._roster.count("ready") and time.monotonic() < until:
            self.next(LOOK_SECONDS / 10)
            if len(self._roster) and len(self._roster) == self._roster.count("refused"):
                raise self._useless()
        return bool(self._roster.count("ready"))

    def close(self) -> None:
        """Let go of the cluster; what runs there is not wanted any more."""
        self._connection.close()

    def _look(self) -> None:
        """Take events in, see which workers are there, and give them what waits."""
        if self._hear() or time.monotonic() - self._looked >= LOOK_SECONDS:
            self._looked = time.monotonic()
            if self._present():
                self._roster.prepare(self._run)
        self._repeat_lost()
        self._place()

    def _hear(self) -> bool:
        """Process the events since the last time; whether workers have come or gone."""
        stirred = False
        for topic, event in self._connection.events():
            known = self._roster.get(event.get("worker", ""))
            self._exits.hear(topic, event, known.memory if known else 0)
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
        for worker in self._roster.update(workers):
            self._worker_gone(worker)
        if len(self._roster) < self._expected:
            self._mend()
        if len(self._roster) > self._roster.count("refused"):
            self._useful = self._looked
        if self._looked - self._useful > self._patience:
            raise self._useless()
        return True

    def _useless(self) -> ClusterError:
        words = "; ".join(self._roster.refusals.values()) or f"none for {self._patience:.0f} s"
        return ClusterError(f"the cluster has no worker that can be used: {words}")

    def _disconnect(self) -> None:
        """Give a cluster up that is away; what ran there will run again, as a first attempt."""
        self._connection.close(1)
        self._away = time.monotonic()
        running = [worker.request for worker in self._roster if worker.request]
        self._waiting.extendleft([*running, *self._exits.drop()])
        self._roster.clear()

    def _rejoin(self) -> None:
        try:
            self._connection.open()
        except OSError as error:
            if time.monotonic() - self._away > self._patience:
                raise ClusterError(f"the cluster is lost: {error}") from error
        else:
            self._away = self._looked = 0.0
            self._useful = time.monotonic()

    def _run(self, worker: Worker, task: Callable[..., Any], *given: object) -> None:
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
        for request in list(self._waiting):
            worker = self._roster.free(place for place, _ in self._ends.get(request, ()))
            if worker is not None:
                self._waiting.remove(request)
                worker.request = request
                self._run(worker, self._supply.evaluate, request)

    def _task_ended(self, worker: Worker, future: "distributed.Future[Any]") -> None:
        """Go on with what came of a worker's task."""
        if worker.future is not future or self._roster.get(worker.address) is not worker:
            return
        try:
            result = future.result(timeout=ANSWER_SECONDS)
        except Exception as error:
            if future.status == "cancelled":  # forgotten, as by a scheduler that is new
                self._disconnect()
            elif future.status == "error" and not isinstance(error, KilledWorker):
                self._roster.refuse(worker, f"can't run our code: {type(error).__name__}: {error}")
                self._take_back(worker)
            else:
                self._roster.remove(worker)
                self._worker_gone(worker)  # with its result
            return
        if isinstance(result, Raised) and result.name == NotKeptError.__name__:
            worker.stage = "new"  # another study's images took the place of ours
            self._take_back(worker)
        elif worker.stage != "ready":
            self._roster.prepared(worker, result, self._run)
        elif worker.request is not None:
            request, worker.request = worker.request, None
            self._end(request, result.words if isinstance(result, Raised) else result)

    def _take_back(self, worker: Worker) -> None:
        """Take a request back from a worker, for another one."""
        if worker.request is not None:
            self._waiting.appendleft(worker.request)
        worker.request = None

    def _worker_gone(self, worker: Worker) -> None:
        """Note what a worker was doing that isn't there any more."""
        if worker.future is not None:
            worker.future.release()  # or it would begin once more where another takes its place
        if worker.request is not None:
            self._exits.add(worker.request, worker.address, worker.name, worker.place)

    def _repeat_lost(self) -> None:
        """Submit what lost workers were evaluating again, once, to another worker."""
        for gone, how in self._exits.explained():
            if how is not None:
                ends = self._ends.setdefault(gone.request, [])
                ends.append((gone.place, how))
                if len(ends) > RETRIES:
                    self._end(gone.request, "; ".join(words for _, words in ends))
                    continue
                self.retried += 1
            self._waiting.appendleft(gone.request)

    def _end(self, request: Request, result: Evaluation | str) -> None:
        lost = tuple(words for _, words in self._ends.pop(request, ()))
        self._outcomes.append(Outcome(request, result, lost))
