"""`nas try`: networks by name, side by side after equal short runs."""

import sys
from pathlib import Path
from typing import Annotated

import typer

from nas.cli import parsing
from nas.cli.options import (
    DEFAULT_STORAGE,
    DEFAULT_STUDY,
    PRECISION_HELP,
    Json,
    PixelRange,
    Storage,
    Study,
    print_json,
)
from nas.defaults import DATASET

DEFAULT_BUDGET = "20k"
DEFAULT_SEEDS = 3


def try_(
    networks: Annotated[
        list[str], typer.Argument(help="Names of the catalog, numbers of trials, JSON files.")
    ],
    budget: Annotated[
        str, typer.Option(help="Training images of each run, which is annealed to them.")
    ] = DEFAULT_BUDGET,
    seeds: Annotated[int, typer.Option(help="Runs of each network.")] = DEFAULT_SEEDS,
    study: Study = DEFAULT_STUDY,
    storage: Storage = DEFAULT_STORAGE,
    dataset: Annotated[str, typer.Option(help="Images.")] = DATASET,
    data_dir: Annotated[Path | None, typer.Option(help="Directory of their files.")] = None,
    pixel_range: PixelRange = None,
    resolution: Annotated[
        int | None,
        typer.Option(help="Pixels. [default: 28, or the fewest that all networks can work with]"),
    ] = None,
    channels: Annotated[int | None, typer.Option(help="1 or 3. [default: the images']")] = None,
    seed: Annotated[int, typer.Option(help="Of the first run; as of a study.")] = 0,
    workers: Annotated[
        int | None, typer.Option(help="Processes; 0 is this one alone. [default: one a core]")
    ] = None,
    precision: Annotated[str, typer.Option(help=f"{PRECISION_HELP}.")] = "auto",
    quiet: Annotated[bool, typer.Option(help="No progress.")] = False,
    as_json: Json = False,
) -> int:
    """Train networks by name for equally long, with several seeds, and compare them.

    Each run is an evaluation as a study makes it, kept in its database: the same command again, or
    with more networks or seeds, trains only what is missing.
    """
    from nas.api.beside import bring_beside
    from nas.reporting.beside import print_beside, to_json
    from nas.subjects import find_subject

    beside = bring_beside(
        [find_subject(network, study, storage) for network in networks],
        budget=parsing.count("--budget", budget),
        seeds=seeds,
        storage=storage,
        dataset=dataset,
        data_dir=data_dir,
        pixel_range=parsing.pixel_range(pixel_range),
        resolution=resolution,
        channels=channels,
        seed=seed,
        workers=workers,
        precision=precision,
        quiet=quiet or as_json,
    )
    if as_json:
        print_json(to_json(beside))
    else:
        print_beside(beside)
    if beside.signal:
        print("stopped: what had ended is kept; the same command continues", file=sys.stderr)
        return 128 + beside.signal
    return 1 if any(one.failure for one in beside.networks) else 0
