"""The workers of a running Dask cluster, once it is joined."""

import contextlib
import logging
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from functools import partial
from typing import TYPE_CHECKING, Any

from nas.workers.place import Address, Place
from nas.workers.pool import Pool
from nas.workers.preparation import Package, Supply, evaluate_kept
from nas.workers.protocol import ClusterError

if TYPE_CHECKING:
    import distributed

CONNECT_SECONDS = 10.0
AT_ONCE_SECONDS = 3.0


def connect(address: Address, loop: Any = None) -> "distributed.Client":
    """A client of that cluster, on that ``loop``. OSError, of one line, where it can't be reached.

    In a thread of its own: a port that accepts and then is silent would be waited for, for ever.
    """
    import distributed

    logging.getLogger("distributed").setLevel(logging.CRITICAL)
    security = address.security()

    def made() -> "distributed.Client":
        return distributed.Client(
            address.url,
            security=security,
            timeout=CONNECT_SECONDS,
            set_as_default=False,
            loop=loop,
        )

    apart = ThreadPoolExecutor(1)
    try:
        return apart.submit(made).result(CONNECT_SECONDS + 5)
    except OSError as error:
        words = str(error.__cause__ or error).strip() or "it doesn't answer"
        raise OSError(f"cluster {address.url} can't be reached: {words}") from error
    finally:
        apart.shutdown(wait=False)


@contextlib.contextmanager
def join(
    address: Address,
    images: Callable[[], Package],
    patience: float,
    gpus_per_trial: float | None = None,
    say: Callable[[str], None] = lambda words: None,
) -> Iterator[Pool]:
    """The workers of that cluster, which have our versions and get the images from here.

    Waits up to ``patience`` seconds for the first of them, and for a cluster that is lost later.
    ClusterError where there is none by then, or none but such as can't be used. ``say`` hears of
    those that are refused.
    """
    from distributed.utils import LoopRunner

    runner = LoopRunner(asynchronous=False)
    runner.start()
    with contextlib.ExitStack() as stack:
        stack.callback(runner.stop)
        try:
            # First, so that images are not read for a cluster that isn't there.
            first = stack.enter_context(connect(address, runner.loop))
        except OSError as error:
            raise ClusterError(f"{error}; is `dask scheduler` running there?") from error
        sent = images()
        resources = None if gpus_per_trial is None else {"GPU": gpus_per_trial}
        supply = Supply(partial(evaluate_kept, sent.address), sent, resources)
        clients = iter([first])
        pool = Pool(
            lambda: next(clients, None) or connect(address, runner.loop),
            supply,
            patience=patience,
            say=say,
        )
        stack.callback(pool.close)
        if not pool.wait(AT_ONCE_SECONDS):
            say(f"cluster {address.url}: waiting for a worker")
        if not pool.wait(patience):
            raise ClusterError(f"cluster {address.url} had no worker for {patience:.0f} s")
        yield pool


def join_at(
    place: Place, images: Callable[[], Package], say: Callable[[str], None]
) -> contextlib.AbstractContextManager[Pool]:
    """The workers of the cluster that a place names."""
    assert place.cluster is not None, "a place without a cluster has workers of this machine"
    return join(place.cluster, images, place.cluster_timeout, place.gpus_per_trial, say)


def check_joined(place: Place, images: Callable[[], Package], say: Callable[[str], None]) -> None:
    """ClusterError where that cluster has no worker to use; a warning where others may listen."""
    assert place.cluster is not None, "a place without a cluster has workers of this machine"
    if place.cluster.insecure:
        say(f"warning: whoever reaches {place.cluster.url} can read and change what goes there")
    with join_at(place, images, say):
        pass
