"""The command `nas compare-studies`: studies read and put on common axes; tables, JSON, a page."""

import contextlib
import hashlib
import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

from nas.files import write_text
from nas.objectives import OBJECTIVES
from nas.reporting.tables import Rows, page_tables
from nas.settings import Settings
from studies.axis import Axis
from studies.best import SIZES, UNITS, Best
from studies.evaluation import REPLAYED
from studies.foreign import ENDED, load_foreign
from studies.joint import Beside, common_axes, joint_front, on_axes, volume_at
from studies.results import Results, load_results
from studies.store import StoreError, open_store
from studies.text_plot import short
from studies.trials import load_trials
from studies.wording import REPLAY_WORDS, counted

SHARES = (0.1, 0.25, 0.5, 1.0)
"""Parts of what all studies have spent, at which their hypervolumes are compared."""


@dataclass(frozen=True)
class Compared:
    """Studies on common axes; ``notes`` say in what they aren't alike, in sentences."""

    studies: tuple[Beside, ...]
    notes: tuple[str, ...]

    @property
    def axes(self) -> tuple[Axis, ...]:
        """The axes that all of them are on."""
        return self.studies[0].results.axes

    def sizes(self, cost: str) -> tuple[int, ...]:
        """The sizes of a cost up to which best networks are told; none where nobody knows it."""
        costs = [
            r.costs[cost] for s in self.studies for r in s.results.completed if cost in r.costs
        ]
        below = [size for size in SIZES[cost] if size < max(costs, default=0)]
        return SIZES[cost][: len(below) + 1] if costs else ()


@dataclass(frozen=True)
class _Read:
    """A study as it is in its database; no settings: another tool's.

    ``called`` is its name, ``place`` the database as it may be shown.
    """

    called: str
    place: str
    results: Results
    seconds: Mapping[int, float]
    settings: Settings | None
    unusable: int = 0


def read(asked: Sequence[str], storage: str) -> Compared:
    """The studies, each a name, or ``name@URL`` where it isn't in ``storage``; at least two.

    One may be another tool's, if Optuna keeps it and its objectives are those of this tool.
    ValueError where they can't be compared.
    """
    if len(asked) < 2:
        raise ValueError(
            f"{counted(len(asked), 'study', 'studies')} named; give at least two, "
            "as NAME or NAME@STORAGE"
        )
    found = [_read(one, storage) for one in asked]
    if len({(one.called, one.place) for one in found}) < len(found):
        raise ValueError("a study is named twice; give each once")
    if len({one.called for one in found}) < len(found):
        found = [replace(one, called=f"{one.called}@{one.place}") for one in found]
    for one in found:
        if not one.results.completed:
            raise ValueError(f"study {one.called!r} has no completed trial yet; run it first")
    _check_alike(found)
    try:
        axes = common_axes([one.results.axes for one in found])
    except ValueError as error:
        each = "; ".join(
            f"{one.called} has {', '.join(axis.name for axis in one.results.axes)}" for one in found
        )
        raise ValueError(f"studies can't be compared, {error}: {each}") from None
    beside = tuple(
        Beside(one.called, on_axes(one.results, axes), one.seconds, one.settings is not None)
        for one in found
    )
    return Compared(beside, tuple(_notes(found)))


def _read(asked: str, storage: str) -> _Read:
    """A study by its name, before the first @ that a URL follows."""
    elsewhere = re.fullmatch(r"(.+?)@([A-Za-z][A-Za-z0-9+]*://.*)", asked, re.DOTALL)
    name, url = elsewhere.groups() if elsewhere else (asked, storage)
    with contextlib.closing(open_store(url, create=True)) as store:
        if not store.exists():
            raise StoreError(f"storage {store.shown} is not there; study {name!r} was to be in it")
        if name in store.study_names():
            settings = Settings.from_json(store.study(name)["settings"])
            results = load_results(store, name)
            ended = [trial for trial in load_trials(store, name) if trial.state in ENDED]
            seconds = {trial.number: trial.seconds for trial in ended}
            return _Read(name, store.shown, results, seconds, settings)
        known = {objective: known.axis for objective, known in OBJECTIVES.items()}
        found = load_foreign(store, name, known)
        return _Read(name, store.shown, found.results, found.seconds, None, found.unusable)


