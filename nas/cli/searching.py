"""The commands of a search: run, studies, space."""

import sys
from pathlib import Path
from typing import Annotated

import typer

from nas.cli.options import (
    DEFAULT_STORAGE,
    DEFAULT_STUDY,
    Json,
    PixelRange,
    Resolution,
    Space,
    Storage,
    Study,
    print_json,
)
from nas.datasets.sources import DATASETS, typed
from nas.samplers import SAMPLERS
from nas.settings import Settings
from studies.wording import counted

DATASET_HELP = "; ".join(f"{typed(kind)}, {DATASETS[kind].words}" for kind in DATASETS)
SAMPLER_HELP = "; ".join(f"{name}: {sampler.words}" for name, sampler in SAMPLERS.items())


def run(
    trials: Annotated[int, typer.Option(help="Trials that the study should have in all.")] = 200,
    resolution: Resolution = 28,
    dataset: Annotated[
        str | None, typer.Option(help=f"Images: {DATASET_HELP}. [default: fashion-mnist]")
    ] = None,
    channels: Annotated[
        int | None, typer.Option(help="Image channels, 1 or 3. [default: as the images have]")
    ] = None,
    study: Study = DEFAULT_STUDY,
    storage: Storage = DEFAULT_STORAGE,
    sampler: Annotated[
        str | None,
        typer.Option(
            help=f"Who proposes: {SAMPLER_HELP}; or the dotted path of an Optuna sampler. "
            f"[default: {Settings.sampler}, or tpe where latency is asked for]"
        ),
    ] = None,
    objectives: Annotated[
        str,
        typer.Option(help="Any of accuracy, params, flops, activation_bytes, latency."),
    ] = "accuracy,params,flops",
    budget: Annotated[
        str | None,
        typer.Option(
            help="Training images at the last rung, or at each, such as 5k,20k. [default: 20k]"
        ),
    ] = None,
    rungs: Annotated[
        int | None, typer.Option(help="Rungs, if --budget is one number. [default: 2]")
    ] = None,
    eta: Annotated[
        float | None, typer.Option(help="Factor by which budgets grow. [default: 4]")
    ] = None,
    promotion: Annotated[
        str | None,
        typer.Option(
            help="Who goes on to the next rung: known-cost, asha or none (everyone). "
            "[default: known-cost]"
        ),
    ] = None,
    warm_start: Annotated[
        bool | None,
        typer.Option(
            "--warm-start/--no-warm-start",
            help="Begin with what the database's studies of the same space measured. "
            "[default: warm-start]",
        ),
    ] = None,
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
        Path | None, typer.Option(help="Directory of the data set's original files.")
    ] = None,
    pixel_range: PixelRange = None,
    seed: Annotated[int, typer.Option(help="Of the sampler and of the training runs.")] = 0,
    precision: Annotated[
        str, typer.Option(help="auto, float32 or bf16; auto measures which is faster.")
    ] = "auto",
    workers: Annotated[
        int | None,
        typer.Option(help="Worker processes; 0 trains in this one. [default: one a core]"),
    ] = None,
    memory_limit: Annotated[
        str | None,
        typer.Option(
            help="Bytes that a worker may hold, such as 4G. [default: its share of the machine]"
        ),
    ] = None,
    gpus_per_trial: Annotated[
        float | None,
        typer.Option(help="Share of a GPU, such as 0.25. [default: 1 where there is one]"),
    ] = None,
    cluster: Annotated[
        str | None,
        typer.Option(help="Train on this Dask cluster's workers, tls://HOST:PORT.", metavar="URL"),
    ] = None,
    tls_ca: Annotated[Path | None, typer.Option(help="The cluster's authority, PEM.")] = None,
    tls_cert: Annotated[Path | None, typer.Option(help="Certificate to show it, PEM.")] = None,
    tls_key: Annotated[Path | None, typer.Option(help="The certificate's key, PEM.")] = None,
    insecure: Annotated[
        bool, typer.Option("--insecure", help="Allow tcp:// beyond this machine: anyone may read.")
    ] = False,
    cluster_timeout: Annotated[
        str, typer.Option(help="How long a cluster is waited for that is away.")
    ] = "10m",
    max_failures: Annotated[
        int, typer.Option(help="Stop when so many evaluations have failed in a row.")
    ] = 20,
    timeout: Annotated[
        str | None, typer.Option(help="Begin no new trial after this time, such as 30m.")
    ] = None,
    replay: Annotated[
        Path | None,
        typer.Option(
            help="Train nothing: answer from this table, with 2 --workers that are simulated."
        ),
    ] = None,
    quiet: Annotated[bool, typer.Option(help="No progress.")] = False,
    as_json: Json = False,
) -> int:
    """Search: bring a study to --trials trials, and print its Pareto front.

    The same command again continues a study that was interrupted, and prints the results of one
    that is finished.
    """
    from nas.commands.run import Asked, run_command

    return run_command(
        Asked(
            trials=trials,
            dataset=dataset,
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
            pixel_range=pixel_range,
            seed=seed,
            precision=precision,
            workers=workers,
            timeout=timeout,
            replay=replay,
            max_failures=max_failures,
            memory_limit=memory_limit,
            gpus_per_trial=gpus_per_trial,
            cluster=cluster,
            tls_ca=tls_ca,
            tls_cert=tls_cert,
            tls_key=tls_key,
            insecure=insecure,
            cluster_timeout=cluster_timeout,
        ),
        quiet=quiet or as_json,
        as_json=as_json,
    )


