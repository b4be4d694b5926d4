"""Evaluations on the workers of a Dask cluster, one at a time on each.

Dask would place tasks itself, and repeat those whose workers die. Here the driver places them: so
an evaluation goes only to workers that were checked, is repeated once and elsewhere, and how its
worker ended is known.
"""

import contextlib
import queue
import time
import warnings
from collections import deque
from collections.abc import Callable
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from distributed import KilledWorker

from nas.cluster.losses import EXITS, MEMORY, Exits, Losses
from nas.cluster.preparation import Facts, NotKeptError, Supply, differing, facts, keep
from nas.cluster.workers import Outcome, error_words
from nas.evaluation import Evaluation
from nas.settings import Request

if TYPE_CHECKING:
    import distributed

LOOK_SECONDS = 1.0
"""Between two looks at which workers there are, where no event calls for one."""
RESULT_SECONDS = 10.0
SENT_AT_ONCE = 4
"""Workers that images are on their way to; the scheduler holds a copy for each."""
RETRIES = 1
TOPICS = ("all", EXITS, MEMORY)


class ClusterError(ValueError):
    """A cluster that can't be reached, is lost, or has no worker that could be used."""


@dataclass
class _Worker:
    """``doing`` is ``new``, ``asked`` for facts, ``sent`` images, ``ready``, or ``refused``.

    One that is ``paused``, as Dask does to those that are short of memory, begins nothing.
    """

    address: str
    name: str
    memory: int
    resources: dict[str, float]
    doing: str = "new"
    paused: bool = False
    request: Request | None = None
    future: "distributed.Future[Any] | None" = None


