"""The command line: parse, call, print. Heavy packages are imported inside the commands."""

import json
import sys
from pathlib import Path
from typing import Annotated, Any

import typer

from nas.samplers import SAMPLERS

DEFAULT_STORAGE = "sqlite:///nas.db"
DEFAULT_STUDY = "inception"

app = typer.Typer(
    help="Neural architecture search over the Inception design space.",
    rich_markup_mode=None,
    pretty_exceptions_enable=False,
)

Storage = Annotated[str, typer.Option(help="Database of the studies, any SQLAlchemy URL.")]
Study = Annotated[str, typer.Option(help="Name of the study.")]
Json = Annotated[bool, typer.Option("--json", help="Print JSON, for programs.")]
Space = Annotated[
    Path | None, typer.Option(help="TOML file of the choices; see `nas space --toml`.")
]
Resolution = Annotated[int, typer.Option(help="Height and width of the images, 8 to 224 pixels.")]
Network = Annotated[
    str, typer.Argument(help="Name in the catalog, number of a trial, or JSON file.")
]
AtResolution = Annotated[
    int | None,
    typer.Option("--resolution", help="Pixels. [default: the trial's, or what it is for]"),
]
Channels = Annotated[
    int | None, typer.Option(help="Image channels. [default: the trial's, or what it is for]")
]
Classes = Annotated[int, typer.Option(help="Classes that it tells apart.")]
SAMPLER_HELP = "; ".join(f"{name}: {sampler.words}" for name, sampler in SAMPLERS.items())


@app.command()
def run(
    trials: Annotated[int, typer.Option(help="Trials that the study should have in all.")] = 200,
    resolution: Resolution = 28,
    channels: Annotated[int, typer.Option(help="Image channels, 1 or 3.")] = 1,
    study: Study = DEFAULT_STUDY,
    storage: Storage = DEFAULT_STORAGE,
    sampler: Annotated[
        str | None,
        typer.Option(
            help=f"Who proposes: {SAMPLER_HELP}; or the dotted path of an Optuna sampler. "
            "[default: ms-ehvi, or tpe if latency is an objective]"
        ),
    ] = None,
    objectives: Annotated[
        str,
        typer.Option(help="Any of accuracy, params, flops, activation_bytes, latency."),
    ] = "accuracy,params,flops",
    budget: Annotated[
        str,
        typer.Option(help="Training images at the last rung, or at each, such as 5k,20k."),
    ] = "20k",
    rungs: Annotated[int, typer.Option(help="Rungs, if --budget is one number.")] = 2,
    eta: Annotated[float, typer.Option(help="Factor by which budgets grow.")] = 4.0,
    promotion: Annotated[
        str,
        typer.Option(help="Who goes on to the next rung: known-cost, asha or none (everyone)."),
    ] = "known-cost",
    warm_start: Annotated[
        bool,
        typer.Option(help="Begin with what the database's studies of the same space measured."),
    ] = True,
    max_params: Annotated[
        str | None, typer.Option(help="Prune what has more parameters, before training.")
    ] = None,
    max_flops: Annotated[
        str | None, typer.Option(help="Prune what does more FLOPs, before training.")
    ] = None,
    max_activation_bytes: Annotated[
        str | None, typer.Option(help="Prune what holds more bytes of activations at once.")
    ] = None,
    max_latency: Annotated[
        str | None,
        typer.Option(help="Prune what takes longer for an image on this machine, such as 2ms."),
    ] = None,
    start_from: Annotated[
        str | None,
        typer.Option(help="First trials, by their names in the catalog, with commas between."),
    ] = None,
    space: Space = None,
    data_dir: Annotated[
        Path | None, typer.Option(help="Directory of Fashion-MNIST's four files.")
    ] = None,
    seed: Annotated[int, typer.Option(help="Of the sampler and of the training runs.")] = 0,
    precision: Annotated[
        str, typer.Option(help="auto, float32 or bf16; auto measures which is faster.")
    ] = "auto",
    workers: Annotated[
        int | None,
        typer.Option(help="Worker processes; 0 trains in this one. [default: one per core]"),
    ] = None,
    timeout: Annotated[
        str | None, typer.Option(help="Begin no new trial after this time, such as 30m.")
    ] = None,
    replay: Annotated[
        Path | None,
        typer.Option(help="Train nothing: answer from this table, at simulated seconds."),
    ] = None,
    quiet: Annotated[bool, typer.Option(help="No progress.")] = False,
    as_json: Json = False,
) -> None:
    """Search: bring a study to --trials trials, and print its Pareto front.

    The same command again continues a study that was interrupted, and prints the results of one
    that is finished.
    """
    from nas.run import Asked, run_command

    run_command(
        Asked(
            trials=trials,
            resolution=resolution,
            channels=channels,
            study=study,
            storage=storage,
            sampler=sampler,
            objectives=objectives,
            budget=budget,
            rungs=rungs,
            eta=eta,
            promotion=promotion,
            warm_start=warm_start,
            max_params=max_params,
            max_flops=max_flops,
            max_activation_bytes=max_activation_bytes,
            max_latency=max_latency,
            start_from=start_from,
            space=space,
            data_dir=data_dir,
            seed=seed,
            precision=precision,
            workers=workers,
            timeout=timeout,
            replay=replay,
        ),
        quiet=quiet or as_json,
        as_json=as_json,
    )


