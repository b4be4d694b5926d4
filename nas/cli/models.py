"""The commands from a candidate to a network in use: train, export, predict, evaluate."""

from pathlib import Path
from typing import Annotated

import typer

from nas.cli.options import (
    DEFAULT_STORAGE,
    DEFAULT_STUDY,
    AtResolution,
    Channels,
    Json,
    PixelRange,
    Storage,
    Study,
    print_json,
)
from nas.export.formats import FORMATS

FORMAT_HELP = "; ".join(
    f"{name} ({known.suffixes[0]}): {known.words}" for name, known in FORMATS.items()
)

Model = Annotated[Path, typer.Argument(help="Directory that `nas train --out` wrote.")]
ModelOrFile = Annotated[
    Path,
    typer.Argument(help="Directory that `nas train --out` wrote, or an .onnx by `nas export`."),
]
OfModel = Annotated[
    str | None,
    typer.Option("--dataset", help="Where images are. [default: the model's data set]"),
]
DataDir = Annotated[Path | None, typer.Option(help="Directory of the data set's original files.")]


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
    pixel_range: PixelRange = None,
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
        bool | None,
        typer.Option(
            "--validate/--no-validate",
            help="Hold the validation images out, and measure on them. [default: no-validate]",
        ),
    ] = None,
    out: Annotated[
        Path | None, typer.Option(help="Directory of the model. [default: named after it]")
    ] = None,
    seed: Annotated[
        int | None, typer.Option(help="Of weights, order and augmentation. [default: 0]")
    ] = None,
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
    logger: Annotated[
        str | None,
        typer.Option(help="Log the curve for tensorboard or mlflow, or as csv."),
    ] = None,
    quiet: Annotated[bool, typer.Option(help="No progress.")] = False,
    as_json: Json = False,
) -> int:
    """Train a network to the end on all training images, then test it, once.

    The same command again continues a training that was interrupted; options that are left out
    are as they were then.
    """
    from nas.commands.train import Asked, train_command

    asked = Asked(
        network=network,
        front=front,
        study=study,
        storage=storage,
        dataset=dataset,
        data_dir=data_dir,
        pixel_range=pixel_range,
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
        logger=logger,
    )
    return train_command(asked, quiet=quiet or as_json, as_json=as_json)


def export(
    model: Model,
    out: Annotated[Path, typer.Option(help="File to write.")],
    format: Annotated[
        str | None, typer.Option(help=f"{FORMAT_HELP}. [default: by the suffix, or onnx]")
    ] = None,
    int8: Annotated[
        bool,
        typer.Option("--int8", help="8-bit integers (onnx), calibrated on training images."),
    ] = False,
    dataset: OfModel = None,
    data_dir: DataDir = None,
    pixel_range: PixelRange = None,
    as_json: Json = False,
) -> None:
    """Write a trained model as one file that runs without this package.

    It takes uint8 images [N, channels, height, width] under the name "images" and gives float32
    "probabilities" [N, classes]; the names of the classes are in its metadata. The file is run on
    the test images and compared with the model, and kept only if it says the same.
    """
    from nas.commands import export as exporting
    from nas.commands import parsing
    from nas.commands.images import Where

    where = Where(dataset, data_dir, parsing.pixel_range(pixel_range))
    exported = exporting.export_command(model, format, out, int8, where)
    if as_json:
        print_json(exporting.to_json(out, exported))
    else:
        print("\n".join(exporting.words(out, exported)))


def predict(
    model: ModelOrFile,
    images: Annotated[list[Path], typer.Argument(help="Image files, and folders of them.")],
    top: Annotated[int, typer.Option(min=1, help="Most probable classes to show.")] = 3,
    pixel_range: PixelRange = None,
    as_json: Json = False,
) -> None:
    """Say what a trained model sees in images of any size, gray or in colour.

    Images should look like those that the model was trained with: Fashion-MNIST's are single
    pieces of clothing, light on black, and a photograph on white is something else to the model.
    """
    from nas.classifier import load_classifier
    from nas.commands import parsing
    from nas.commands import predict as predicting

    classifier, asked = load_classifier(model), parsing.pixel_range(pixel_range)
    predictions = predicting.predict(classifier, images, top, asked, quiet=as_json)
    if as_json:
        print_json(predicting.to_json(predictions))
    else:
        predicting.print_predictions(predictions)


def evaluate(
    model: ModelOrFile,
    validation: Annotated[
        bool, typer.Option("--validation", help="The validation images, not the test images.")
    ] = False,
    batch_size: Annotated[
        int, typer.Option(min=1, max=65536, help="Images that are scored at once.")
    ] = 128,
    dataset: OfModel = None,
    data_dir: DataDir = None,
    pixel_range: PixelRange = None,
    as_json: Json = False,
) -> None:
    """Measure a trained model on the test images: accuracy, calibration, classes, and speed.

    This reads the test images, which no search does and `nas train` only once it is done: for the
    figure that ends a project. To choose among models train with --validate, and use --validation.
    """
    from nas.classifier import load_classifier
    from nas.commands import evaluate as evaluating
    from nas.commands import parsing
    from nas.commands.images import Where

    images = Where(dataset, data_dir, parsing.pixel_range(pixel_range))
    found = evaluating.evaluate(
        load_classifier(model), images, validation, batch_size, quiet=as_json
    )
    if as_json:
        print_json(evaluating.to_json(found))
    else:
        evaluating.print_evaluated(found)


COMMANDS = (train, export, predict, evaluate)