class Pool:
    """Workers that come and go. ``expected`` are counted on from the beginning.

    ``connect`` gives a client, or raises OSError; a cluster that is lost is waited for
    ``patience`` seconds. ``say`` hears once of each worker that is refused. ClusterError once
    patience is over.
    """

    def __init__(
        self,
        connect: "Callable[[], distributed.Client]",
        supply: Supply,
        expected: int = 1,
        patience: float = 0.0,
        say: Callable[[str], None] = lambda words: None,
    ) -> None:
        self._connect, self._supply, self._say = connect, supply, say
        self._expected, self._patience = expected, patience
        self._workers: dict[str, _Worker] = {}
        self._waiting: deque[Request] = deque()
        self._lost: dict[Request, list[tuple[str, str]]] = {}
        self._losses = Losses()
        self._outcomes: deque[Outcome] = deque()
        self._done: queue.SimpleQueue[tuple[_Worker, distributed.Future[Any]] | None]
        self._done = queue.SimpleQueue()
        self._events: queue.SimpleQueue[tuple[str, dict[str, Any]]] = queue.SimpleQueue()
        self._refused: set[str] = set()
        self._looked = self._away = 0.0
        self.retried = 0
        self.client: distributed.Client | None = None
        self._begin()

    @property
    def slots(self) -> int:
        """Requests that can run at the same time now, at least as many as were expected."""
        return max(self._expected, self._count("ready"))

    def submit(self, request: Request) -> None:
        """Begin an evaluation as soon as a worker is free."""
        self._waiting.append(request)
        self._place()

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
                self._take(*done)

    def words(self) -> str:
        """How many workers there are, if that is news; what they wait for; what was repeated."""
        ready = self._count("ready")
        parts = []
        if self._away:
            parts.append(f"cluster away for {time.monotonic() - self._away:.0f} s")
        elif ready < self._expected:
            parts.append(f"{ready} of {self._expected} workers")
        elif self._supply.images is not None:
            parts.append(f"{ready} worker{'s' if ready != 1 else ''}")
        if self._refused:
            parts.append(f"{len(self._refused)} refused")
        if self.retried:
            parts.append(f"{self.retried} retried")
        return ", ".join(parts)

    def usable(self, seconds: float) -> bool:
        """Whether there is a worker to evaluate on, at the latest after ``seconds``."""
        until = time.monotonic() + seconds
        while not self._count("ready") and time.monotonic() < until:
            if self.next(LOOK_SECONDS / 10) is None and self._refused and self._settled():
                break
        return bool(self._count("ready"))

    def close(self) -> None:
        """Let go of the cluster; what runs there is not wanted any more."""
        client, self.client = self.client, None
        if client is not None:
            for topic in TOPICS:  # or the scheduler would tell a closed client of its own end
                client.unsubscribe_topic(topic)
            client.close(timeout=RESULT_SECONDS)

    def _count(self, doing: str) -> int:
        return sum(worker.doing == doing for worker in self._workers.values())

    def _settled(self) -> bool:
        return all(worker.doing in ("ready", "refused") for worker in self._workers.values())

    def _begin(self) -> None:
        client = self._connect()
        for topic in TOPICS:

            def hear(event: tuple[float, dict[str, Any]], topic: str = topic) -> None:
                self._events.put((topic, event[1]))
                self._done.put(None)

            client.subscribe_topic(topic, hear)
        with contextlib.suppress(Exception):  # of a nanny without our package: it is refused later
            client.register_plugin(Exits())
        self.client, self._away, self._looked = client, 0.0, 0.0

    def _look(self) -> None:
        """Hear of events, see which workers are there, and give them what they are to do."""
        stirred = self._hear()
        now = time.monotonic()
        if stirred or now - self._looked >= LOOK_SECONDS:
            self._looked = now
            if self._present():
                self._prepare()
        self._bury()
        self._place()

    def _hear(self) -> bool:
        """Take events in; whether workers have come or gone."""
        stirred = False
        while not self._events.empty():
            topic, event = self._events.get()
            known = self._workers.get(event.get("worker", ""))
            self._losses.hear(topic, event, known.memory if known else 0)
            stirred = stirred or event.get("action") in ("add-worker", "remove-worker")
        return stirred

    def _present(self) -> bool:
        """Whether the cluster answers; then the workers are those that it has."""
        if self.client is None:
            self._return()
            return False
        try:
            if self.client.status != "running":
                raise OSError
            scheduler: Any = self.client.scheduler
            info = self.client.sync(scheduler.identity, n_workers=-1)["workers"]
        except OSError:
            self._lose()
            return False
        for address in set(self._workers) - set(info):
            self._gone(self._workers.pop(address))
        for address in sorted(set(info) - set(self._workers)):
            found = info[address]
            self._workers[address] = _Worker(
                address, str(found["name"]), found["memory_limit"], found["resources"]
            )
        for address, worker in self._workers.items():
            worker.paused = info[address]["status"] != "running"
        return True

    def _lose(self) -> None:
        """The cluster is away: what ran there runs again, which no worker is to blame for."""
        client, self.client = self.client, None
        if client is not None:
            client.close(timeout=1)
        self._away = time.monotonic()
        running = [worker.request for worker in self._workers.values() if worker.request]
        self._waiting.extendleft([*running, *self._losses.drop()])
        self._workers.clear()

    def _return(self) -> None:
        try:
            self._begin()
        except OSError as error:
            if time.monotonic() - self._away > self._patience:
                raise ClusterError(f"the cluster is lost: {error}") from error

    def _prepare(self) -> None:
        """Ask new workers for their facts; those of this machine are ready as they are."""
        for worker in self._workers.values():
            if worker.doing == "new" and (lacking := self._lacking(worker)):
                self._refuse(worker, lacking)
            elif worker.doing == "new" and self._supply.images is None:
                worker.doing = "ready"
            elif worker.doing == "new" and self._count("sent") < SENT_AT_ONCE:
                worker.doing = "asked"
                self._run(worker, facts)

    def _lacking(self, worker: _Worker) -> str:
        """The resource that a worker has too little of; Dask would never give it anything."""
        for name, amount in (self._supply.resources or {}).items():
            if (has := worker.resources.get(name, 0)) < amount:
                return (
                    f"has {name}={has:g} and a trial takes {amount:g}; start it with "
                    f"--resources {name}={amount:g}"
                )
        return ""

    def _run(self, worker: _Worker, task: Callable[..., Any], *given: object) -> None:
        assert self.client is not None
        resources = self._supply.resources if worker.request else None
        with warnings.catch_warnings():
            warnings.filterwarnings("ignore", "Sending large graph")  # as it must be, once
            worker.future = self.client.submit(
                task,
                *given,
                pure=False,  # equal requests of two studies are our store's business
                workers=[worker.address],
                allow_other_workers=False,
                resources=resources,
            )
        worker.future.add_done_callback(lambda future: self._done.put((worker, future)))

    def _place(self) -> None:
        """Give what waits to workers that are free, a second time to another one."""
        if self.client is None:
            return
        ready = [worker for worker in self._workers.values() if worker.doing == "ready"]
        for request in list(self._waiting):
            before = [address for address, _ in self._lost.get(request, ())]
            others = [worker for worker in ready if worker.address not in before] or ready
            free = next((one for one in others if one.request is None and not one.paused), None)
            if free is not None:
                self._waiting.remove(request)
                free.request = request
                self._run(free, self._supply.evaluate, request)

    def _take(self, worker: _Worker, future: "distributed.Future[Any]") -> None:
        """What a worker's task has come to."""
        if worker.future is not future or self._workers.get(worker.address) is not worker:
            return
        if future.status not in ("finished", "error"):  # forgotten, as by a scheduler that is new
            self._lose()
            return
        try:
            result = future.result(timeout=RESULT_SECONDS)
        except Exception as error:
            result = error
        gone = future.status == "finished" and isinstance(result, Exception)
        gone = gone or isinstance(result, NotKeptError | KilledWorker)
        worker.future = None
        if gone:
            self._gone(self._workers.pop(worker.address))  # found again, it is asked for its facts
        elif worker.doing != "ready":
            self._prepared(worker, result)
        elif worker.request is not None:
            request, worker.request = worker.request, None
            failed = isinstance(result, Exception)
            self._end(request, error_words(result, future.traceback()) if failed else result)

    def _prepared(self, worker: _Worker, result: object) -> None:
        """On from a worker's facts to its images, and to its being ready or refused."""
        images = self._supply.images
        assert images is not None
        if isinstance(result, Exception):
            self._refuse(worker, f"can't run our code: {type(result).__name__}: {result}")
        elif isinstance(result, Facts) and (wrong := differing(result)):
            self._refuse(worker, f"on {result.host} has other versions: {'; '.join(wrong)}")
        elif isinstance(result, Facts) and images.address not in result.kept:
            worker.doing = "sent"
            self._run(worker, keep, images)
        else:
            worker.doing = "ready"

    def _refuse(self, worker: _Worker, reason: str) -> None:
        worker.doing = "refused"
        if worker.name not in self._refused:
            self._refused.add(worker.name)
            self._say(f"worker {worker.name} {reason}; it is not used")

    def _gone(self, worker: _Worker) -> None:
        self._refused.discard(worker.name)
        if worker.request is not None:
            self._losses.add(worker.request, worker.address, worker.name)

    def _bury(self) -> None:
        """Repeat what lost workers did, once, and elsewhere."""
        for loss, how in self._losses.explained():
            if how is not None:
                lost = self._lost.setdefault(loss.request, [])
                lost.append((loss.address, how))
                if len(lost) > RETRIES:
                    self._end(loss.request, "; ".join(words for _, words in lost))
                    continue
                self.retried += 1
            self._waiting.appendleft(loss.request)

    def _end(self, request: Request, result: Evaluation | str) -> None:
        lost = tuple(words for _, words in self._lost.pop(request, ()))
        self._outcomes.append(Outcome(request, result, lost))
