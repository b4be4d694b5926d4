"""Evaluations as a text file: what a database has measured, as JSON lines that merge and read back.

The first line names the format, the space, and the settings that evaluations were made with; every
other line is a candidate with its evaluations, each ``[setting, budget, seed, accuracy, loss,
seconds]``. So a recording can be kept under version control while it grows.
"""

import hashlib
import json
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, NamedTuple

import sqlalchemy as sa
from filelock import FileLock

from studies.evaluation import REPLAYED, Evaluation, is_plain, recipe_of
from studies.files import write_whole
from studies.schema import CANDIDATES, EVALUATIONS
from studies.store import Store

FORMAT = "nas evaluations 1"


class TableError(ValueError):
    """A file is no table of evaluations, or holds something else than what is wanted."""


class Setting(NamedTuple):
    """What an evaluation depends on beside candidate, budget and seed; the recipe as JSON."""

    recipe: str
    resolution: int
    channels: int
    data: str

    @classmethod
    def of(cls, recipe: Mapping[str, Any], resolution: int, channels: int, data: str) -> "Setting":
        return cls(json.dumps(dict(recipe), sort_keys=True), resolution, channels, data)


class Data(NamedTuple):
    """Images as they were read: their digest, their extent in pixels, their channels."""

    data: str
    resolution: int
    channels: int


class Run(NamedTuple):
    """What identifies an evaluation; ``budget`` counts training images."""

    key: str
    setting: Setting
    budget: int
    seed: int


class Outcome(NamedTuple):
    """Validation accuracy (0..1) and loss, None if the run diverged; seconds, None if not known."""

    accuracy: float | None
    loss: float | None
    seconds: float | None


@dataclass
class Table:
    """The evaluations of one space: candidates as JSON by key, outcomes by run.

    ``references`` are the classifiers that networks are measured against, as JSON, where known.
    """

    space: Mapping[str, Any]
    candidates: dict[str, dict[str, Any]] = field(default_factory=dict)
    outcomes: dict[Run, Outcome] = field(default_factory=dict)
    references: dict[Data, dict[str, Any]] = field(default_factory=dict)

    def add(self, store: Store, timed: bool = True) -> int:
        """Take over a database's evaluations; what is here stays. How many were new.

        Without ``timed`` their seconds are left out, as those of a busy machine should be.
        TableError if the database has studies of another space.
        """
        for space in spaces(store):
            if space != self.space:
                raise TableError(
                    f"storage {store.shown} has studies of another space than the table; "
                    "export it to a file of its own"
                )
        before = len(self.outcomes)
        for name in store.study_names():
            settings = store.study(name)["settings"]
            if (reference := settings.get("reference")) and is_plain(recipe_of(settings)):
                images = Data(settings["data"], settings["resolution"], settings["channels"])
                if not images.data.startswith(REPLAYED):
                    self.references[images] = dict(reference)
        with store.transaction() as connection:
            for known in connection.execute(sa.select(CANDIDATES.c.key, CANDIDATES.c.candidate)):
                self.candidates[known.key] = dict(known.candidate)
            for row in connection.execute(sa.select(EVALUATIONS)):
                if row.data.startswith(REPLAYED):
                    continue
                setting = Setting.of(row.recipe, row.resolution, row.channels, row.data)
                run = Run(row.key, setting, row.budget, row.seed)
                found = Evaluation.from_row(dict(row._mapping))
                seconds = found.seconds if timed else None
                there = self.outcomes.setdefault(run, Outcome(found.accuracy, found.loss, seconds))
                if there.seconds is None:
                    self.outcomes[run] = there._replace(seconds=seconds)
        return len(self.outcomes) - before

    def write(self, path: Path) -> None:
        """Into a file, sorted, so that equal tables are equal files."""
        settings = sorted({run.setting for run in self.outcomes})
        head: dict[str, Any] = {
            "format": FORMAT,
            "space": dict(self.space),
            "settings": [s._asdict() | {"recipe": json.loads(s.recipe)} for s in settings],
        }
        if self.references:
            known = sorted(self.references.items())
            head["references"] = [images._asdict() | found for images, found in known]
        of_key: dict[str, list[list[Any]]] = {}
        for run in sorted(self.outcomes):
            row = [settings.index(run.setting), run.budget, run.seed, *self.outcomes[run]]
            of_key.setdefault(run.key, []).append(row)
        lines = [head]
        for key, rows in of_key.items():
            lines.append({"key": key, "candidate": self.candidates[key], "evaluations": rows})
        text = "".join(json.dumps(line, separators=(",", ":")) + "\n" for line in lines)
        try:
            write_whole(path, text.encode())
        except OSError as error:
            raise TableError(f"table {path} can't be written: {error.strerror}") from None


