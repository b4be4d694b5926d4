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
from nas.files import PAGE, check_file
from nas.machines import read_core, read_hardware
from nas.reporting.comparison import Compared, sentences, tables, to_json, write_page
from nas.reporting.comparison import compare as compare_networks
from nas.reporting.tables import print_rows
from nas.subjects import find_subject, views
from search_space.analysis.hardware import PRESETS, Hardware
from search_space.device.cores import CORES


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
    device: Annotated[
        str | None,
        typer.Option(
            help=f"As C in 8-bit integers on a microcontroller's core: {', '.join(CORES)}, or a "
            "TOML file's."
        ),
    ] = None,
    html: Annotated[Path | None, typer.Option(help="Write plots and tables there.")] = None,
    as_json: Json = False,
) -> None:
    """Compare networks: parameters, computation, memory, latency, on a chip or a microcontroller.

    Each on the images that it is for, or all on those of --resolution, or of a trial's study.
    """
    if html is not None:
        check_file("--html", html, PAGE)
    subjects = [find_subject(network, study, storage) for network in networks]
    at = views(subjects, resolution, channels, classes)
    machine = read_hardware(hardware) if hardware is not None else None
    core = read_core(device) if device is not None else None
    found = compare_networks(subjects, at, machine, latency, core)
    if html is not None:
        write_page(found, machine, html)
    if as_json:
        print_json(to_json(found, machine))
    else:
        print_compared(found, machine)
    if html is not None:
        print(f"page: {html}", file=sys.stderr)


def print_compared(compared: Sequence[Compared], hardware: Hardware | None) -> None:
    """Print tables of the measures, and sentences on what they mean."""
    console = Console()
    for table in tables(compared, hardware):
        print_rows(console, table)
    if hardware:
        console.print(Text(f"source: {hardware.source}\n"))
    if on := compared[0].device:
        console.print(Text(f"source: {on.core.source}\n"))
    for sentence in sentences(compared, hardware):
        console.print(Text(sentence))
