"""bring(): a study made or continued, until its trials are there; `nas run`, and ``run_study``."""

import sys
from dataclasses import replace
from typing import TYPE_CHECKING, NamedTuple

from nas.datasets import Found
from nas.datasets.found import shown
from nas.datasets.sources import source
from nas.objectives import chosen
from nas.sampling.samplers import check_sampler
from nas.settings import Settings
from nas.study.stored import StoredStudy, check_same
from nas.study.until import Until
from nas.study.workplace import choose_workplace, images_of
from nas.workers.place import Place
from nas.workers.spawning import end_where_inheriting
from search_space.catalog import entry
from search_space.limits import check_limits
from search_space.shapes import AtResolution, check_runs
from studies.results import Results, load_results
from studies.store import Store

if TYPE_CHECKING:
    from nas.study.loop import FailingError


class Ended(NamedTuple):
    """How a run ended: with its study's results, whatever stopped it.

    ``signal`` is the number of one that did, else 0; ``failing`` says that its trials did.
    """

    results: Results
    settings: Settings
    signal: int = 0
    failing: "FailingError | None" = None


def bring(
    store: Store,
    name: str,
    stored: StoredStudy | None,
    settings: Settings,
    place: Place,
    until: Until,
    quiet: bool,
) -> Ended:
    """Bring a study to ``until``: what both `nas run` and ``run_study`` do.

    ``stored`` is its row, None where it is new. ValueError where anything can't be, before anything
    is written.
    """
    end_where_inheriting()
    settings = replace(settings, objectives=chosen(settings.objectives))
    check_sampler(settings.sampler, len(settings.objectives))
    if stored is None:
        store.check_writable()
    if stored is not None:
        settings = stored.continued(settings)
    settings, place = _possible(settings, stored, place)
    known = stored.settings if stored else None
    settings, workplace = choose_workplace(settings, place, known, until.trials, name)
    from nas.interrupt import Stopped
    from nas.rungs.history import History
    from nas.sampling.samplers import seeded
    from nas.study.drive import drive  # with all that searches and trains
    from nas.study.loop import FailingError
    from nas.study.measure import measured

    seeded(settings, History(len(settings.budgets)))  # which refuses what it can't search
    if stored is None:
        settings, workplace = measured(settings, workplace)
    if stored is not None:
        check_same(stored, settings)
    signal, failing = 0, None
    try:
        results = drive(store, name, stored, settings, until, workplace, quiet)
    except Stopped as stopped:
        signal = stopped.number
    except FailingError as error:
        failing = error
    if workplace.words is not None and not quiet:
        print(workplace.words(), file=sys.stderr)
    if signal or failing:
        results = load_results(store, name)
    return Ended(results, settings, signal, failing)


def _possible(
    settings: Settings, stored: StoredStudy | None, place: Place
) -> tuple[Settings, Place]:
    """The settings with the classes of their images, and the place with these, if it is a folder.

    ValueError where they can't be searched.
    """
    if isinstance(place.images, Found) and place.images.name != settings.dataset:
        raise ValueError(
            f"images are of {place.images.name}, but the settings' dataset is {settings.dataset}; "
            "give both the same"
        )
    known = source(settings.dataset)
    own = known if known.classes else images_of(settings, place)
    settings = replace(settings, classes=len(own.classes))
    if isinstance(own, Found):
        place = replace(place, images=own)
        if stored is not None and source(stored.settings.dataset) is known:
            before = stored.settings.data
            if before not in ("", own.digest):
                raise ValueError(
                    f"the images in {shown(own.directory)} aren't those with which study "
                    f"{stored.name!r} was begun ({before} then, {own.digest} now); bring the "
                    "original files back, or give another --study"
                )
    of = (settings.resolution, settings.channels, settings.classes)
    check_limits(settings.space, *of, settings.free_limits(), settings.on_device)
    for start in settings.start_from:
        check_runs(_start(start, settings), start, settings.image)
    return settings, place


def _start(name: str, settings: Settings) -> AtResolution:
    """A network of the catalog for the settings' images, as a function of the resolution."""
    graph = entry(name).graph
    return lambda resolution: graph(resolution, settings.channels, settings.classes)
