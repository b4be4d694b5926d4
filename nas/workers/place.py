"""Where candidates are trained: what a command or ``run_study`` asks for, checked."""

import ipaddress
import os
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from nas.datasets.found import Found
from nas.defaults import PRECISIONS
from search_space.checks import check_choice, check_range

if TYPE_CHECKING:
    import distributed

MAX_WORKERS = 1024
LEAST_MEMORY = 2**28
"""Bytes without which a worker could not even begin."""
CLUSTER_SECONDS = 600.0
"""How long a cluster is waited for that is away."""

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


@dataclass(frozen=True)
class Place:
    """Where the candidates of a run are trained, as `nas run` has it in its options.

    ``workers`` are processes of this machine, 0 is this process alone, None one a core; each may
    hold ``memory_limit`` bytes and has a share of a GPU, ``gpus_per_trial``. Else a ``cluster``,
    waited for ``cluster_timeout`` seconds where it is away; or nothing is trained, and the table
    ``replay`` answers. ``images`` are those that were found, or the directory of their original
    files. ``precision`` is auto, float32 or bf16. ValueError where these can't be together.
    """

    workers: int | None = None
    memory_limit: int | None = None
    gpus_per_trial: float | None = None
    cluster: Address | None = None
    cluster_timeout: float = CLUSTER_SECONDS
    replay: Path | None = None
    images: Found | Path | None = None
    precision: str = "auto"

    def __post_init__(self) -> None:
        check_range("workers", self.workers or 0, 0, MAX_WORKERS)
        if self.gpus_per_trial is not None:
            check_range("gpus per trial", self.gpus_per_trial, 0.01, 1, integer=False)
        if self.memory_limit is not None:
            check_range("memory limit", self.memory_limit, LEAST_MEMORY, 2**50)
        check_range("cluster timeout", self.cluster_timeout, 0, 1e9, integer=False)
        check_choice("precision", self.precision, ("auto", *PRECISIONS))
        given = {
            "--workers": self.workers,
            "--memory-limit": self.memory_limit,
            "--gpus-per-trial": self.gpus_per_trial,
            "--cluster": self.cluster,
            "--data-dir": self.images,
            "--replay": self.replay,
        }
        excluded = {
            "--cluster": ("--workers", "--memory-limit"),
            "--replay": ("--data-dir", "--cluster", "--memory-limit", "--gpus-per-trial"),
        }
        for option, others in excluded.items():
            for other in others:
                check_apart(option, given[option], other, given[other])
        for option in ("--memory-limit", "--gpus-per-trial"):
            if self.workers == 0 and given[option] is not None:
                raise ValueError(f"{option} is of workers, and --workers 0 has none; leave one out")


def check_apart(option: str, value: object, other: str, its: object) -> None:
    """ValueError where both of two options are given."""
    if value is not None and its is not None:
        raise ValueError(f"{option} and {other} exclude each other; give one of them")
