"""The commands from a candidate to a network in use: train."""

from pathlib import Path
from typing import Annotated

import typer

from nas.cli.options import (
    DEFAULT_STORAGE,
    DEFAULT_STUDY,
    AtResolution,
    Channels,
    Json,
    Storage,
    Study,
)


def train(
    network: Annotated[
        str | None,
        typer.Argument(help="Number of a trial, best, name in the catalog, or JSON file."),
    ] = None,
    front: Annotated[
        bool, typer.Option("--front", help="Train every member of the study's front.")
    ] = False,
    study: Study = DEFAULT_STUDY,
    storage: Storage = DEFAULT_STORAGE,
    dataset: Annotated[
        str | None, typer.Option(help="Images. [default: the trial's, or fashion-mnist]")
    ] = None,
    data_dir: Annotated[Path | None, typer.Option(help="Directory of their files.")] = None,
    resolution: AtResolution = None,
    channels: Channels = None,
    epochs: Annotated[
        int | None,
        typer.Option(help="Passes over the training images. [default: 30, or what fits]"),
    ] = None,
    train_size: Annotated[
        str | None, typer.Option(help="Training images, drawn at random. [default: all]")
    ] = None,
    validate: Annotated[
        bool,
        typer.Option("--validate", help="Hold the validation images out, and measure on them."),
    ] = False,
    out: Annotated[
        Path | None, typer.Option(help="Directory of the model. [default: named after it]")
    ] = None,
    seed: Annotated[int, typer.Option(help="Of weights, order and augmentation.")] = 0,
    time_limit: Annotated[
        str | None,
        typer.Option(help="As many epochs as fit into this, such as 75m; of a front in all."),
    ] = None,
    precision: Annotated[
        str, typer.Option(help="auto, float32 or bf16; auto measures which is faster.")
    ] = "auto",
    flip: Annotated[
        bool | None,
        typer.Option(
            "--flip/--no-flip",
            help="Mirror images at random. [default: where left and right mean nothing]",
        ),
    ] = None,
    quiet: Annotated[bool, typer.Option(help="No progress.")] = False,
    as_json: Json = False,
) -> int:
    """Train a network to the end on all training images, then test it, once.

    The same command again continues a training that was interrupted.
    """
    from nas.commands.train import Asked, train_command

    asked = Asked(
        network=network,
        front=front,
        study=study,
        storage=storage,
        dataset=dataset,
        data_dir=data_dir,
        resolution=resolution,
        channels=channels,
        epochs=epochs,
        train_size=train_size,
        validate=validate,
        out=out,
        seed=seed,
        time_limit=time_limit,
        precision=precision,
        flip=flip,
    )
    return train_command(asked, quiet=quiet or as_json, as_json=as_json)


COMMANDS = (train,)
