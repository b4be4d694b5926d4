"""The command `nas report`: a study read, its candidates drawn, and one page written of it."""

import sys
import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import asdict
from pathlib import Path
from typing import Any

from nas.files import PAGE, check_file, replace_file, write_text
from nas.interrupt import until_stopped
from nas.reporting.choices import FACTORS, choices
from nas.reporting.references import MEASURED, PUBLISHED, SHORT_RUNS
from nas.settings import Settings
from search_space.architecture import Candidate
from search_space.catalog import CATALOG
from search_space.cost import graph_cost
from search_space.drawing.page import svg
from search_space.expand import expand
from search_space.graph import ShapeError
from studies.axis import Axis
from studies.connection import again
from studies.earlier import load_earlier
from studies.lock import find_holder
from studies.report.content import Content, Factor, Reference
from studies.report.document import FRONT, report_html
from studies.results import Results, is_replayed, of_trials
from studies.store import Store
from studies.trials import Evaluated, Trial, load_candidates, load_evaluations, load_trials, mark
from studies.wording import counted

MOST_DRAWN = 100
"""Architectures that a page has drawings of: the front's, then what would be the front without it,
and so on.
"""

REFERENCE = "logistic regression"
OF_REFERENCE = "fitted to all pixels as the study began; what a network must beat to be of use"

WATCH_SECONDS = 3.0
REFRESH_SECONDS = 5


def write_report(store: Store, study: str, path: Path) -> None:
    """Write the report of a study; ValueError where that isn't there, or the file can't be."""
    store.study(study)
    check_file("--out", path, PAGE)
    write_text(path, report_html(collect(store, study)), "report")


def write_front(store: Store, study: str, path: Path) -> None:
    """Write the report's part about the front alone; ValueError likewise."""
    store.study(study)
    check_file("--html", path, PAGE)
    write_text(path, report_html(collect(store, study), FRONT), "plot")


def watch_report(
    store: Store, study: str, path: Path, sleep: Callable[[float], None] = time.sleep
) -> None:
    """Write the report again whenever the study has changed, until nobody runs it, or a signal.

    Browsers that have it open load it anew; readers see whole pages only. ValueError as above.
    """
    store.study(study)
    check_file("--out", path, PAGE)
    seen: tuple[Any, ...] | None = None
    with until_stopped():
        while (holder := find_holder(store, study)) is not None and holder.runs():
            now = mark(store, study)
            if now != seen:
                page = report_html(collect(store, study, REFRESH_SECONDS))
                replace_file(path, page.encode("utf-8", "replace"))
                if seen is None:
                    print(f"report: {path}, renewed while {study} runs", file=sys.stderr)
                seen = now
            sleep(WATCH_SECONDS)
    # The last one no longer loads itself anew.
    replace_file(path, report_html(collect(store, study)).encode("utf-8", "replace"))


def collect(store: Store, study: str, refresh: int | None = None) -> Content:
    """Everything that a report says of a study; StoreError where it isn't there."""
    return again(lambda: _collected(store, study, refresh))


def _collected(store: Store, study: str, refresh: int | None) -> Content:
    row = store.study(study)
    axes = tuple(Axis(**axis) for axis in row["axes"])
    settings = Settings.from_json(row["settings"])
    trials = load_trials(store, study)
    keys = {trial.key for trial in trials if trial.key}
    stored = load_candidates(store, keys)
    candidates = {key: Candidate.from_json(found) for key, found in stored.items()}
    evaluations: list[Evaluated] = []
    if candidates:  # of which any one tells the recipe, the seed and the data
        request = settings.request(next(iter(candidates.values())))
        evaluations = load_evaluations(store, request.identity())
    return Content(
        study=study,
        storage=store.shown,
        axes=axes,
        searched=_searched(settings),
        budgets=settings.budgets,
        trials=trials,
        evaluations=[one for one in evaluations if one.key in keys],
        factors=[Factor(name, factor.step, factor.unit) for name, factor in FACTORS.items()],
        choices={key: choices(candidate) for key, candidate in candidates.items()},
        drawings=_drawings(of_trials(study, axes, trials), candidates, settings),
        references=references(settings),
        facts=_facts(row, settings, trials, evaluations, len(load_earlier(store, study))),
        refresh=refresh,
        replayed=is_replayed(row["settings"]),
    )


