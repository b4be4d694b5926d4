"""The front of a study: a table for people, JSON, CSV, and a picture as PNG or SVG."""

import csv
import importlib.util
import io
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any, NamedTuple

from rich.console import Console
from rich.text import Text

from nas.files import CSV, PAGE, PNG, SVG, check_file, replace_file, write_text
from nas.reporting.tables import new_table
from studies.axis import Axis
from studies.best import UNITS, Best, best_up_to, words_of
from studies.interval import Estimates
from studies.results import Result, Results
from studies.text_plot import short
from studies.wording import REPLAY_WORDS, counted

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


class Sizes(NamedTuple):
    """Sizes of a cost up to which the best network is wanted; none: those of `SIZES`."""

    cost: str = "params"
    sizes: tuple[int, ...] = ()


def print_results(results: Results, options: str = "", sizes: Sizes = Sizes()) -> None:  # noqa: B008
    """The best network up to each size, and the front; ``options`` are those of the study."""
    if results.replayed:
        print(REPLAY_WORDS)
    known = Estimates(results)
    if best := best_up_to(results, known, *sizes):
        print_best(results, best, options)
    print_front(results, known)


def print_best(results: Results, best: Sequence[Best], options: str = "") -> None:
    """The most accurate network up to each size, and the command that trains it."""
    of = UNITS[best[0].cost]
    table = new_table(f"Best network of {results.study} up to each number of {of}")
    for name in ("up to", "trial", "accuracy", "95 %", "parameters", "FLOPs"):
        table.add_column(name, justify="right", no_wrap=True)
    table.add_column("trains it", no_wrap=True)
    for one in best:
        accuracy, known, trial = one.accuracy(results), one.estimate, one.result
        if trial is None or accuracy is None:
            table.add_row(short(one.limit), "none")
            continue
        interval = f"{known.low:.1%} to {known.high:.1%}" if known else ""
        shown = f"{accuracy:.2%}" + ("" if one.useful else " *")
        costs = short(trial.params), short(trial.flops)
        command = f"nas train {trial.number}"
        table.add_row(short(one.limit), str(trial.number), shown, interval, *costs, command)
    Console().print(table)
    lines = [words_of(results)]
    if not all(one.useful for one in best if one.result):
        lines.append("* is below that.")
    if options:
        lines.append(f"`nas train` needs {options} too.")
    Console(highlight=False).print(Text(" ".join(lines)))
    print()


def print_front(results: Results, known: Estimates) -> None:
    """The front as a table, cheapest first; below it how many are of no use."""
    front = results.front()
    useful = [result for result in front if results.useful(result)] or front
    of = counted(len(results.completed), "trial")
    members = f"{len(front)} of {of}" if front else "empty"
    table = new_table(f"Pareto front of {results.study}: {members}")
    table.add_column("trial", justify="right")
    for axis in results.axes:
        table.add_column(axis.name, justify="right")
    if known.known:
        table.add_column("on it", justify="right")
    table.add_column("architecture", overflow="fold", ratio=1)
    for result in useful:
        values = [
            axis.shown(value) for axis, value in zip(results.axes, result.values, strict=True)
        ]
        if (chance := known.on_front(result)) is not None:
            values.append(f"{chance:.0%}")
        table.add_row(str(result.number), *values, Text(result.text))
    console = Console(highlight=False)
    console.print(table)
    if len(useful) < len(front):
        left = counted(len(front) - len(useful), "member")
        console.print(
            Text(f"{left} of the front no better than the reference: in --json and --csv alone")
        )


def front_json(results: Results, sizes: Sizes = Sizes()) -> dict[str, Any]:  # noqa: B008
    """The best network up to each size, the front, and the study's state, as JSON data."""
    front = results.front()
    known = Estimates(results)
    best = best_up_to(results, known, *sizes)
    return {
        "study": results.study,
        "replayed": results.replayed,
        "objectives": [axis.name for axis in results.axes],
        "trials": results.states,
        "hypervolume": results.hypervolume(),
        "failures": results.failures,
        "over_limits": results.over,
        "best_up_to": [
            {
                "cost": one.cost,
                "up_to": one.limit,
                "trial": one.result.number if one.result else None,
                "accuracy": one.accuracy(results),
                "useful": one.useful,
                **(_known_json(known, one.result) if one.result else {}),
            }
            for one in best
        ],
        "front": [
            _result_json(results.axes, result)
            | {"useful": results.useful(result), **_known_json(known, result)}
            for result in front
        ],
    }


def _known_json(known: Estimates, result: Result) -> dict[str, Any]:
    found = known.of(result)
    if found is None:
        return {}
    return {
        "seeds": result.seeds,
        "estimate": found.mean,
        "low": found.low,
        "high": found.high,
        "probability_of_front": known.on_front(result),
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
