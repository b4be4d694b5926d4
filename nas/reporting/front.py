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
from nas.reporting.tables import Rows, new_table
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
    shown = best_rows(results, best)
    table = new_table(shown.caption)
    for name in shown.header[:-1]:
        table.add_column(name, justify="right", no_wrap=True)
    table.add_column(shown.header[-1], no_wrap=True)
    for row in shown.rows:
        table.add_row(*row)
    Console().print(table)
    lines = [words_of(results)]
    if not all(one.useful for one in best if one.result):
        lines.append("* is below that.")
    if options:
        lines.append(f"`nas train` needs {options} too.")
    Console(highlight=False).print(Text(" ".join(lines)))
    print()


def best_rows(results: Results, best: Sequence[Best]) -> Rows:
    """The same as rows of text; a star marks what is of no use."""
    of = UNITS[best[0].cost] if best else UNITS["params"]
    header = ("up to", "trial", "accuracy", "expected", "95 %", "params", "FLOPs", "trains it")
    rows = []
    for one in best:
        accuracy, known, trial = one.accuracy(results), one.estimate, one.result
        if trial is None or accuracy is None:
            rows.append((short(one.limit), "none", *("" for _ in header[2:])))
            continue
        expected = f"{known.mean:.2%}" if known else ""
        interval = f"{100 * known.low:.1f} to {100 * known.high:.1f}" if known else ""
        shown = f"{accuracy:.2%}" + ("" if one.useful else " *")
        about = shown, expected, interval, short(trial.params), short(trial.flops)
        rows.append((short(one.limit), str(trial.number), *about, f"nas train {trial.number}"))
    return Rows(f"Best network of {results.study} up to each number of {of}", header, rows)


def print_front(results: Results, known: Estimates) -> None:
    """The front as a table, cheapest first; below it how many are of no use."""
    shown = front_rows(results, known)
    table = new_table(shown.caption)
    for name in shown.header[:-1]:
        table.add_column(name, justify="right")
    table.add_column(shown.header[-1], overflow="fold", ratio=1)
    for row in shown.rows:
        table.add_row(*map(Text, row))
    console = Console(highlight=False)
    console.print(table)
    front = results.front()
    if 0 < len(shown.rows) < len(front):
        left = counted(len(front) - len(shown.rows), "member")
        console.print(
            Text(f"{left} of the front no better than the reference: in --json and --csv alone")
        )


def front_rows(results: Results, known: Estimates) -> Rows:
    """The members of the front that are of use, all where none is, as rows of text."""
    front = results.front()
    useful = [result for result in front if results.useful(result)] or front
    of = counted(len(results.completed), "trial")
    members = f"{len(front)} of {of}" if front else "empty"
    chance = ("on it",) if known.known else ()
    header = ("trial", *(axis.name for axis in results.axes), *chance, "architecture")
    rows = []
    for result in useful:
        values = [
            axis.shown(value) for axis, value in zip(results.axes, result.values, strict=True)
        ]
        if known.known:
            likely = known.on_front(result)
            values.append("" if likely is None else f"{likely:.0%}")
        rows.append((str(result.number), *values, result.text))
    return Rows(f"Pareto front of {results.study}: {members}", header, rows)


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
