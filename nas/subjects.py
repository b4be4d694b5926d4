"""What a command was pointed to: a network of the catalog, a trial of a study, or a JSON file."""

import json
import os
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

from nas.defaults import CLASSES
from nas.settings import MOST_CLASSES, Settings
from nas.text import read_text
from search_space.architecture import Architecture, Candidate
from search_space.catalog import CATALOG, Expand, entry
from search_space.checks import check_range
from search_space.expand import expand
from search_space.graph import Sequence as Graph
from search_space.graph import Shape
from search_space.shapes import AtResolution, check_runs

if TYPE_CHECKING:
    from studies.results import Result, Results
    from studies.store import Store
    from studies.trials import Trial

RESOLUTIONS = (1, 1024)
MOST_CHANNELS = 1024
SMALL: Shape = (1, 28, 28)
BEST = "best"
NO_LIMITS: Mapping[str, int] = {}


@dataclass(frozen=True)
class Subject:
    """A network by name. ``image`` and ``classes`` are what it is for.

    Of a trial ``trial`` is what is stored of it, and ``settings`` are its study's; ``catalog`` is
    the name of a network of the catalog there, whatever it is called.
    """

    name: str
    candidate: Candidate | None
    expand: Expand
    image: Shape
    trial: "Trial | None" = None
    settings: Settings | None = None
    classes: int = CLASSES
    catalog: str = ""


@dataclass(frozen=True)
class View:
    """The images and the number of classes at which networks are looked at."""

    shape: Shape
    classes: int

    def at(self, subject: Subject) -> AtResolution:
        """The subject's layer graph as a function of the resolution."""
        return lambda resolution: subject.expand(resolution, self.shape[0], self.classes)

    def graph(self, subject: Subject) -> Graph:
        """The subject's layer graph; ValueError where it can't run on such images."""
        check_runs(self.at(subject), subject.name, self.shape)
        return subject.expand(self.shape[1], self.shape[0], self.classes)


def view(
    subjects: Sequence[Subject],
    resolution: int | None,
    channels: int | None,
    classes: int | None = None,
) -> View:
    """The subjects' images: as asked, else as their trials' study's, else what they are for.

    Of several, the largest image is taken, and the most classes.
    """
    trials = [subject for subject in subjects if subject.trial is not None]
    image = max((subject.image for subject in trials or subjects), key=lambda shape: shape[1])
    if classes is None:
        classes = max(subject.classes for subject in trials or subjects)
    check_range("resolution", image[1] if resolution is None else resolution, *RESOLUTIONS)
    check_range("channels", image[0] if channels is None else channels, 1, MOST_CHANNELS)
    check_range("classes", classes, 1, MOST_CLASSES)
    side = image[1] if resolution is None else resolution
    return View((image[0] if channels is None else channels, side, side), classes)


def views(
    subjects: Sequence[Subject],
    resolution: int | None,
    channels: int | None,
    classes: int | None = None,
) -> list[View]:
    """The images at which each of several is looked at.

    Where a trial is among them, or a resolution is asked for, they are the same for all; else each
    one's are those that it is for.
    """
    if resolution is not None or any(subject.trial is not None for subject in subjects):
        return [view(subjects, resolution, channels, classes)] * len(subjects)
    return [view([subject], resolution, channels, classes) for subject in subjects]


def find_subject(
    text: str, study: str, storage: str, within: Mapping[str, int] = NO_LIMITS
) -> Subject:
    """The network that ``text`` means: a name of the catalog, a trial's number, or a file.

    ``best`` is the study's most accurate network ``within`` limits of its costs, by their names,
    as far as its accuracy is known (`studies.interval`). ValueError that lists the catalog on
    anything else.
    """
    if text in CATALOG:
        return catalog_subject(text)
    from studies.store import open_store

    if text.isdecimal():
        return trial_subject(open_store(storage), study, int(text))
    if text == BEST:
        from studies.results import load_results

        store = open_store(storage)
        return trial_subject(store, study, best_of(load_results(store, study), within).number)
    if text.endswith(".json") or os.path.exists(text):
        return _file_subject(Path(text))
    try:
        return catalog_subject(text)
    except ValueError as error:
        raise ValueError(f"{error}; or give a trial's number, {BEST!r} or a JSON file") from None


