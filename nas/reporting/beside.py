"""What `nas try` shows: networks beside each other after equal short runs, as a table or JSON."""

from typing import Any

from rich.console import Console
from rich.text import Text

from nas.reporting.tables import Rows, print_rows
from nas.study.beside import Beside
from studies.text_plot import short
from studies.wording import counted


def caption(beside: Beside) -> str:
    """How long the networks were trained, on which images."""
    return f"After {beside.budget:,} training images as {'x'.join(map(str, beside.view.shape))}"


def table(beside: Beside) -> Rows:
    """The networks, the most accurate first."""
    rows = []
    for one in beside.networks:
        mean = "" if one.accuracy is None else f"{one.accuracy:.2%}"
        accuracy = "failed" if one.failure else mean
        known = "" if one.low is None else f"{one.low:.1%} to {one.high:.1%}"
        costs = f"{one.measures.params:,}", short(one.measures.flops)
        took = f"{one.seconds:,.0f} s"
        rows.append((one.name, accuracy, known, f"{len(one.accuracies)}", *costs, took))
    header = ("network", "accuracy", "95 %", "seeds", "parameters", "FLOPs", "a run")
    return Rows(caption(beside), header, rows, firm=True)


def print_beside(beside: Beside) -> None:
    """The table, and what its figures are."""
    console = Console(highlight=False)
    print_rows(console, table(beside))
    for one in beside.networks:
        if one.failure:
            console.print(Text(f"{one.name}: {one.failure}"))
    console.print(
        Text(
            f"Accuracies are means over seeds, of {counted(beside.images, 'validation image')}; "
            "intervals (95 %) count the noise of these and of the seeds. All were measured on the "
            "same images, so differences between networks are known somewhat better."
        )
    )


def flat_rows(beside: Beside) -> list[dict[str, Any]]:
    """A dictionary a network: numbers, words, and the list of its seeds' accuracies."""
    return [
        {
            "name": one.name,
            "accuracy": one.accuracy,
            "low": one.low,
            "high": one.high,
            "accuracies": list(one.accuracies),
            "params": one.measures.params,
            "flops": one.measures.flops,
            "seconds": one.seconds,
            "failure": one.failure,
        }
        for one in beside.networks
    ]


def to_json(beside: Beside) -> dict[str, Any]:
    """The same as JSON data."""
    channels, side, _ = beside.view.shape
    return {
        "budget": beside.budget,
        "channels": channels,
        "resolution": side,
        "seeds": beside.seeds,
        "validation_images": beside.images,
        "networks": flat_rows(beside),
    }