def _drawings(
    results: Results, candidates: Mapping[str, Candidate], settings: Settings
) -> dict[int, str]:
    """SVG documents by trial: of the front, then of the front of the rest, up to a bound."""
    out: dict[int, str] = {}
    left = list(results.completed)
    while left and len(out) < MOST_DRAWN:
        members = Results(results.study, results.axes, tuple(left), {}).front()
        for member in members[: MOST_DRAWN - len(out)]:
            if member.key in candidates:
                graph = expand(
                    candidates[member.key].architecture, settings.channels, settings.classes
                )
                out[member.number] = svg(graph, settings.image, f"trial {member.number}")
        gone = {member.key for member in members}
        left = [result for result in left if result.key not in gone]
    return out


def references(settings: Settings) -> list[Reference]:
    """Networks to compare with: the catalog's that run on such images, and published results."""
    image, classes = settings.image, settings.classes
    own = settings.reference
    out = []
    if own is not None:
        out.append(Reference(REFERENCE, OF_REFERENCE, own.accuracy, own.params, own.flops))
    runs = SHORT_RUNS.get((settings.dataset, settings.resolution, settings.budgets[-1]), {})
    for name, entry in CATALOG.items():
        if entry.image[1] != settings.resolution and name not in runs:
            continue
        try:
            total = graph_cost(entry.graph(settings.resolution, image[0], classes), image)
        except (ShapeError, ValueError):
            continue
        source = f"the catalog: {entry.words}; exact cost at these images"
        source += f"; {MEASURED}" if name in runs else ""
        out.append(Reference(name, source, runs.get(name), total.params, total.flops))
    for name, known in PUBLISHED.get(settings.dataset, {}).items():
        out.append(Reference(name, known.source, known.accuracy, known.params, published=True))
    return out


def _searched(settings: Settings) -> str:
    """What was searched for what, as the beginning of a sentence."""
    dimensions = len(list(settings.space.items()))
    images = "x".join(map(str, settings.image))
    budgets = " and ".join(f"{budget:,}" for budget in settings.budgets)
    # A folder's name may run from right to left: isolated, it turns nothing else around.
    dataset = f"\u2068{settings.dataset}\u2069"
    return (
        f"{settings.sampler} searched a space of {dimensions} dimensions for "
        f"{_listed(settings.objectives)} on {dataset} at {images}, by short runs of {budgets} "
        "images"
    )


def _listed(names: Sequence[str]) -> str:
    *first, last = names
    return f"{', '.join(first)} and {last}" if first else last


def _facts(
    row: Mapping[str, Any],
    settings: Settings,
    trials: Sequence[Trial],
    evaluations: Sequence[Any],
    learned: int,
) -> dict[str, list[tuple[str, str]]]:
    """What the report lists of settings, versions, recipe and space, by heading."""
    limits = {f"limit on {name}": f"{limit:,.15g}" for name, limit in settings.limits().items()}
    study = {
        "begun": f"{row['created']:%Y-%m-%d %H:%M} UTC",
        "objectives": ", ".join(settings.objectives),
        "sampler": settings.sampler,
        "seed": str(settings.seed),
        "promotion": settings.promotion,
        "share of training for repeats": f"{settings.repeats:.0%}",
        "rungs": ", ".join(f"{budget:,} images" for budget in settings.budgets),
        "learned from earlier studies": counted(learned, "accuracy", "accuracies"),
        "first trials": ", ".join(settings.start_from) or "the sampler's",
        "data set": settings.dataset,
        "digest of the images": settings.data,
        "image": "x".join(map(str, settings.image)),
        "classes": str(settings.classes),
        "metric": settings.metric,
        "folds": str(settings.folds or 1),
        **limits,
        "trials": f"{len(trials):,}",
        "evaluations": f"{len(evaluations):,}",
    }
    recipe = {name.replace("_", " "): str(value) for name, value in asdict(settings.recipe).items()}
    space = {
        name: ", ".join(str(choice).lower() for choice in chosen)
        for name, chosen in settings.space.items()
    }
    return {
        "The study": list(study.items()),
        "Versions": list(row["versions"].items()),
        "The training recipe of a short run": list(recipe.items()),
        "The space: dimensions and their choices": list(space.items()),
    }
