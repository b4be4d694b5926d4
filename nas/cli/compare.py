"""`nas compare`: networks side by side, measured, timed, and on a piece of hardware."""

import sys
from collections.abc import Sequence
from pathlib import Path
from typing import Annotated

import typer
from rich.console import Console
from rich.text import Text

from nas.cli.options import (
    DEFAULT_STORAGE,
    DEFAULT_STUDY,
    AtResolution,
    Channels,
    Classes,
    Json,
    Storage,
    Study,
    print_json,
)
from nas.cli.parsing import read_hardware
from nas.files import PAGE, check_file
from nas.reporting.comparison import (
    LAYER_HEADER,
    Compared,
    layer_rows,
    measure_rows,
    roofline_rows,
    sentences,
    share_rows,
    to_json,
    write_page,
)
from nas.reporting.comparison import compare as compare_networks
from nas.reporting.tables import print_rows
from nas.subjects import View, find_subject, view
from search_space.analysis.hardware import PRESETS, Hardware
from studies.wording import counted


def compare(
    networks: Annotated[
        list[str], typer.Argument(help="Names of the catalog, numbers of trials, JSON files.")
    ],
    study: Study = DEFAULT_STUDY,
    storage: Storage = DEFAULT_STORAGE,
    resolution: AtResolution = None,
    channels: Channels = None,
    classes: Classes = None,
    latency: Annotated[
        bool, typer.Option("--latency", help="Measure one image and a batch on this machine.")
    ] = False,
    hardware: Annotated[
        str | None,
        typer.Option(help=f"Roofline on {', '.join(PRESETS)}, or a TOML file's hardware."),
    ] = None,
    html: Annotated[Path | None, typer.Option(help="Write plots and tables there.")] = None,
    as_json: Json = False,
) -> None:
    """Compare networks: parameters, computation, memory, receptive field, latency, roofline."""
    if html is not None:
        check_file("--html", html, PAGE)
    subjects = [find_subject(network, study, storage) for network in networks]
    at = view(subjects, resolution, channels, classes)
    machine = read_hardware(hardware) if hardware is not None else None
    found = compare_networks(subjects, at, machine, latency)
    if html is not None:
        write_page(found, at, machine, html)
    if as_json:
        print_json(to_json(found, at, machine))
    else:
        print_compared(found, at, machine)
    if html is not None:
        print(f"page: {html}", file=sys.stderr)


def print_compared(compared: Sequence[Compared], view: View, hardware: Hardware | None) -> None:
    """Print tables of the measures, and sentences on what they mean."""
    console = Console()
    names = [one.name for one in compared]
    shape = "x".join(map(str, view.shape))
    about = f"{shape} images, {counted(view.classes, 'class', 'classes')}"
    print_rows(console, about, ["", *names], measure_rows(compared))
    title = "Share of the parameters / of the FLOPs by kind of layer"
    print_rows(console, title, ["", *names], share_rows(compared))
    if hardware:
        title = f"On {hardware.name}: ridge at {hardware.ridge:.3g} FLOPs per byte"
        print_rows(console, title, ["", *names], roofline_rows(compared))
        if len(compared) == 1 and compared[0].roofline:
            print_rows(console, "Layer by layer", LAYER_HEADER, layer_rows(compared[0].roofline))
        console.print(Text(f"source: {hardware.source}\n"))
    for sentence in sentences(compared, hardware):
        console.print(Text(sentence))
