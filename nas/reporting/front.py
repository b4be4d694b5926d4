"""The front of a study: a table for people, JSON, CSV, and a picture as PNG or SVG."""

import csv
import importlib.util
import io
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from rich.console import Console
from rich.text import Text

from nas.files import CSV, PAGE, PNG, SVG, check_file, replace_file, write_text
from nas.reporting.tables import new_table
from studies.axis import Axis
from studies.results import Result, Results
from studies.wording import counted

KINDS = {"--html": PAGE, "--csv": CSV, "--png": PNG, "--svg": SVG}
"""What each option writes."""

SIZE = (1300, 480)
"""Width and height of a picture in pixels; a PNG has twice as many."""


def check(files: Mapping[str, Path | None]) -> None:
    """ValueError where one of the files, by their options, can't be written, or not drawn."""
    taken: dict[Path, str] = {}
    for option, path in files.items():
        if path is not None:
            if (other := taken.setdefault(path.resolve(), option)) != option:
                raise ValueError(f"{other} and {option} are both {path}; give each its own file")
            check_file(option, path, KINDS[option])
            if option in ("--png", "--svg") and importlib.util.find_spec("kaleido") is None:
                raise ValueError(
                    f"{option} needs kaleido, which is not installed: "
                    "pip install 'inception-nas[images]', or give --html"
                )


def print_front(results: Results) -> None:
    """The front as a table, cheapest first."""
    front = results.front()
    of = counted(len(results.completed), "trial")
    members = f"{len(front)} of {of}" if front else "empty"
    table = new_table(f"Pareto front of {results.study}: {members}")
    table.add_column("trial", justify="right")
    for axis in results.axes:
        table.add_column(axis.name, justify="right")
    table.add_column("architecture", overflow="fold", ratio=1)
    for result in front:
        values = [
            axis.shown(value) for axis, value in zip(results.axes, result.values, strict=True)
        ]
        table.add_row(str(result.number), *values, Text(result.text))
    Console().print(table)


def front_json(results: Results) -> dict[str, Any]:
    """The front, and the study's state, as JSON data."""
    return {
        "study": results.study,
        "objectives": [axis.name for axis in results.axes],
        "trials": results.states,
        "hypervolume": results.hypervolume(),
        "failures": results.failures,
        "over_limits": results.over,
        "front": [_result_json(results.axes, result) for result in results.front()],
    }


def _result_json(axes: Sequence[Axis], result: Result) -> dict[str, Any]:
    known = {"params": result.params, "flops": result.flops}
    values = zip(axes, result.values, strict=True)
    return {
        "trial": result.number,
        "values": {axis.name: axis.number(value) for axis, value in values},
        **known,
        "key": result.key,
        "architecture": result.text,
    }


def write_csv(results: Results, path: Path) -> None:
    """The front, cheapest first: trial, objectives, params, flops, key, architecture."""
    text = io.StringIO(newline="")
    known = [name for name in ("params", "flops") if name not in _names(results)]
    writer = csv.writer(text, lineterminator="\n")
    writer.writerow(["trial", *_names(results), *known, "key", "architecture"])
    for row in front_json(results)["front"]:
        values = [row["values"][name] for name in _names(results)]
        costs = [row[name] for name in known]
        writer.writerow([row["trial"], *values, *costs, row["key"], row["architecture"]])
    write_text(path, text.getvalue(), "table")


def _names(results: Results) -> list[str]:
    return [axis.name for axis in results.axes]


def write_picture(results: Results, path: Path, kind: str) -> None:
    """The plot as ``kind``, png or svg, drawn by kaleido in a browser; ValueError without."""
    from studies.plots import pareto_figure

    figure = pareto_figure(results.points(), results.axes, f"Pareto front of {results.study}")
    width, height = SIZE
    scale = 2 if kind == "png" else 1
    try:
        content = figure.to_image(format=kind, width=width, height=height, scale=scale)
    except Exception as error:  # of kaleido, of its driver or of the browser, each with its own
        first = (str(error).strip().splitlines() or [type(error).__name__])[0]
        raise ValueError(
            f"--{kind}: kaleido could not draw with a browser ({first}); install Chrome or "
            "Chromium, or name it in BROWSER_PATH, or give --html"
        ) from None
    replace_file(path, content)
