"""`nas evaluate`: how good a model is on images that it has not seen, and how fast."""

from typing import TYPE_CHECKING, Annotated, Any

import typer
from rich.console import Console
from rich.text import Text

from nas.cli import parsing
from nas.cli.options import (
    DataDir,
    Json,
    ModelOrFile,
    OfModel,
    PixelRange,
    print_json,
)
from nas.reporting.tables import new_table

if TYPE_CHECKING:
    from nas.model.scores import Interval
    from nas.reporting.evaluation import Evaluated


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
    from nas.model.images import Where
    from nas.model.loading import load_classifier
    from nas.reporting.evaluation import evaluate as evaluate_model

    images = Where(dataset, data_dir, parsing.pixel_range(pixel_range))
    found = evaluate_model(load_classifier(model), images, validation, batch_size, quiet=as_json)
    if as_json:
        print_json(to_json(found))
    else:
        print_evaluated(found)


def print_evaluated(evaluated: "Evaluated") -> None:
    """The scores, then a row a class, then a row for each time."""
    scores = evaluated.scores
    console = Console(soft_wrap=True, highlight=False)
    console.print(
        Text(
            f"{scores.images:,} {evaluated.split} images of {evaluated.dataset}, "
            f"{evaluated.runtime}\n"
            f"  accuracy {scores.accuracy:.2%}, 95 % interval {_interval(scores.interval)}\n"
            f"  balanced accuracy, the mean over classes, {scores.balanced_accuracy:.2%}\n"
            f"  negative log-likelihood {scores.loss:.4f}\n"
            f"  expected calibration error {scores.calibration_error:.2%}"
        )
    )
    table = new_table("By class")
    table.add_column("class", overflow="fold")
    for name in ("images", "accuracy", "95 % interval"):
        table.add_column(name, justify="right")
    for one in scores.per_class:
        accuracy = f"{one.accuracy:.2%}" if one.n else "-"
        table.add_row(Text(one.name), f"{one.n:,}", accuracy, _interval(one.interval))
    console.print(table)
    table = new_table("Time on this machine (one thread: its CPU time; all: elapsed)")
    for name in ("images", "threads", "median", "quartiles", "runs", "images/s"):
        table.add_column(name, justify="right")
    for threads, took in evaluated.times:
        quartiles = f"{1000 * took.low:.3f}..{1000 * took.high:.3f} ms"
        speed = f"{took.batch / took.median:,.0f}"
        median = f"{1000 * took.median:.3f} ms"
        table.add_row(f"{took.batch}", threads, median, quartiles, f"{took.runs}", speed)
    console.print(table)


def _interval(interval: "Interval") -> str:
    return "{:.2%} to {:.2%}".format(*interval)


def to_json(evaluated: "Evaluated") -> dict[str, Any]:
    """The scores, the confusion matrix and the times (in seconds) as JSON data."""
    return {
        "dataset": evaluated.dataset,
        "split": evaluated.split,
        "runtime": evaluated.runtime,
        **evaluated.scores.to_json(),
        "notes": list(evaluated.notes),
        "latency": [
            {"threads": threads, **took._asdict(), "images_per_second": took.batch / took.median}
            for threads, took in evaluated.times
        ],
    }
