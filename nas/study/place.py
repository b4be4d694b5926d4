"""Where a study is run, and until when: what a command or ``run_study`` asks for, checked."""

from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from nas.datasets.found import Found
from nas.settings import PRECISIONS, TRIALS
from search_space.checks import check_choice, check_range

if TYPE_CHECKING:
    from nas.workers.remote import Address

MAX_WORKERS = 1024
LEAST_MEMORY = 2**28
"""Bytes without which a worker could not even begin."""
CLUSTER_SECONDS = 600.0
"""How long a cluster is waited for that is away."""
MAX_FAILURES = 20
"""Evaluations in a row that may fail, unless something else is asked for."""


@dataclass(frozen=True)
class Until:
    """When a run ends: the number of trials that the study should have, and seconds from now.

    After ``seconds`` no new trial is begun; those that run, and those that an earlier run left, are
    finished. So many ``failures`` in a row end it with FailingError. ValueError where any
    can't be.
    """

    trials: int
    seconds: float | None = None
    failures: int | None = None

    def __post_init__(self) -> None:
        check_range("trials", self.trials, *TRIALS)
        if self.failures is not None:
            check_range("max failures", self.failures, 1, 10**9)
        if self.seconds is not None:
            check_range("timeout", self.seconds, 0, 1e9, integer=False)


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
    cluster: "Address | None" = None
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
