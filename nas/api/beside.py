"""try_networks(): networks after equal short runs, what `nas try` does, from Python."""

import contextlib
from collections.abc import Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

from nas.api.network import Named, subject_of
from nas.datasets import find
from nas.datasets.found import PixelRange
from nas.datasets.sources import full_name
from nas.defaults import DATASET, DEFAULT_STORAGE, DEFAULT_STUDY
from nas.interrupt import Interrupted
from nas.reporting.beside import caption, flat_rows, table
from nas.reporting.tables import tables_html
from nas.settings import Settings
from nas.study.beside import Beside, common_image, evaluate_beside
from nas.subjects import Subject
from nas.workers.place import Place
from search_space.checks import check_range
from studies.store import open_store

BUDGET, SEEDS, MOST_SEEDS = 20_000, 3, 100


@dataclass(frozen=True, repr=False)
class NetworksTried:
    """Networks after equal short runs, the most accurate first."""

    beside: Beside

    @property
    def rows(self) -> list[dict[str, Any]]:
        """A dictionary a network, for ``pandas.DataFrame``.

        ``accuracy`` (0..1) is the mean over its seeds on the validation images, ``low`` to ``high``
        hold 95 %; ``seconds`` are of one run; ``failure`` says why one failed, if one did.
        """
        return flat_rows(self.beside)

    def __repr__(self) -> str:
        return f"<NetworksTried: {caption(self.beside)}>"

    def _repr_html_(self) -> str:
        """Its table, in a notebook."""
        return tables_html([table(self.beside)])


def try_networks(
    *networks: Named,
    budget: int = BUDGET,
    seeds: int = SEEDS,
    study: str = DEFAULT_STUDY,
    storage: str = DEFAULT_STORAGE,
    dataset: str = DATASET,
    data_dir: str | Path | None = None,
    pixel_range: PixelRange | None = None,
    resolution: int | None = None,
    channels: int | None = None,
    seed: int = 0,
    workers: int | None = None,
    precision: str = "auto",
    progress: bool = True,
) -> NetworksTried:
    """Train networks by name for equally long, with several seeds, and compare them.

    Parameters are named as the options of `nas try`, and mean the same; ``networks`` are what
    `nas.network` takes, of one's own drawing too. Each run is an evaluation as a study makes it,
    kept in its database: the same call again trains only what is missing. Images are of
    ``resolution``, by default 28 or the fewest pixels that all networks can work with.

    ValueError where anything asked for can't be, before anything is trained; `nas.Interrupted`, a
    KeyboardInterrupt, on Ctrl-C and SIGTERM: what had ended is kept.
    """
    found = bring_beside(
        [subject_of(one, study, storage) for one in networks],
        budget=budget,
        seeds=seeds,
        storage=storage,
        dataset=dataset,
        data_dir=None if data_dir is None else Path(data_dir),
        pixel_range=pixel_range,
        resolution=resolution,
        channels=channels,
        seed=seed,
        workers=workers,
        precision=precision,
        quiet=not progress,
    )
    if found.signal:
        raise Interrupted(found.signal)
    return NetworksTried(found)


def bring_beside(
    subjects: Sequence[Subject],
    *,
    budget: int,
    seeds: int,
    storage: str,
    dataset: str,
    data_dir: Path | None,
    pixel_range: PixelRange | None,
    resolution: int | None,
    channels: int | None,
    seed: int,
    workers: int | None,
    precision: str,
    quiet: bool,
) -> Beside:
    """The same of subjects, whatever ends it: what both `nas try` and ``try_networks`` do."""
    names = [subject.name for subject in subjects]
    if not names:
        raise ValueError("networks is empty; give at least one, such as 'inception-28'")
    if twice := sorted({name for name in names if names.count(name) > 1}):
        raise ValueError(f"{', '.join(twice)} is given twice; give every network once")
    check_range("seeds", seeds, 1, MOST_SEEDS)
    settings = Settings(
        budgets=(budget,),
        seed=seed,
        dataset=full_name(dataset),
        channels=1 if channels is None else channels,
        pixel_range=pixel_range,
    )
    place = Place(workers=workers, precision=precision)
    found = find(settings.dataset, data_dir, pixel_range)
    shape = common_image(subjects, found, resolution, channels).shape
    settings = replace(settings, resolution=shape[1], channels=shape[0], classes=len(found.classes))
    with contextlib.closing(open_store(storage, create=True)) as store:
        return evaluate_beside(
            store, subjects, settings, replace(place, images=found), seeds, quiet
        )
