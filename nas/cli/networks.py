"""The commands about single networks: show, compare, shapes."""

import sys
from pathlib import Path
from typing import Annotated

import typer

from nas.cli.options import (
    DEFAULT_STORAGE,
    DEFAULT_STUDY,
    AtResolution,
    Channels,
    Classes,
    Json,
    Network,
    Storage,
    Study,
    print_json,
)


def show(
    network: Network,
    study: Study = DEFAULT_STUDY,
    storage: Storage = DEFAULT_STORAGE,
    resolution: AtResolution = None,
    channels: Channels = None,
    classes: Classes = None,
    depth: Annotated[int, typer.Option(min=1, help="Levels of layers to show.")] = 2,
    svg: Annotated[Path | None, typer.Option(help="Draw the network into this file.")] = None,
    code: Annotated[bool, typer.Option("--code", help="Print it as a PyTorch module.")] = False,
    as_json: Json = False,
) -> None:
    """Show one network, layer by layer: a trial, one of the catalog, or one of a file."""
    from nas.commands import show as shown
    from nas.commands.subjects import find_subject, view
    from nas.files import SVG, check_file
    from studies.store import open_store

    if code and as_json:
        raise ValueError("--code and --json exclude each other; give one of them")
    if svg is not None:
        check_file("--svg", svg, SVG)
    subject = find_subject(network, study, storage)
    at = view([subject], resolution, channels, classes)
    at.graph(subject)
    if svg is not None:
        shown.write_svg(subject, at, svg)
    if code:
        print(shown.code(subject, at), end="")
    elif as_json and subject.trial is not None:
        print_json(shown.trial_json(open_store(storage), study, subject))
    elif as_json:
        print_json(shown.network_json(subject, at))
    elif subject.trial is not None:
        shown.print_trial(open_store(storage), study, subject, at, depth)
    else:
        shown.print_network(subject, at, depth)
    if svg is not None:
        print(f"drawing: {svg}", file=sys.stderr)


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
        typer.Option(help="Roofline on laptop-core, edge-tpu, a100, or a TOML file's hardware."),
    ] = None,
    html: Annotated[Path | None, typer.Option(help="Write plots and tables there.")] = None,
    as_json: Json = False,
) -> None:
    """Compare networks: parameters, computation, memory, receptive field, latency, roofline."""
    from nas.commands import compare as compared
    from nas.commands.parsing import read_hardware
    from nas.commands.subjects import find_subject, view
    from nas.files import PAGE, check_file

    if html is not None:
        check_file("--html", html, PAGE)
    subjects = [find_subject(network, study, storage) for network in networks]
    at = view(subjects, resolution, channels, classes)
    machine = read_hardware(hardware) if hardware is not None else None
    found = compared.compare(subjects, at, machine, latency)
    if html is not None:
        compared.write_page(found, at, machine, html)
    if as_json:
        print_json(compared.to_json(found, at, machine))
    else:
        compared.print_compared(found, at, machine)
    if html is not None:
        print(f"page: {html}", file=sys.stderr)


def shapes(
    network: Network,
    study: Study = DEFAULT_STUDY,
    storage: Storage = DEFAULT_STORAGE,
    resolution: AtResolution = None,
    channels: Channels = None,
    extent: Annotated[
        int, typer.Option(min=1, max=64, help="Height and width wanted of the last map.")
    ] = 3,
    as_json: Json = False,
) -> None:
    """Show shapes stage by stage, and the smallest resolutions that a network can work with."""
    from nas.commands import show as shown
    from nas.commands.subjects import find_subject, view

    subject = find_subject(network, study, storage)
    at = view([subject], resolution, channels)
    at.graph(subject)
    if as_json:
        print_json(shown.shapes_json(subject, at, extent))
    else:
        shown.print_shapes(subject, at, extent)


COMMANDS = (show, compare, shapes)