@app.command()
def pareto(
    study: Study = DEFAULT_STUDY,
    storage: Storage = DEFAULT_STORAGE,
    as_json: Json = False,
    html: Annotated[Path | None, typer.Option(help="Write the interactive plot there.")] = None,
) -> None:
    """Print the Pareto front of a study, and write its plot."""
    from nas import tables
    from studies.results import load_results
    from studies.store import open_store

    results = load_results(open_store(storage), study)
    if html is not None:
        tables.write_page(results, html)
    if as_json:
        _print_json(tables.front_json(results))
    else:
        tables.print_front(results)
    if html is not None:
        print(f"plot: {html}", file=sys.stderr)


@app.command()
def studies(
    storage: Storage = DEFAULT_STORAGE,
    export: Annotated[
        Path | None,
        typer.Option(help="Add all evaluations to this table, which `nas run --replay` reads."),
    ] = None,
    timed: Annotated[
        bool, typer.Option(help="Export seconds; not so if the machine was busy with else.")
    ] = True,
    as_json: Json = False,
) -> None:
    """List the studies of a database."""
    from nas import tables
    from studies.results import load_results
    from studies.store import open_store

    store = open_store(storage)
    if export is not None:
        from studies.table import export_table

        export_table(store, export, timed)
    found = [(load_results(store, name), store.study(name)) for name in store.study_names()]
    if as_json:
        _print_json([tables.study_json(*one) for one in found])
    else:
        tables.print_studies(store.shown, found)


@app.command()
def show(
    network: Network,
    study: Study = DEFAULT_STUDY,
    storage: Storage = DEFAULT_STORAGE,
    resolution: AtResolution = None,
    channels: Channels = None,
    classes: Classes = 10,
    depth: Annotated[int, typer.Option(min=1, help="Levels of layers to show.")] = 2,
    svg: Annotated[Path | None, typer.Option(help="Draw the network into this file.")] = None,
    code: Annotated[bool, typer.Option("--code", help="Print it as a PyTorch module.")] = False,
    as_json: Json = False,
) -> None:
    """Show one network, layer by layer: a trial, one of the catalog, or one of a file."""
    from nas import show as shown
    from nas.subjects import find_subject, view
    from studies.store import open_store

    if code and as_json:
        raise ValueError("--code and --json exclude each other; give one of them")
    subject = find_subject(network, study, storage)
    at = view([subject], resolution, channels, classes)
    at.graph(subject)
    if svg is not None:
        shown.write_svg(subject, at, svg)
    if code:
        print(shown.code(subject, at), end="")
    elif as_json and subject.trial is not None:
        _print_json(shown.trial_json(open_store(storage), study, subject))
    elif as_json:
        _print_json(shown.network_json(subject, at))
    elif subject.trial is not None:
        shown.print_trial(open_store(storage), study, subject, at, depth)
    else:
        shown.print_network(subject, at, depth)
    if svg is not None:
        print(f"drawing: {svg}", file=sys.stderr)


@app.command()
def compare(
    networks: Annotated[
        list[str], typer.Argument(help="Names of the catalog, numbers of trials, JSON files.")
    ],
    study: Study = DEFAULT_STUDY,
    storage: Storage = DEFAULT_STORAGE,
    resolution: AtResolution = None,
    channels: Channels = None,
    classes: Classes = 10,
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
    from nas import compare as compared
    from nas.subjects import find_subject, view
    from nas.tables import check_directory
    from search_space.analysis.hardware import read

    if html is not None:
        check_directory(html, "page")
    subjects = [find_subject(network, study, storage) for network in networks]
    at = view(subjects, resolution, channels, classes)
    machine = read(hardware) if hardware is not None else None
    found = compared.compare(subjects, at, machine, latency)
    if html is not None:
        compared.write_page(found, at, machine, html)
    if as_json:
        _print_json(compared.to_json(found, at, machine))
    else:
        compared.print_compared(found, at, machine)
    if html is not None:
        print(f"page: {html}", file=sys.stderr)


@app.command()
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
    from nas import show as shown
    from nas.subjects import find_subject, view

    subject = find_subject(network, study, storage)
    at = view([subject], resolution, channels, 10)
    at.graph(subject)
    if as_json:
        _print_json(shown.shapes_json(subject, at, extent))
    else:
        shown.print_shapes(subject, at, extent)


@app.command()
def space(
    space: Space = None,
    resolution: Resolution = 28,
    toml: Annotated[bool, typer.Option("--toml", help="Print the space as TOML alone.")] = False,
    as_json: Json = False,
) -> None:
    """Print the search space: its dimensions, its exact size, and itself as TOML."""
    from nas import tables
    from nas.options import read_space
    from search_space.dimensions import DIMENSIONS, general
    from search_space.size import size

    chosen = read_space(space)
    if toml:
        print(chosen.to_toml(), end="")
        return
    total = size(chosen, resolution)
    if as_json:
        _print_json({"dimensions": chosen.to_json(), **total._asdict()})
        return
    tables.print_space(
        [(name, choices, DIMENSIONS[general(name)].words) for name, choices in chosen.items()]
    )
    print(f"{total.architectures:,} architectures at {resolution}x{resolution}")
    print(f"{total.candidates:,} candidates with their label smoothing\n")
    print(chosen.to_toml(), end="")


def _print_json(data: Any) -> None:
    print(json.dumps(data, indent=2))


def main() -> None:
    """The console script: bad input is one line on standard error, and exit code 2."""
    try:
        code = app(sys.argv[1:] or ["--help"], standalone_mode=False)
    except (typer.TyperException, ValueError) as error:
        message = error.format_message() if isinstance(error, typer.TyperException) else str(error)
        print(f"error: {' '.join(message.split())}", file=sys.stderr)
        sys.exit(2)
    sys.exit(code if isinstance(code, int) else 0)
