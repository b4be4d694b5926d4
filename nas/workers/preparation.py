"""What a worker of a cluster has before its first evaluation: our versions, and the images.

`guarded`, `worker_info`, `keep` and `evaluate_kept` run on workers, which have no data set and no
state but what was sent to them.
"""

import hashlib
import json
import platform
from collections.abc import Callable, Mapping
from typing import TYPE_CHECKING, Any, NamedTuple

from nas.settings import Request
from nas.short_run.evaluation import evaluate, versions
from nas.workers.protocol import error_words
from studies.evaluation import Evaluation

if TYPE_CHECKING:
    from nas.datasets import Dataset


class Package(NamedTuple):
    """A data set for workers; ``address`` is the SHA-256 of its ``content``."""

    address: str
    content: bytes


class WorkerInfo(NamedTuple):
    """What a worker says of itself; ``kept`` are the addresses of the images that it has."""

    host: str
    versions: dict[str, str]
    kept: tuple[str, ...]


class Supply(NamedTuple):
    """What is done on workers: ``evaluate`` a request there, once they have the ``images``.

    Without images workers are of this machine, and are as they should be.
    """

    evaluate: Callable[[Request], Evaluation]
    images: Package | None = None
    resources: dict[str, float] | None = None


class Raised(NamedTuple):
    """What a task raised, in words: the name of its type, and all of it in one line."""

    name: str
    words: str


class NotKeptError(RuntimeError):
    """A worker was asked for an evaluation and hasn't its images any more."""


ABOUT = "dataset"
"""Under which what is no tensor is in the metadata of a package."""

MOST_KEPT = 3
"""Data sets that a worker keeps, of drivers who share it."""

_kept: "dict[str, Dataset]" = {}


def package(dataset: "Dataset") -> Package:
    """The images of a search as they are sent: at their resolution, without those of the test.

    Equal data sets give equal bytes in every process: a pickled tensor has its place in memory.
    """
    from safetensors.torch import save

    parts = {"train": dataset.train, "validation": dataset.validation}
    tensors = {}
    for name, images in parts.items():
        one_plane = images.pixels.stride(1) == 0  # gray, seen several times
        pixels = images.pixels[:, :1] if one_plane else images.pixels
        tensors[f"{name}.pixels"] = pixels.contiguous()
        tensors[f"{name}.labels"] = images.labels.contiguous()
    about = {
        "classes": dataset.classes,
        "mean": dataset.mean,
        "std": dataset.std,
        "digest": dataset.digest,
        "channels": dataset.train.pixels.shape[1],
    }
    content = save(tensors, {ABOUT: json.dumps(about)})
    return Package(hashlib.sha256(content).hexdigest(), content)


def unpacked(content: bytes) -> "Dataset":
    """What ``package`` packed."""
    from safetensors.torch import load

    from nas.datasets import Dataset, Images

    size = int.from_bytes(content[:8], "little")
    about = json.loads(json.loads(content[8 : 8 + size])["__metadata__"][ABOUT])
    tensors = load(content)
    train, validation = (
        Images(
            tensors[f"{name}.pixels"].expand(-1, about["channels"], -1, -1),
            tensors[f"{name}.labels"],
        )
        for name in ("train", "validation")
    )
    return Dataset(
        train,
        validation,
        tuple(about["classes"]),
        tuple(about["mean"]),
        tuple(about["std"]),
        about["digest"],
    )


def guarded(task: Callable[..., Any], *given: object) -> Any:
    """What ``task`` returns, or Raised: over some tracebacks Dask's client goes silent."""
    try:
        return task(*given)
    except Exception as error:
        return Raised(type(error).__name__, error_words(error, error.__traceback__))


def worker_info() -> WorkerInfo:
    """This worker's host, its versions, and the images that it holds."""
    return WorkerInfo(platform.node(), versions(), tuple(_kept))


def keep(sent: Package) -> None:
    """Keep images, beside a few earlier ones. ValueError if they have changed on their way."""
    if hashlib.sha256(sent.content).hexdigest() != sent.address:
        raise ValueError(f"images {sent.address[:16]} arrived damaged")
    while len(_kept) >= MOST_KEPT:
        del _kept[next(iter(_kept))]
    _kept[sent.address] = unpacked(sent.content)


def evaluate_kept(address: str, request: Request) -> Evaluation:
    """`evaluate` on the images of that address. NotKeptError if they aren't here."""
    if address not in _kept:
        raise NotKeptError(f"images {address[:16]} are not on {platform.node()}")
    _kept[address] = _kept.pop(address)  # the last that was used is the last to go
    return evaluate(request, _kept[address])


def differing(worker: WorkerInfo) -> list[str]:
    """One 'torch is 2.6.0, the driver has 2.14.1' for every version that isn't the driver's."""
    return [
        f"{name} is {worker.versions.get(name, 'missing')}, the driver has {own}"
        for name, own in versions().items()
        if worker.versions.get(name) != own
    ]


def lacking(supply: Supply, worker: Mapping[str, Any]) -> str:
    """Why a worker, as its scheduler describes it, can't be used; empty if it can.

    On two threads two evaluations could share torch's random state, and spoil each other.
    """
    if worker["nthreads"] != 1:
        return f"has {worker['nthreads']} threads; start it with --nthreads 1"
    for name, amount in (supply.resources or {}).items():
        if (has := worker["resources"].get(name, 0)) < amount:
            return (
                f"has {name}={has:g} and a trial takes {amount:g}; start it with "
                f"--resources {name}={amount:g}"
            )
    return ""
