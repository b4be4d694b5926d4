"""The command `nas watch`: a study while it runs, in a second terminal."""

import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any

from rich.console import Console, Group
from rich.live import Live
from rich.table import Table
from rich.text import Text

from nas.interrupt import until_stopped
from nas.reporting.tables import new_table
from nas.settings import Settings
from studies.axis import Axis
from studies.best import best_up_to
from studies.interval import Estimates
from studies.lock import BEAT_SECONDS, Holder, find_holder
from studies.results import Result, Results, of_trials
from studies.rungs import Rung, count
from studies.store import Store
from studies.text_plot import ASCII, FRONT, OTHER, Dot, Ruler, percent, short, text_plot
from studies.trials import load_trials, mark
from studies.wording import counted

WATCH_SECONDS = 2.0
MOST_REASONS = 3
PLOT_LINES = 18
LEAST_PLOT_LINES, MOST_PLOT_LINES = 7, 24
"""How high the plot may be in a window; without one it has PLOT_LINES."""


@dataclass(frozen=True)
class Seen:
    """What there is to see of a study at a moment; ``driver`` is who runs it, None if nobody.

    ``untrained`` trials were over a limit.
    """

    results: Results
    rungs: tuple[Rung, ...]
    untrained: int
    driver: str | None


def follow(
    store: Store,
    study: str,
    console: Console | None = None,
    sleep: Callable[[float], None] = time.sleep,
) -> None:
    """Show a study, on a terminal until nobody runs it or a signal; StoreError if it isn't there.

    What was shown last stays on the terminal.
    """
    budgets = Settings.from_json(store.study(study)["settings"]).budgets
    console = console or Console()
    seen = look(store, study, budgets)
    with until_stopped():
        if console.is_terminal and seen.driver is not None:
            seen = _follow(store, study, budgets, seen, console, sleep)
    console.print(page(seen, console.width, ascii_only=console.options.ascii_only))


def _follow(
    store: Store,
    study: str,
    budgets: Sequence[int],
    seen: Seen,
    console: Console,
    sleep: Callable[[float], None],
) -> Seen:
    """Show it until nobody runs it, drawn again when something has changed; what is seen then."""
    before = mark(store, study)
    drawn: tuple[Any, ...] | None = None
    with Live(console=console, screen=True, auto_refresh=False) as live:
        while seen.driver is not None:
            size = console.size
            if (seen, size) != drawn:
                ascii_only = console.options.ascii_only
                live.update(page(seen, size.width, size.height, ascii_only), refresh=True)
                drawn = seen, size
            sleep(WATCH_SECONDS)
            driver, now = _driver(find_holder(store, study)), mark(store, study)
            if (driver, now) != (seen.driver, before):
                seen, before = look(store, study, budgets), now
    return seen


def look(store: Store, study: str, budgets: Sequence[int]) -> Seen:
    """What there is to see of a study now."""
    driver = _driver(find_holder(store, study))
    trials = load_trials(store, study)
    results = of_trials(study, store.axes(study), trials)
    untrained = sum(trial.state == "pruned" and bool(trial.over) for trial in trials)
    return Seen(results, tuple(count(trials, budgets)), untrained, driver)


def _driver(holder: Holder | None) -> str | None:
    if holder is None or not holder.runs():
        return None
    return holder.who() if holder.silent < 2 * BEAT_SECONDS else holder.words()