def _check_alike(found: Sequence[_Read]) -> None:
    """ValueError where accuracies are of other images, so that they say nothing of each other."""
    known = [(one.called, one.settings) for one in found if one.settings is not None]
    for what, of in (
        ("images", _images),
        ("resolution", lambda s: s.resolution),
        ("channels", lambda s: s.channels),
        ("metric", lambda s: s.metric),
    ):
        different = {of(settings) for _, settings in known}
        if len(different) > 1:
            each = ", ".join(f"{name} has {of(settings)}" for name, settings in known)
            raise ValueError(
                f"studies are of different {what}: {each}; give studies of the same ones"
            )


def _images(settings: Settings) -> str:
    """What names a study's images; replayed ones are those of their table, whichever it is."""
    return "replayed ones" if settings.data.startswith(REPLAYED) else settings.data


def _notes(found: Sequence[_Read]) -> list[str]:
    """In what the studies differ beside how they searched, in sentences."""
    notes = []
    if any(one.results.replayed for one in found):
        notes.append(REPLAY_WORDS)
    known = [(one.called, one.settings) for one in found if one.settings is not None]
    for what, of in (
        ("the last rung's images", lambda s: f"{s.budgets[-1]:,}"),
        ("the recipe's precision", lambda s: s.recipe.precision),
        ("folds", lambda s: str(s.folds or 1)),
        ("limits", lambda s: ", ".join(f"{n} {v:,g}" for n, v in s.limits().items()) or "none"),
        ("the space", lambda s: hashlib.sha256(s.space.to_toml().encode()).hexdigest()[:8]),
    ):
        if len({of(settings) for _, settings in known}) > 1:
            each = ", ".join(f"{name}: {of(settings)}" for name, settings in known)
            notes.append(f"They differ in {what} ({each}).")
    others = [one.called for one in found if one.settings is None]
    if others:
        notes.append(
            f"Another tool made {', '.join(others)}: nothing is known here of how its networks "
            "were trained, and its seconds are from a trial's start to its end, on however many "
            "cores."
        )
    notes += [
        f"{counted(one.unusable, 'completed trial')} of {one.called} left out: a value is none."
        for one in found
        if one.unusable
    ]
    return notes


def best_rows(compared: Compared, cost: str) -> list[tuple[str, ...]]:
    """The accuracy of each study's best network up to each size; a star marks a row's best."""
    rows = []
    for place, size in enumerate(compared.sizes(cost)):
        found = [one.best(cost, compared.sizes(cost))[place] for one in compared.studies]
        rows.append((short(size), *_marked(compared, found)))
    return rows


def _marked(compared: Compared, found: Sequence[Best]) -> list[str]:
    known = [best.accuracy(one.results) for best, one in zip(found, compared.studies, strict=True)]
    top = max((value for value in known if value is not None), default=None)
    cells = []
    for best, accuracy in zip(found, known, strict=True):
        if accuracy is None or best.result is None:
            cells.append("none")
            continue
        interval = (
            f" ({best.estimate.low:.1%} to {best.estimate.high:.1%})" if best.estimate else ""
        )
        mark = " *" if accuracy == top else ""
        cells.append(f"{accuracy:.2%}{interval}{mark}")
    return cells


