"""A running Dask cluster: its address and certificates, and its workers once they are joined."""

import contextlib
import ipaddress
import logging
import os
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Any

from nas.workers.pool import Pool
from nas.workers.preparation import Package, Supply, evaluate_kept
from nas.workers.protocol import ClusterError

if TYPE_CHECKING:
    import distributed

CONNECT_SECONDS = 10.0
AT_ONCE_SECONDS = 3.0
SCHEMES = ("tls", "tcp")


@dataclass(frozen=True)
class Address:
    """Where a cluster's scheduler listens, and the files that prove who asks.

    ``insecure`` allows what anyone on the network can read and change. ValueError on an address
    that isn't one, on certificates that are missing, and on others than TLS beyond this machine.
    """

    url: str
    ca: Path | None = None
    certificate: Path | None = None
    key: Path | None = None
    insecure: bool = False

    def __post_init__(self) -> None:
        scheme, separator, rest = self.url.partition("://")
        host, colon, port = rest.rpartition(":")
        port_is_one = port.isdigit() and 0 < int(port) < 65536
        if scheme not in SCHEMES or not separator or not host or not colon or not port_is_one:
            raise ValueError(
                f"cluster is {self.url!r}; it must be tls://HOST:PORT or tcp://HOST:PORT, as "
                "`dask scheduler` prints it"
            )
        files = {"--tls-ca": self.ca, "--tls-cert": self.certificate, "--tls-key": self.key}
        missing = [option for option, path in files.items() if path is None]
        if scheme == "tls" and missing:
            raise ValueError(f"cluster is {self.url!r}; give {', '.join(missing)} with it")
        if scheme == "tcp" and len(missing) < len(files):
            raise ValueError(
                f"cluster is {self.url!r}, for which certificates mean nothing; give tls://, or "
                "leave them out"
            )
        for option, path in files.items():
            if path is not None and not os.access(path, os.R_OK):
                raise ValueError(f"{option} is {str(path)!r}; there is no such file to read")
        if scheme == "tcp" and not loopback(host) and not self.insecure:
            raise ValueError(
                f"cluster is {self.url!r}: whoever reaches that network could run code on your "
                "machines; use tls:// with certificates, or say --insecure"
            )

    def security(self) -> "distributed.Security | None":
        """What Dask encrypts with, and refuses others by. ValueError where the files are bad."""
        if self.ca is None:
            return None
        from distributed.security import Security

        security = Security(
            tls_ca_file=str(self.ca),
            tls_client_cert=str(self.certificate),
            tls_client_key=str(self.key),
            require_encryption=True,
        )
        try:
            security.get_connection_args("client")
        except OSError as error:  # ssl.SSLError among them
            raise ValueError(
                f"the certificates {self.ca}, {self.certificate} and {self.key} don't go together "
                f"or aren't PEM files: {error}"
            ) from error
        return security


def loopback(host: str) -> bool:
    """Whether a host is this machine, whatever a name server says."""
    try:
        return ipaddress.ip_address(host.strip("[]")).is_loopback
    except ValueError:
        return host == "localhost"


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
