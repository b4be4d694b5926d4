"""What the commands show: tables and a page for people, JSON for programs."""

from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

from rich import box
from rich.console import Console
from rich.table import Table
from rich.text import Text

from studies.lock import Holder
from studies.pareto import Axis
from studies.results import Result, Results
from studies.wording import counted

if TYPE_CHECKING:
    from optuna.trial import FrozenTrial


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


def write_text(path: Path, text: str, what: str) -> None:
    """Write a file; ValueError where that can't be done."""
    content = text.encode("utf-8", "replace")
    try:
        path.write_bytes(content)
    except OSError as error:
        raise ValueError(f"{what} {path} can't be written: {error.strerror}") from None


def print_studies(
    shown: str, studies: Sequence[tuple[Results, dict[str, Any], Holder | None]]
) -> None:
    """One row a study: how many trials ended how, the front, when it was begun, who runs it."""
    table = new_table(f"Studies in {shown}")
    table.add_column("study", overflow="fold")
    table.add_column("sampler", overflow="fold")
    for name in ("done", "pruned", "failed", "left", "front", "hypervolume"):
        table.add_column(name, justify="right")
    table.add_column("begun")
    lost = any(results.lost for results, *_ in studies)
    if lost:
        table.add_column("lost workers", justify="right")
    run = any(driver for *_, driver in studies)
    if run:
        table.add_column("run by", overflow="fold")
    for results, row, driver in studies:
        states = [results.states.get(s, 0) for s in ("complete", "pruned", "fail", "running")]
        table.add_row(
            Text(results.study),
            row["settings"]["sampler"],
            *map(str, states),
            str(len(results.front())),
            f"{results.hypervolume():.3f}",
            f"{row['created']:%Y-%m-%d}",
            *([str(results.lost)] if lost else []),
            *([Text(f"{driver.pid} on {driver.host}" if driver else "")] if run else []),
        )
    console = Console()
    console.print(table)
    for results, *_ in studies:
        if results.failures:
            often = max(results.failures, key=results.failures.__getitem__)
            failed = counted(sum(results.failures.values()), "failure")
            count = f"{results.failures[often]} of {failed}"
            console.print(Text(f"{results.study}: {count}: {often}"))


def study_json(
    results: Results, row: dict[str, Any], driver: Holder | None = None
) -> dict[str, Any]:
    """A study's state and settings, and who runs it, as JSON data."""
    return {
        "study": results.study,
        "created": f"{row['created']:%Y-%m-%dT%H:%M:%SZ}",
        "trials": results.states,
        "failures": results.failures,
        "lost_workers": results.lost,
        "front": len(results.front()),
        "hypervolume": results.hypervolume(),
        "driver": driver and driver.to_json(),
        "settings": row["settings"],
        "versions": row["versions"],
    }


def print_trial(
    trial: "FrozenTrial",
    axes: Sequence[Axis],
    budgets: Sequence[int],
    evaluation: dict[str, Any] | None,
    layers: str,
) -> None:
    """A trial in full: state, values, rungs, candidate, layers, learning curve."""
    console = Console(soft_wrap=True)
    known = trial.user_attrs
    console.print(f"trial {trial.number}: {trial.state.name.lower()}", highlight=False)
    for axis, value in zip(axes, trial.values or (), strict=False):
        console.print(f"  {axis.name}: {axis.shown(value)}", highlight=False)
    for budget, accuracy in zip(budgets, known.get("rungs", ()), strict=False):
        console.print(f"  accuracy at {budget:,} images: {accuracy:.2%}", highlight=False)
    if "stopped" in known:
        console.print(f"  stopped {known['stopped']}", highlight=False)
    for name, excess in trial.constraints.items():
        if excess > 0:
            console.print(f"  over the limit of {name} by {excess:.1%}", highlight=False)
    if "failure" in known:
        console.print(Text(f"  reason: {known['failure']}"))
    console.print(Text(f"  key: {known['key']}\n  architecture: {known['architecture']}\n"))
    console.print(Text(layers))
    if evaluation:
        console.print(
            f"\nevaluated with {evaluation['budget']:,} images in {evaluation['seconds']:.1f} s "
            f"on {evaluation['host']}, {evaluation['images_per_second']:,.0f} images/s",
            highlight=False,
        )
        table = new_table("Learning curve (training)")
        for name in ("images", "loss", "accuracy"):
            table.add_column(name, justify="right")
        for images, loss, accuracy in evaluation["curve"]:
            table.add_row(f"{images:,}", f"{loss:.4f}", f"{accuracy:.2%}")
        console.print(table)


def print_space(rows: Sequence[tuple[str, Sequence[Any], str]]) -> None:
    """The dimensions of a space and their choices."""
    table = new_table("Dimensions (those of a stage are chosen for each stage)")
    table.add_column("dimension")
    table.add_column("choices", overflow="fold")
    table.add_column("what it is", overflow="fold")
    for name, choices, words in rows:
        table.add_row(name, ", ".join(str(choice).lower() for choice in choices), words)
    Console().print(table)


def new_table(title: str) -> Table:
    """An empty table in the look that all of them have."""
    return Table(
        title=Text(title),
        title_justify="left",
        title_style="bold",
        box=box.SIMPLE_HEAD,
        collapse_padding=True,
        pad_edge=False,
    )
