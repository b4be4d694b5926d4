"""The workers of a cluster, from the moment that one is seen until it is ready or refused."""

from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from nas.settings import Request
from nas.workers.preparation import (
    Raised,
    Supply,
    WorkerInfo,
    differing,
    keep,
    lacking,
    worker_info,
)

if TYPE_CHECKING:
    import distributed

SENT_AT_ONCE = 4
"""Workers that images are on their way to; the scheduler holds a copy for each."""

Run = Callable[..., None]
"""Begins a task on a worker: takes the worker, the function, and what that is given."""


@dataclass
class Worker:
    """A worker; its ``stage`` is new, asked (what it is), sent (images), ready, or refused.

    ``place`` stays the same when its nanny starts it anew. One that is ``paused``, as Dask does to
    those that are short of memory, begins nothing. ``request`` is what it evaluates, ``future`` the
    task that was begun on it last.
    """

    address: str
    name: str
    place: str
    memory: int
    stage: str = "new"
    paused: bool = False
    request: Request | None = None
    future: "distributed.Future[Any] | None" = None


class Roster:
    """Workers by their address, and why some of them aren't used.

    ``supply`` says what each needs; ``say`` hears of each worker that is refused.
    """

    def __init__(self, supply: Supply, say: Callable[[str], None]) -> None:
        self._supply, self._say = supply, say
        self._workers: dict[str, Worker] = {}
        self.refusals: dict[str, str] = {}

    def __iter__(self) -> Iterator[Worker]:
        return iter(self._workers.values())

    def __len__(self) -> int:
        return len(self._workers)

    def get(self, address: str) -> Worker | None:
        """The worker of that address, None where there is none."""
        return self._workers.get(address)

    def count(self, *stages: str) -> int:
        """How many workers are at one of these stages."""
        return sum(worker.stage in stages for worker in self)

    def update(self, present: Mapping[str, Mapping[str, Any]]) -> list[Worker]:
        """Make the workers those that the scheduler knows of, and return those that are gone."""
        gone = [worker for worker in self if worker.address not in present]
        for worker in gone:
            self.remove(worker)
        for address in sorted(present.keys() - self._workers.keys()):
            known = present[address]
            name, place = str(known["name"]), known["nanny"] or address
            worker = self._workers[address] = Worker(address, name, place, known["memory_limit"])
            if words := lacking(self._supply, known):
                self.refuse(worker, words)
        for worker in self:
            worker.paused = present[worker.address]["status"] != "running"
        return gone

    def remove(self, worker: Worker) -> None:
        """Forget a worker; where it is there after all, it will be found again."""
        del self._workers[worker.address]
        self.refusals.pop(worker.address, None)

    def clear(self) -> None:
        """Forget all of them, as the cluster is away."""
        self._workers.clear()
        self.refusals.clear()

    def refuse(self, worker: Worker, reason: str) -> None:
        """Use a worker no more, and say why, once."""
        worker.stage = "refused"
        words = f"worker {worker.name} {reason}"
        if self.refusals.get(worker.address) != words:
            self.refusals[worker.address] = words
            self._say(f"{words}; it is not used")

    def prepare(self, run: Run) -> None:
        """Ask new workers what they are; those of this machine are ready as they are."""
        for worker in self:
            if worker.stage == "new" and self._supply.images is None:
                worker.stage = "ready"
            elif worker.stage == "new" and self.count("asked", "sent") < SENT_AT_ONCE:
                worker.stage = "asked"
                run(worker, worker_info)

    def prepared(self, worker: Worker, result: object, run: Run) -> None:
        """Go on with what a worker has answered: send it images, or have it ready or refused."""
        images = self._supply.images
        assert images is not None, "nothing is asked of workers of this machine"
        if isinstance(result, Raised):
            self.refuse(worker, f"can't run our code: {result.words}")
        elif isinstance(result, WorkerInfo) and (wrong := differing(result)):
            self.refuse(worker, f"on {result.host} has other versions: {'; '.join(wrong)}")
        elif isinstance(result, WorkerInfo) and images.address not in result.kept:
            worker.stage = "sent"
            run(worker, keep, images)
        else:
            worker.stage = "ready"

    def free(self, elsewhere: Iterable[str]) -> Worker | None:
        """A ready worker without work; one at none of these places, if there are ready ones."""
        places = set(elsewhere)
        ready = [worker for worker in self if worker.stage == "ready"]
        others = [worker for worker in ready if worker.place not in places] or ready
        return next((one for one in others if one.request is None and not one.paused), None)
