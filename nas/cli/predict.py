"""`nas predict`: what a model sees in image files."""

from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer
from rich.console import Console
from rich.text import Text

from nas.cli import parsing
from nas.cli.options import (
    Json,
    ModelOrFile,
    PixelRange,
    print_json,
)
from nas.reporting.tables import new_table
from nas.text import printable

if TYPE_CHECKING:
    from nas.model.prediction import Prediction


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
    from nas.model.loading import load_classifier
    from nas.model.prediction import predict as predict_images

    classifier, asked = load_classifier(model), parsing.pixel_range(pixel_range)
    predictions = predict_images(classifier, images, top, asked, quiet=as_json)
    if as_json:
        print_json(to_json(predictions))
    else:
        print_predictions(predictions)


def print_predictions(predictions: "Sequence[Prediction]") -> None:
    """Print a table with a row for each image."""
    table = new_table("Predictions")
    table.add_column("image", overflow="fold")
    for place in range(1, len(predictions[0].top) + 1):
        table.add_column(f"{place}", overflow="fold")
        table.add_column("", justify="right")
    for prediction in predictions:
        cells: list[Text] = []
        for name, probability in prediction.top:
            cells += [Text(name), Text(f"{probability:.1%}")]
        assert isinstance(prediction.image, Path)
        table.add_row(Text(printable(prediction.image)), *cells)
    Console().print(table)


def to_json(predictions: "Sequence[Prediction]") -> list[dict[str, Any]]:
    """Predictions as JSON data."""
    return [
        {
            "image": str(prediction.image),
            "predictions": [
                {"class": name, "probability": probability} for name, probability in prediction.top
            ],
        }
        for prediction in predictions
    ]