def page(seen: Seen, width: int, height: int | None = None, ascii_only: bool = False) -> Group:
    """Who runs it, trials, rungs, failures, the plot and the front, in a window of that size.

    Without a height all of the front is shown, and lines are wrapped, not cut.
    """
    cut: dict[str, Any] = {} if height is None else {"no_wrap": True, "overflow": "ellipsis"}
    lines = [Text(line, **cut) for line in _words(seen)]
    lines[0].stylize("bold", 0, len(printable(seen.results.study)))
    front = seen.results.front()
    if not front:
        return Group(*lines, Text("no trial has completed yet", **cut))
    plot_lines, most = PLOT_LINES, len(front)
    if height is not None:
        left = height - len(lines) - 5  # the plot's caption, the table's heading, what is left out
        plot_lines = min(MOST_PLOT_LINES, max(LEAST_PLOT_LINES, left - min(len(front), left // 3)))
        most = max(1, left - plot_lines)
    lines += [Text(line, **cut) for line in _best(seen.results)]
    caption, *plot = _plot(seen.results, front, width, plot_lines)
    if ascii_only:
        caption, *plot = (line.translate(ASCII) for line in (caption, *plot))
    drawn = [Text(line, no_wrap=True) for line in plot]
    for line in drawn:
        line.highlight_regex(r"[●*]", "bold cyan")
    table = _table(seen.results.axes, front[-most:], len(front), cut)
    return Group(*lines, Text(caption, **cut), *drawn, table)


def _words(seen: Seen) -> list[str]:
    """Lines about the run: who runs it, its trials, its rungs, failures with their reasons."""
    results, states = seen.results, seen.results.states
    counts = {
        "completed": states.get("complete", 0) - results.repeats,
        "repeated": results.repeats,
        "stopped": states.get("pruned", 0) - seen.untrained,
        "over a limit": seen.untrained,
        "failed": states.get("fail", 0),
        "running" if seen.driver else "left unfinished": states.get("running", 0),
        "waiting": states.get("waiting", 0),
    }
    named = ", ".join(f"{number:,} {word}" for word, number in counts.items() if number)
    who = f"run by {seen.driver}" if seen.driver else "nobody runs it"
    lines = [
        f"{printable(results.study)}: {who}",
        f"trials: {named or 'none has begun'} | hypervolume {results.hypervolume():.3f}",
    ]
    for rung in seen.rungs:
        on = "completed" if rung is seen.rungs[-1] else "went on"
        counts = {
            "at it" if seen.driver else "left at it": rung.running,
            on: rung.on,
            "stopped": rung.stopped,
            "failed": rung.failed,
        }
        named = ", ".join(f"{number:,} {word}" for word, number in counts.items() if number)
        lines.append(f"  {rung.budget:,} images: {named or 'nobody yet'}")
    if results.lost:
        lines.append(f"workers lost: {results.lost}")
    often = sorted(results.failures.items(), key=lambda found: -found[1])
    lines += [f"failed, {number:,} x: {printable(why)}" for why, number in often[:MOST_REASONS]]
    if len(often) > MOST_REASONS:
        lines.append(
            f"failed for {counted(len(often) - MOST_REASONS, 'more reason')}: see `nas studies`"
        )
    return lines


def _best(results: Results) -> list[str]:
    """A line with the best accuracy up to each number of parameters."""
    best = best_up_to(results, Estimates(results))
    found = [
        f"{short(one.limit)}: {accuracy:.2%}{'' if one.useful else '*'}"
        for one in best
        if (accuracy := one.accuracy(results)) is not None
    ]
    below = "" if all(one.useful for one in best if one.result) else "  * no use yet"
    return [f"best up to {', '.join(found)}{below}"] if found else []


def _plot(results: Results, front: Sequence[Result], width: int, height: int) -> list[str]:
    """A caption, and the plot: accuracy, or the first objective, against parameters."""
    names = [axis.name for axis in results.axes]
    place = names.index("accuracy") if "accuracy" in names else 0
    axis, members = results.axes[place], {result.number for result in front}
    dots = [Dot(r.params, r.values[place], r.number in members) for r in results.completed]
    words = percent if axis.unit == "fraction" else short
    caption = f"{axis.name} against parameters (logarithmic): {FRONT} front, {OTHER} other trials"
    return [caption, *text_plot(dots, Ruler(True, short), Ruler(axis.log, words), width, height)]


def _table(axes: Sequence[Axis], shown: Sequence[Result], of: int, cut: dict[str, Any]) -> Table:
    """Members of the front, the most costly ones where not all are shown."""
    more = f", the last {len(shown)}" if len(shown) < of else ""
    table = new_table(f"Pareto front: {counted(of, 'trial')}, cheapest first{more}")
    table.show_edge = False
    for name in ("trial", *(axis.name for axis in axes)):
        table.add_column(name, justify="right", no_wrap=True)
    table.add_column("architecture", overflow="fold", ratio=1)
    for result in shown:
        values = [axis.shown(value) for axis, value in zip(axes, result.values, strict=True)]
        # The text is what isn't wrapped: of a column that isn't, Rich would cut the numbers too.
        table.add_row(str(result.number), *values, Text(printable(result.text), **cut))
    return table


def printable(text: str) -> str:
    """Text in one line that does nothing to a terminal."""
    return "".join(c if c.isprintable() else "?" for c in " ".join(text.split()))
