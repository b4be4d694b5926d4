"""Options that several commands have."""

import json
import shlex
from pathlib import Path
from typing import Annotated, Any

import typer

from nas.defaults import CLASSES, MAX_RESOLUTION, MIN_RESOLUTION, PRECISIONS
from nas.defaults import DEFAULT_STORAGE as DEFAULT_STORAGE
from nas.defaults import DEFAULT_STUDY as DEFAULT_STUDY

Storage = Annotated[str, typer.Option(help="Database of the studies, any SQLAlchemy URL.")]
Study = Annotated[str, typer.Option(help="Name of the study.")]
Json = Annotated[bool, typer.Option("--json", help="Print JSON, for programs.")]
Space = Annotated[
    Path | None, typer.Option(help="TOML file of the choices; see `nas space --toml`.")
]
Resolution = Annotated[
    int,
    typer.Option(
        help=f"Height and width of the images, {MIN_RESOLUTION} to {MAX_RESOLUTION} pixels."
    ),
]
Network = Annotated[
    str, typer.Argument(help="Name in the catalog, number of a trial, best, or JSON file.")
]
AtResolution = Annotated[
    int | None,
    typer.Option("--resolution", help="Pixels. [default: the trial's, or what it is for]"),
]
Channels = Annotated[
    int | None, typer.Option(help="Image channels. [default: the trial's, or what it is for]")
]
Classes = Annotated[
    int | None,
    typer.Option(help=f"Classes that it tells apart. [default: the trial's, or {CLASSES}]"),
]

PixelRange = Annotated[
    str | None,
    typer.Option(
        help="Values of black and white in images of more than 8 bits, such as 0:4095. "
        "[default: as the files say]",
        metavar="LOW:HIGH",
    ),
]

Model = Annotated[Path, typer.Argument(help="Directory that `nas train --out` wrote.")]
ModelOrFile = Annotated[
    Path,
    typer.Argument(
        help="Directory that `nas train --out` wrote, or a file by `nas export`; C is compiled "
        "and run."
    ),
]
OfModel = Annotated[
    str | None,
    typer.Option("--dataset", help="Where images are. [default: the model's data set]"),
]
DataDir = Annotated[Path | None, typer.Option(help="Directory of the data set's original files.")]

UpTo = Annotated[
    str | None,
    typer.Option(
        help="Sizes up to which the best network is shown, such as 50k,200k parameters, or "
        "flops:10M or activation_bytes:64k. [default: 3k to 1M parameters]"
    ),
]


def needed(study: str, storage: str) -> str:
    """The options that another command needs to find a study; none for the usual one."""
    if (study, storage) == (DEFAULT_STUDY, DEFAULT_STORAGE):
        return ""
    return f"--study {shlex.quote(study)} --storage {shlex.quote(storage)}"


PRECISION_HELP = f"auto, {' or '.join(PRECISIONS)}"


def print_json(data: Any) -> None:
    """Print JSON as programs read it and people can."""
    print(json.dumps(data, indent=2))