def studies(
    storage: Storage = DEFAULT_STORAGE,
    export: Annotated[
        Path | None,
        typer.Option(help="Add all evaluations to this table, which `nas run --replay` reads."),
    ] = None,
    timed: Annotated[
        bool,
        typer.Option(help="Export seconds; not so where the machine was busy with other work."),
    ] = True,
    as_json: Json = False,
) -> None:
    """List the studies of a database, and who runs them now."""
    from nas.commands import tables
    from studies.lock import holders
    from studies.results import load_results
    from studies.store import open_store

    store = open_store(storage)
    if export is not None:
        from nas.files import EVALUATIONS, check_suffix
        from studies.table import export_table

        check_suffix("--export", export, EVALUATIONS)
        table, new = export_table(store, export, timed)
        candidates = counted(len(table.candidates), "candidate")
        total = f"{counted(len(table.outcomes), 'evaluation')} of {candidates}"
        print(f"table: {export} with {total}, {new:,} of them new", file=sys.stderr)
    drivers = {name: holder for name, holder in holders(store).items() if holder.runs()}
    found = [
        (load_results(store, name), store.study(name), drivers.get(name))
        for name in store.study_names()
    ]
    if as_json:
        print_json([tables.study_json(*one) for one in found])
    else:
        tables.print_studies(store.shown, found)


def space(
    space: Space = None,
    resolution: Resolution = 28,
    toml: Annotated[bool, typer.Option("--toml", help="Print the space as TOML alone.")] = False,
    as_json: Json = False,
) -> None:
    """Print the search space: its dimensions, its exact size, and itself as TOML."""
    from nas.commands import tables
    from nas.commands.parsing import read_space
    from search_space.dimensions import DIMENSIONS, general
    from search_space.size import size

    chosen = read_space(space)
    if toml:
        print(chosen.to_toml(), end="")
        return
    total = size(chosen, resolution)
    if as_json:
        print_json({"dimensions": chosen.to_json(), **total._asdict()})
        return
    tables.print_space(
        [(name, choices, DIMENSIONS[general(name)].words) for name, choices in chosen.items()]
    )
    print(f"{counted(total.architectures, 'architecture')} at {resolution}x{resolution}")
    print(f"{counted(total.candidates, 'candidate')} with label smoothing\n")
    print(chosen.to_toml(), end="")


COMMANDS = (run, studies, space)