def digest(outcomes: Mapping[Run, Outcome], *parts: str) -> str:
    """16 hexadecimal digits of evaluations, and of whatever else it should tell apart."""
    rows = sorted((run, tuple(outcome)) for run, outcome in outcomes.items())
    return hashlib.sha256(repr((rows, parts)).encode()).hexdigest()[:16]


def export_table(store: Store, path: Path, timed: bool = True) -> tuple[Table, int]:
    """Add a database's evaluations to the table in a file, which need not be there yet.

    The table, and how many evaluations were new. One process at a time, others wait. TableError
    where the file is something else, or the studies are of different spaces.
    """
    path = path.resolve()
    lock = FileLock(path.with_name(f".{path.name}.lock"))
    try:
        lock.acquire()
    except OSError as error:
        raise TableError(f"table {path} can't be written: {error.strerror}") from None
    try:
        return _added(store, path, timed)
    finally:
        lock.release()


def _added(store: Store, path: Path, timed: bool) -> tuple[Table, int]:
    if path.exists():
        table = read_table(path)
    else:
        found = spaces(store)
        if len(found) != 1:
            raise TableError(
                f"storage {store.shown} has studies of {len(found)} spaces, and a table is of one; "
                "export to a table that is there already"
            )
        table = Table(found[0])
    new = table.add(store, timed)
    table.write(path)
    return table, new


def spaces(store: Store) -> list[Mapping[str, Any]]:
    """The spaces of a database's studies, each once."""
    found: list[Mapping[str, Any]] = []
    for name in store.study_names():
        space = store.study(name)["settings"]["space"]
        if space not in found:
            found.append(space)
    return found


def read_table(path: Path) -> Table:
    """The table in a file; TableError that names the line where it isn't one."""
    try:
        content = path.read_bytes()
        # UTF-8, UTF-16 or UTF-32, with a byte-order mark or without
        lines = content.decode(json.detect_encoding(content)).splitlines()
    except (OSError, UnicodeDecodeError) as error:
        reason = error.strerror if isinstance(error, OSError) else "it is not a text file"
        raise TableError(f"{path} can't be read: {reason}") from None
    entries = _entries(path, lines)
    head = next(entries, (1, {}))[1]
    if head.get("format") != FORMAT:
        raise TableError(
            f"{path} is not a table of evaluations; `nas studies --export FILE` writes one"
        )
    try:
        settings = [Setting.of(**setting) for setting in head["settings"]]
        table = Table(dict(head["space"]))
        for found in head.get("references", ()):
            images = Data(*(found.pop(name) for name in Data._fields))
            table.references[images] = found
    except (KeyError, TypeError, ValueError):
        raise TableError(f"{path} line 1 lacks its space or settings; export it again") from None
    for number, entry in entries:
        try:
            key = entry["key"]
            table.candidates[key] = dict(entry["candidate"])
            for setting, budget, seed, *outcome in entry["evaluations"]:
                run = Run(key, settings[setting], int(budget), int(seed))
                table.outcomes[run] = _outcome(*outcome)
        except (KeyError, TypeError, ValueError, IndexError):
            raise TableError(
                f"{path} line {number} is not a candidate with its evaluations; export it again"
            ) from None
    return table


def _entries(path: Path, lines: list[str]) -> Iterator[tuple[int, dict[str, Any]]]:
    for number, line in enumerate(lines, 1):
        try:
            entry = json.loads(line)
        except ValueError:
            entry = None
        if not isinstance(entry, dict):
            raise TableError(
                f"{path} line {number} is not a JSON object; a table of evaluations has one a "
                "line: `nas studies --export FILE` writes one"
            )
        yield number, entry


def _outcome(accuracy: float | None, loss: float | None, seconds: float | None) -> Outcome:
    values = [None if value is None else float(value) for value in (accuracy, loss, seconds)]
    found = Outcome(*values)
    if found.accuracy is not None and not 0 <= found.accuracy <= 1:
        raise ValueError
    if found.seconds is not None and not found.seconds > 0:
        raise ValueError
    return found
