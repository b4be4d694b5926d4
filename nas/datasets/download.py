"""Downloads by commands: torchvision in a process of its own, and Debian's package by apt-get.

Torch is never imported in this process.
"""

import contextlib
import json
import os
import shutil
import signal
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

from nas.datasets.found import DataError
from nas.datasets.sources import APT, DEBIAN, TORCHVISION, Source

PACKAGE = "dataset-fashion-mnist"
INSTALLED = Path("/usr/share/datasets/fashion-mnist")
"""Where Debian's package keeps the files, gzipped."""

TIMEOUT = 300.0
"""Seconds that one command may take: the package is 31 MB, about 250 s at 1 Mbit/s."""

APT_CONFIGURATION = """\
Dir::State::lists "{scratch}/lists/";
Dir::Cache "{scratch}/cache/";
APT::Sandbox::User "root";
APT::Update::Error-Mode "any";
Acquire::Languages "none";
Acquire::Retries "1";
Acquire::http::Timeout "20";
Acquire::https::Timeout "20";
#clear APT::Update::Pre-Invoke;
#clear APT::Update::Post-Invoke;
#clear APT::Update::Post-Invoke-Success;
"""
"""What `apt-get` needs to run without root, beside the system's own sources and keys.

Root would otherwise hand the download to the user `_apt`, who can't write in our directory;
the system's hooks on `update` are written for root, and are none of our business.
"""


def torchvision(scratch: Path, source: Source) -> Path:
    """Download a source's files by torchvision, which keeps them in its own layout.

    In a process of its own: torchvision sets no time-out on its connections, and prints. It
    compares every file that it downloads with its MD5 before it reads it.
    Raises DataError if it fails.
    """
    code = (
        "import json, sys, torchvision\n"
        "made = getattr(torchvision.datasets, sys.argv[2])\n"
        "for options in json.loads(sys.argv[3]):\n"
        "    made(sys.argv[1], download=True, **options)"
    )
    name, options = source.torchvision
    command = [sys.executable, "-c", code, str(scratch), name, json.dumps(options)]
    run("torchvision", command, scratch, source.patience)
    return scratch


def apt(scratch: Path, source: Source) -> Path:
    """Fetch Debian's package with `apt-get download` and private lists, and unpack it.

    Needs no root, and changes nothing outside of `scratch` (about 100 MB).
    Raises DataError if a command is absent, fails or takes too long.
    """
    del source  # the package has one
    if shutil.which("apt-get") is None:
        raise DataError("apt-get is not installed")
    (scratch / "lists" / "partial").mkdir(parents=True)
    (scratch / "cache" / "archives" / "partial").mkdir(parents=True)
    configuration = scratch / "apt.conf"
    configuration.write_text(APT_CONFIGURATION.format(scratch=scratch))
    apt = ["apt-get", "-q", "-c", str(configuration)]
    try:
        run("apt-get update", [*apt, "update"], scratch)
        update = ""
    except DataError as error:
        update = f"; before that, {error}"  # perhaps only of some other source
    try:
        run("apt-get download", [*apt, "download", PACKAGE], scratch)
    except DataError as error:
        raise DataError(f"{error}{update}") from error
    packages = list(scratch.glob(f"{PACKAGE}_*.deb"))
    if not packages:
        raise DataError(f"apt-get download left no package {PACKAGE}")
    run("dpkg-deb", ["dpkg-deb", "-x", str(packages[0]), "unpacked"], scratch)
    return scratch / "unpacked" / INSTALLED.relative_to("/")


def run(title: str, command: list[str], directory: Path, timeout: float | None = None) -> None:
    """Run a command in a directory without showing its output; `title` is its name in errors.

    Raises DataError with what it said if it is absent, fails, or takes over ``timeout`` seconds,
    by default TIMEOUT.
    """
    timeout = TIMEOUT if timeout is None else timeout
    try:
        process = subprocess.Popen(
            command,
            cwd=directory,
            env={**os.environ, "LC_ALL": "C"},
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
            errors="replace",
            start_new_session=True,
        )
    except OSError as error:
        raise DataError(f"can't run {command[0]}: {error.strerror or error}") from error
    try:
        output, _ = process.communicate(timeout=timeout)
    except BaseException as error:
        _kill(process.pid)
        process.communicate()
        if isinstance(error, subprocess.TimeoutExpired):
            raise DataError(f"{title} took over {timeout:g} s") from error
        raise
    if process.returncode:
        lines = [line.strip() for line in output.splitlines() if line.strip()] or ["no output"]
        reason = next((line for line in lines if line.startswith("E: ")), lines[-1])
        raise DataError(f"{title} failed: {reason}")


def _kill(pid: int) -> None:
    """Kill a process and its whole group: a child that lived on would hold our pipe's end open."""
    if hasattr(os, "killpg"):
        os.killpg(pid, signal.SIGKILL)
        return
    import psutil  # Windows has no groups

    with contextlib.suppress(psutil.Error):
        process = psutil.Process(pid)
        for one in [*process.children(recursive=True), process]:
            with contextlib.suppress(psutil.Error):
                one.kill()


ROUTES: dict[str, Callable[[Path, Source], Path]] = {
    DEBIAN: lambda scratch, source: INSTALLED,
    TORCHVISION: lambda scratch, source: torchvision(scratch, source),
    APT: lambda scratch, source: apt(scratch, source),
}
"""How files are fetched, by the name of the route.

Each takes an empty directory to work in, which is deleted once the files are read, and returns
one for `originals.read`. It raises DataError or OSError to say why it can't.
"""
