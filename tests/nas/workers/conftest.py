"""A Dask cluster as others run it: scheduler and workers as processes of their own, over TLS."""

import contextlib
import json
import os
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, TypeVar

import pytest
from distributed.security import Security

from nas.workers.place import Address

PATIENCE = 60.0

T = TypeVar("T")


@dataclass
class Certificates:
    """An authority, a certificate and its key, as PEM files in a directory."""

    directory: Path

    def __post_init__(self) -> None:
        self.directory.mkdir()
        made = Security.temporary()
        for name in ("tls_ca_file", "tls_client_cert", "tls_client_key"):
            (self.directory / name).write_text(getattr(made, name))

    def options(self) -> list[str]:
        """For `dask scheduler` and `dask worker`."""
        names = {"--tls-ca-file": "tls_ca_file", "--tls-cert": "tls_client_cert"}
        names["--tls-key"] = "tls_client_key"
        return [part for name, file in names.items() for part in (name, str(self.directory / file))]

    def address(self, url: str) -> Address:
        """For our own client."""
        files = ("tls_ca_file", "tls_client_cert", "tls_client_key")
        return Address(url, *(self.directory / file for file in files))


@dataclass
class Cluster:
    """A scheduler on a port of its own, and workers, as processes with their output in files."""

    directory: Path
    certificates: Certificates
    url: str = ""
    scheduler: "subprocess.Popen[bytes] | None" = None
    workers: "list[subprocess.Popen[bytes]]" = field(default_factory=list)

    @property
    def address(self) -> Address:
        return self.certificates.address(self.url)

    def dask(self, *command: str, prefix: tuple[str, ...] = ()) -> "subprocess.Popen[bytes]":
        number = len(list(self.directory.glob("*.log")))
        # A worker finds no images but those that it is sent.
        environment = os.environ | {"INCEPTION_NAS_CACHE": str(self.directory / "none")}
        with (self.directory / f"{number}.log").open("wb") as log:
            return subprocess.Popen(
                [*prefix, sys.executable, "-m", "dask", *command],
                cwd=self.directory,
                stdout=log,
                stderr=log,
                env=environment,
                start_new_session=True,
            )

    def start(self, host: str = "127.0.0.1", port: int = 0, prefix: tuple[str, ...] = ()) -> None:
        """Start the scheduler, and wait until it listens."""
        file = self.directory / "scheduler.json"
        file.unlink(missing_ok=True)
        command = ["scheduler", "--host", f"tls://{host}", "--port", str(port), "--no-dashboard"]
        command += ["--scheduler-file", str(file), *self.certificates.options()]
        self.scheduler = self.dask(*command, prefix=prefix)
        self.url = json.loads(wait_for(lambda: file.exists() and file.read_text()))["address"]

    def work(self, *options: str, prefix: tuple[str, ...] = ()) -> "subprocess.Popen[bytes]":
        """Start a worker with a nanny."""
        command = ["worker", self.url, "--no-dashboard", *options]
        command += [] if "--nthreads" in options else ["--nthreads", "1"]
        process = self.dask(*command, *self.certificates.options(), prefix=prefix)
        self.workers.append(process)
        return process

    def log(self) -> str:
        """What all processes wrote."""
        return "\n".join(path.read_text() for path in sorted(self.directory.glob("*.log")))

    def stop(self) -> None:
        """Kill everything."""
        for process in filter(None, (self.scheduler, *self.workers)):
            kill_group(process)


def kill_group(process: "subprocess.Popen[bytes]") -> None:
    """Kill a process and all that it started."""
    with contextlib.suppress(ProcessLookupError):
        os.killpg(process.pid, signal.SIGKILL)
    process.wait()


def wait_for(ask: Callable[[], T], seconds: float = PATIENCE) -> T:
    """What ``ask`` answers once that is true."""
    until = time.monotonic() + seconds
    while not (answer := ask()):
        assert time.monotonic() < until, "it never came true"
        time.sleep(0.05)
    return answer


@contextlib.contextmanager
def started(directory: Path) -> Iterator[Cluster]:
    cluster = Cluster(directory, Certificates(directory / "tls"))
    try:
        cluster.start()
        yield cluster
    finally:
        cluster.stop()


@pytest.fixture
def cluster(tmp_path: Path) -> Iterator[Cluster]:
    """A scheduler without workers."""
    directory = tmp_path / "cluster"
    directory.mkdir()
    with started(directory) as cluster:
        yield cluster


@pytest.fixture(scope="session")
def working(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Cluster]:
    """A scheduler and one worker, for tests that leave both as they are."""
    with started(tmp_path_factory.mktemp("working")) as cluster:
        cluster.work()
        yield cluster


@pytest.fixture
def certificates(tmp_path: Path) -> Callable[[str], Certificates]:
    """Makes a set of them by name, of an authority of its own."""
    return lambda name: Certificates(tmp_path / name)


@pytest.fixture
def eventually() -> Callable[..., Any]:
    """Asks until the answer is true, and gives it; fails after a while."""
    return wait_for