def best_of(results: "Results", within: Mapping[str, int]) -> "Result":
    """A study's most accurate network ``within`` limits of its costs, by their names.

    As far as its accuracy is known (`studies.interval`). ValueError where there is none.
    """
    from studies.best import most_accurate
    from studies.interval import Estimates

    study = results.study
    if results.place("accuracy") is None:
        raise ValueError(f"study {study!r} has no accuracy to be best in; give a trial's number")
    if not results.completed:
        raise ValueError(f"study {study!r} has no completed trial yet; run it first")
    found = most_accurate(results, Estimates(results), within)
    if found is None:
        limits = " and ".join(f"{most:,} {name}" for name, most in within.items())
        raise ValueError(
            f"study {study!r} has no completed trial of at most {limits}; raise the limit, or "
            "search with it: nas run takes the same options"
        )
    return found


def catalog_subject(name: str) -> Subject:
    """The network of that name in the catalog."""
    known = entry(name)
    return Subject(name, known.candidate, known.graph, known.image, catalog=name)


def trial_subject(store: "Store", study: str, number: int) -> Subject:
    """The candidate of a trial, and its study's images."""
    from studies.results import trial_of

    found = trial_of(store, study, number)
    settings = Settings.from_json(store.study(study)["settings"])
    if not found.key:
        raise ValueError(f"trial {number} of study {study!r} has no candidate yet; run it first")
    candidate = Candidate.from_json(store.candidate(found.key))
    subject = _subject(f"trial {number}", candidate, settings.image)
    return replace(subject, trial=found, settings=settings, classes=settings.classes)


def candidate_subject(candidate: Candidate) -> Subject:
    """A candidate of one's own, called by its key, for small gray images."""
    return _subject(candidate.key, candidate, SMALL)


def _subject(name: str, candidate: Candidate, image: Shape) -> Subject:
    def graph(_resolution: int, channels: int, classes: int) -> Graph:
        return expand(candidate.architecture, channels, classes)

    return Subject(name, candidate, graph, image)


def _file_subject(path: Path) -> Subject:
    """A candidate's or an architecture's JSON, alone or as `nas show --json` prints it."""
    text = read_text(path, "network")
    try:
        data = json.loads(text)
    except (ValueError, RecursionError) as error:
        raise ValueError(f"{path} is not JSON: {error}") from None
    try:
        return replace(_subject(str(path), _candidate(data), _image(data)), classes=_classes(data))
    except (ValueError, RecursionError) as error:
        raise ValueError(f"{path}: {error}") from None


def _image(data: Any) -> Shape:
    """The image that `nas show --json` was asked about, where the file is its output."""
    if not isinstance(data, Mapping) or "candidate" not in data:
        return SMALL
    channels, side = data.get("channels", SMALL[0]), data.get("resolution", SMALL[1])
    check_range("channels", channels, 1, MOST_CHANNELS)
    check_range("resolution", side, *RESOLUTIONS)
    return channels, side, side


def _classes(data: Any) -> int:
    """The number of classes that `nas show --json` was asked about, where it is its output."""
    if not isinstance(data, Mapping) or "candidate" not in data:
        return CLASSES
    classes: int = data.get("classes", CLASSES)
    check_range("classes", classes, 1, MOST_CLASSES)
    return classes


def _candidate(data: Any) -> Candidate:
    if isinstance(data, Mapping) and "candidate" in data:
        if data["candidate"] is None:
            raise ValueError("its network is a layer graph only, which has no candidate")
        return Candidate.from_json(data["candidate"])
    if isinstance(data, Mapping) and "stem" in data:
        return Candidate(Architecture.from_json(data))
    return Candidate.from_json(data)
