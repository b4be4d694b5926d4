"""Where the four raw files of Fashion-MNIST come from: a directory, the cache, or one of SOURCES.

Whatever the source, a file counts only if its uncompressed content has the digest in FILES.
Torch is never imported in this process.
"""

import gzip
import hashlib
import os
import shutil
import signal
import subprocess
import sys
import tempfile
import uuid
import zlib
from collections.abc import Callable
from pathlib import Path

import platformdirs

FILES: dict[str, str] = {
    "train-images-idx3-ubyte": "c59f468a2f672dc815687fe0f83887768d799fd8a3f3276145d20f83aa44d888",
    "train-labels-idx1-ubyte": "bad3541b69d912435c50bb6ba87bec294ff4f6a2e1246121d8633921760443d9",
    "t10k-images-idx3-ubyte": "5b4141f0afbad91edebe8549f8fcffe087ea10ca49f1dbef5c9a5cd8815ce37b",
    "t10k-labels-idx1-ubyte": "0402a96d92fd2663957122ceb108a494c5af83dab82d92729df917d7dec38c34",
}
"""Name of each file -> SHA-256 of its uncompressed content."""

CACHE_VARIABLE = "INCEPTION_NAS_CACHE"
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


class DataError(ValueError):
    """Data files that are missing, altered or malformed, or that cannot be fetched or kept."""


def find(data_dir: Path | None = None) -> Path:
    """Return a directory that holds the four files, uncompressed and verified: the cache.

    With `data_dir` the files are taken from there and from nowhere else. Without it, the first
    of the cache and SOURCES that has all four wins. A cache with a wrong file is filled anew.
    Any number of processes may call this at once.

    Raises DataError if `data_dir` lacks a file or holds a wrong one, if no source has them all
    (the message has the failure of each), or if the cache can't be written.
    """
    cache = cache_directory()
    if data_dir is not None:
        try:
            contents = read(data_dir)
        except DataError as error:
            raise DataError(
                f"--data-dir: {error}. Put the original files there, "
                "or leave out --data-dir to have them fetched"
            ) from error
        return _enter(cache, contents)
    try:
        read(cache)
        return cache
    except DataError as error:
        failures = [f"the cache: {error}"]
    _write(cache, ".probe", b"", keep=False)  # rather fail now than after a download
    for name, source in SOURCES.items():
        try:
            with tempfile.TemporaryDirectory(prefix="inception-nas-") as scratch:
                contents = read(source(Path(scratch)))
        except (DataError, OSError) as error:
            failures.append(f"{name}: {error}")
        else:
            return _enter(cache, contents)
    raise DataError(
        "no source has Fashion-MNIST:\n  "
        + "\n  ".join(failures)
        + f"\nFetch {', '.join(FILES)} by hand (.gz will do) and name their directory by --data-dir"
    )


def cache_directory() -> Path:
    """Return where the uncompressed files are kept; it need not exist.

    The environment variable INCEPTION_NAS_CACHE replaces the user's own cache directory.
    """
    override = os.environ.get(CACHE_VARIABLE)
    root = Path(override) if override else platformdirs.user_cache_path("inception-nas")
    return root.absolute() / "fashion-mnist"


def read(directory: Path) -> dict[str, bytes]:
    """Return name -> uncompressed content of the four files in a directory, all verified.

    Each file may be gzipped (`.gz`), and may lie in `FashionMNIST/raw/`, as torchvision keeps
    it. The first that is there counts, even if it is wrong and a good one lies beside it.

    Raises DataError that names every missing or wrong file with its digests.
    """
    if not directory.is_dir():
        raise DataError(f"there is no directory {directory}")
    contents, problems = {}, []
    for name, expected in FILES.items():
        places = [
            place / (name + suffix)
            for place in (directory, directory / "FashionMNIST" / "raw")
            for suffix in ("", ".gz")
        ]
        try:
            path = next((path for path in places if path.exists()), None)
            if path is None:
                problems.append(f"{directory / name} is missing (expected SHA-256 {expected})")
                continue
            content = _gunzip(path) if path.suffix == ".gz" else path.read_bytes()
        except OSError as error:
            problems.append(f"{directory / name} can't be read: {error.strerror or error}")
            continue
        found = hashlib.sha256(content).hexdigest()
        if found == expected:
            contents[name] = content
        else:
            problems.append(
                f"{path} is altered or truncated: expected SHA-256 {expected}, "
                f"found {found} in {len(content)} bytes"
            )
    if problems:
        raise DataError("; ".join(problems))
    return contents


