"""The directory of a full training: who trains in it, the job, the model, its card and curves."""

import contextlib
import json
import re
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from filelock import FileLock, Timeout

from nas.files import CSV, EVALUATIONS, PAGE, PNG, SVG, replace_file, suffix
from nas.full_training.job import Job, differences
from nas.model.export.formats import FORMATS

JOB, CARD = "training.json", "card.json"
WORDS, CURVES = "card.md", "curves.html"
LOCK = ".lock"
CHECKPOINT = "last.ckpt"
TEMPORARY = re.compile(r"\.[\w.]+\.[0-9a-f]{32}$")
"""A file that `replace_file` had not finished as its process was killed."""

OF_FILES = {
    *(end for known in FORMATS.values() for end in known.suffixes),
    *(end for kind in (CSV, EVALUATIONS, PAGE, PNG, SVG) for end in kind.suffixes),
    *(".safetensors", ".ckpt", ".json", ".toml", ".db", ".zip"),
}
"""Suffixes of files, which no directory of a training gets."""

CARD_KEYS = {"name", "job", "test", "validation", "params", "flops", "seconds"}
"""Without which a card can't be shown."""


def check_place(directory: Path) -> None:
    """ValueError unless a training may be begun or gone on with in ``directory``."""
    if directory.exists() and not directory.is_dir():
        raise ValueError(f"out {directory} is a file; give a directory, new or of a training")
    if not directory.exists():
        if suffix(directory) in OF_FILES:
            raise ValueError(
                f"out {directory} is a file's name, but a training is kept in a directory; "
                f"give {directory.with_suffix('')}"
            )
        above = next(parent for parent in directory.absolute().parents if parent.exists())
        if not above.is_dir():
            raise ValueError(f"out {directory} can't be made: {above} is a file")
        return
    if (directory / JOB).exists():
        return
    others = [p.name for p in directory.iterdir() if p.name != LOCK and not TEMPORARY.match(p.name)]
    if others:
        raise ValueError(
            f"out {directory} is not empty ({min(others)} is there) and is of no training; "
            "give another directory"
        )


@contextlib.contextmanager
def claimed(directory: Path) -> Iterator[None]:
    """The directory, made where it isn't there, is this process's until the end.

    ValueError where it can't be, or is another's.
    """
    try:
        directory.mkdir(parents=True, exist_ok=True)
        lock = FileLock(directory / LOCK, timeout=0)
        lock.acquire()
    except Timeout:
        raise ValueError(
            f"out {directory} is being trained in by another process; wait for it, or give another"
        ) from None
    except OSError as error:
        raise ValueError(f"out {directory} can't be written: {error.strerror or error}") from None
    try:
        for path in directory.iterdir():
            if TEMPORARY.match(path.name):
                path.unlink(missing_ok=True)
        yield
    finally:
        lock.release()


def read_job(directory: Path) -> Job | None:
    """The job that the directory is of, None where it is new; ValueError where it can't be read."""
    data = _read(directory / JOB)
    if data is None:
        return None
    try:
        return Job.from_json(data)
    except (ValueError, TypeError) as error:
        raise ValueError(
            f"{directory / JOB} describes no training: {error}; give another --out"
        ) from None


def keep_job(directory: Path, job: Job) -> None:
    """Write the job into the claimed directory; ValueError where that has got another meanwhile."""
    before = read_job(directory)
    if before is not None:
        check_same(directory, before, job)
    if before != job:  # it is new, or its images were moved
        replace_file(directory / JOB, _text(job.whole_json()))


def check_same(directory: Path, before: Job, now: Job) -> None:
    """ValueError with what differs, where the directory is of another job."""
    if differing := differences(before, now):
        raise ValueError(
            f"out {directory} is of another training ({'; '.join(differing)}); "
            "give another --out, or the same options"
        )


def read_card(directory: Path) -> dict[str, Any] | None:
    """The model card, None where the training isn't finished; ValueError where it can't be read."""
    card = _read(directory / CARD)
    if card is not None and not (isinstance(card, dict) and card.keys() >= CARD_KEYS):
        raise ValueError(f"{directory / CARD} is no model card; delete it to have it made anew")
    return card


def write_card(directory: Path, card: dict[str, Any], words: str, curves: str) -> None:
    """Keep the card, in words and as a page of curves too; the JSON last, which says finished."""
    replace_file(directory / CURVES, curves.encode("utf-8", "replace"))
    replace_file(directory / WORDS, words.encode("utf-8", "replace"))
    replace_file(directory / CARD, _text(card))


def _text(data: Any) -> bytes:
    return (json.dumps(data, indent=2) + "\n").encode()


def _read(path: Path) -> Any:
    try:
        return json.loads(path.read_text(encoding="utf-8"))
    except FileNotFoundError:
        return None
    except OSError as error:
        raise ValueError(f"{path} can't be read: {error.strerror or error}") from None
    except (ValueError, RecursionError) as error:
        raise ValueError(f"{path} is not JSON: {error}; give another --out") from None