def volume_rows(compared: Compared) -> list[tuple[str, ...]]:
    """Hypervolumes after equal numbers of trials, and after equal core-seconds."""
    totals = [one.total() for one in compared.studies]
    rows = []
    for share in SHARES:
        trials = max(1, round(share * min(total for total, _ in totals)))
        values = [
            volume_at(one.course.trials, one.course.volumes, trials) for one in compared.studies
        ]
        rows.append((counted(trials, "trial"), *(f"{value:.3f}" for value in values)))
    least = min(seconds for _, seconds in totals)
    for share in SHARES if least > 0 else ():
        seconds = share * least
        values = [
            volume_at(one.course.seconds, one.course.volumes, seconds) for one in compared.studies
        ]
        rows.append(
            (
                f"{seconds:,.{0 if seconds >= 10 else 1}f} core-seconds",
                *(f"{value:.3f}" for value in values),
            )
        )
    ends = [one.results.hypervolume() for one in compared.studies]
    rows.append(("at its end", *(f"{value:.3f}" for value in ends)))
    spent = [f"{counted(trials, 'trial')}, {seconds:,.0f} s" for trials, seconds in totals]
    rows.append(("trials, core-seconds", *spent))
    return rows


def member_rows(compared: Compared) -> list[tuple[str, ...]]:
    """How many of each study's front are on the joint front, and how many of that front are its."""
    joint = joint_front(compared.studies)
    own = [len(one.results.front()) for one in compared.studies]
    its = [sum(place == mine for place, _ in joint) for mine in range(len(own))]
    return [
        ("members of its front", *(str(count) for count in own)),
        ("of the joint front", *(f"{count} of {len(joint)}" for count in its)),
    ]


def to_json(compared: Compared) -> dict[str, Any]:
    """All that the tables say, as JSON data."""
    joint = joint_front(compared.studies)
    return {
        "objectives": [axis.name for axis in compared.axes],
        "reference_point": {axis.name: axis.reference for axis in compared.axes},
        "notes": list(compared.notes),
        "studies": [_study_json(compared, one) for one in compared.studies],
        "joint_front": [
            {
                "study": compared.studies[place].name,
                "trial": result.number,
                "values": {
                    axis.name: axis.number(value)
                    for axis, value in zip(compared.axes, result.values, strict=True)
                },
            }
            for place, result in joint
        ],
    }


def _study_json(compared: Compared, one: Beside) -> dict[str, Any]:
    trials, seconds = one.total()
    course = one.course
    return {
        "study": one.name,
        "trials": trials,
        "core_seconds": seconds,
        "hypervolume": one.results.hypervolume(),
        "front": len(one.results.front()),
        "best_up_to": [
            {
                "cost": best.cost,
                "up_to": best.limit,
                "trial": best.result.number if best.result else None,
                "accuracy": best.accuracy(one.results),
                **({"low": best.estimate.low, "high": best.estimate.high} if best.estimate else {}),
            }
            for cost in ("params", "flops")
            if (sizes := compared.sizes(cost))
            for best in one.best(cost, sizes)
        ],
        "course": [
            {"trials": int(count), "core_seconds": spent, "hypervolume": volume}
            for count, spent, volume in zip(*(part.tolist() for part in course), strict=True)
        ],
    }


def tables(compared: Compared) -> list[Rows]:
    """All that is compared, a column a study."""
    header = ("", *(one.name for one in compared.studies))
    best = [
        Rows(
            f"Accuracy of the best network up to each number of {UNITS[cost]}",
            header,
            best_rows(compared, cost),
        )
        for cost in ("params", "flops")
        if "accuracy" in [axis.name for axis in compared.axes] and compared.sizes(cost)
    ]
    point = ", ".join(f"{axis.name} {axis.shown(axis.reference)}" for axis in compared.axes)
    volume = f"Hypervolume, by what is known now, from {point}"
    return [
        *best,
        Rows(volume, header, volume_rows(compared)),
        Rows("The front of all together", header, member_rows(compared)),
    ]


def write_page(compared: Compared, path: Path) -> None:
    """Write fronts, courses and tables as one self-contained page."""
    from studies.joint_plot import courses_figure, fronts_figure
    from studies.page import page_html

    names = [one.name for one in compared.studies]
    pages = page_tables(tables(compared))
    figures = [fronts_figure(compared.studies)] if len(compared.axes) > 1 else []
    figures.append(courses_figure(compared.studies))
    write_text(path, page_html(f"{', '.join(names)}", figures, compared.notes, pages), "page")