def _gunzip(path: Path) -> bytes:
    """Return what can be unpacked of a gzip file; the digest judges whether that is all of it."""
    content = bytearray()
    with gzip.open(path) as file:
        try:
            while chunk := file.read(1 << 20):
                content += chunk
        except (EOFError, zlib.error, gzip.BadGzipFile):
            pass
    return bytes(content)


def _enter(cache: Path, contents: dict[str, bytes]) -> Path:
    """Put verified contents into the cache, and return it; a file already there is left alone.

    Raises DataError if the cache can't be written.
    """
    for name, content in contents.items():
        try:
            if (cache / name).read_bytes() == content:
                continue
        except OSError:
            pass  # absent or unreadable: replaced like a wrong one
        _write(cache, name, content)
    return cache


def _write(cache: Path, name: str, content: bytes, keep: bool = True) -> None:
    """Write a file so that readers see its old content or all of the new, never a part.

    With `keep` false nothing stays: it shows that the cache can be written.
    Raises DataError if it can't.
    """
    temporary = cache / f".{name}.{uuid.uuid4().hex}"
    try:
        cache.mkdir(parents=True, exist_ok=True)
        try:
            # not tempfile: its files are the owner's alone, and a cache may be shared
            with temporary.open("xb") as file:
                file.write(content)
                file.flush()
                os.fsync(file.fileno())
            if keep:
                temporary.replace(cache / name)
        finally:
            temporary.unlink(missing_ok=True)
    except OSError as error:
        raise DataError(
            f"can't write the cache {cache}: {error.strerror or error}. "
            f"Set {CACHE_VARIABLE} to a writable directory with 60 MB free"
        ) from error


def _installed(scratch: Path) -> Path:
    """Return the directory of Debian's installed package; it need not exist."""
    return INSTALLED


def _torchvision(scratch: Path) -> Path:
    """Download by torchvision, which keeps the files in `FashionMNIST/raw/`.

    In a process of its own: torchvision sets no time-out on its connections, and prints.
    Raises DataError if it fails.
    """
    code = "import sys, torchvision; torchvision.datasets.FashionMNIST(sys.argv[1], download=True)"
    _run("torchvision", [sys.executable, "-c", code, str(scratch)], scratch)
    return scratch


def _apt(scratch: Path) -> Path:
    """Fetch Debian's package with `apt-get download` and private lists, and unpack it.

    Needs no root, and changes nothing outside of `scratch` (about 100 MB).
    Raises DataError if a command is absent, fails or takes too long.
    """
    if shutil.which("apt-get") is None:
        raise DataError("apt-get is not installed")
    (scratch / "lists" / "partial").mkdir(parents=True)
    (scratch / "cache" / "archives" / "partial").mkdir(parents=True)
    configuration = scratch / "apt.conf"
    configuration.write_text(APT_CONFIGURATION.format(scratch=scratch))
    apt = ["apt-get", "-q", "-c", str(configuration)]
    try:
        _run("apt-get update", [*apt, "update"], scratch)
        update = ""
    except DataError as error:
        update = f"; before that, {error}"  # perhaps only of some other source
    try:
        _run("apt-get download", [*apt, "download", PACKAGE], scratch)
    except DataError as error:
        raise DataError(f"{error}{update}") from error
    packages = list(scratch.glob(f"{PACKAGE}_*.deb"))
    if not packages:
        raise DataError(f"apt-get download left no package {PACKAGE}")
    _run("dpkg-deb", ["dpkg-deb", "-x", str(packages[0]), "unpacked"], scratch)
    return scratch / "unpacked" / INSTALLED.relative_to("/")


def _run(title: str, command: list[str], directory: Path) -> None:
    """Run a command in a directory without showing its output; `title` is its name in errors.

    Raises DataError with what it said if it is absent, fails, or takes over TIMEOUT seconds.
    """
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
        output, _ = process.communicate(timeout=TIMEOUT)
    except BaseException as error:
        # the whole group: a child that lives on would hold our end of the pipe open
        os.killpg(process.pid, signal.SIGKILL)
        process.communicate()
        if isinstance(error, subprocess.TimeoutExpired):
            raise DataError(f"{title} took over {TIMEOUT:g} s") from error
        raise
    if process.returncode:
        lines = [line.strip() for line in output.splitlines() if line.strip()] or ["no output"]
        reason = next((line for line in lines if line.startswith("E: ")), lines[-1])
        raise DataError(f"{title} failed: {reason}")


SOURCES: dict[str, Callable[[Path], Path]] = {
    "Debian's installed package": _installed,
    "torchvision's download": _torchvision,
    "Debian's package by apt-get": _apt,
}
"""What is tried, in this order, when the cache lacks a file.

Each takes an empty directory to work in, which is deleted once the files are read, and returns
one for `read`. It raises DataError or OSError to say why it can't.
"""
