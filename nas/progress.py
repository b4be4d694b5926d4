"""How far work is, shown on a terminal as a bar, elsewhere as lines, or not at all."""

import sys
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Protocol

LINE_SECONDS = 10.0
"""Least time between two lines where the output isn't a terminal."""


class Shown(Protocol):
    """What can be shown of a run: ``ended`` of ``total`` things are done."""

    @property
    def total(self) -> int: ...

    def ended(self) -> int: ...

    def share(self) -> str:
        """How much is done, and the time that is left."""

    def details(self) -> str:
        """What has come of it."""


@contextmanager
def shown(quiet: bool) -> Iterator[Callable[[Shown], None]]:
    """A reporter: a Rich bar where standard error is a terminal, else lines; nothing if quiet."""
    if quiet:
        yield lambda progress: None
    elif sys.stderr.isatty():
        with _bar() as report:
            yield report
    else:
        yield _lines()


@contextmanager
def _bar() -> Iterator[Callable[[Shown], None]]:
    from rich.console import Console, RenderableType
    from rich.progress import BarColumn, TextColumn, TimeElapsedColumn
    from rich.progress import Progress as Bar
    from rich.text import Text

    class TwoLines(Bar):
        """The bar, and below it what has come of the run so far."""

        details = ""

        def get_renderables(self) -> Iterator[RenderableType]:
            yield self.make_tasks_table(self.tasks)
            yield Text(self.details)

    columns = (BarColumn(), TextColumn("{task.description}"), TimeElapsedColumn())
    with TwoLines(*columns, console=Console(stderr=True)) as bar:
        task = bar.add_task("starting", total=None)

        def report(progress: Shown) -> None:
            bar.details = progress.details()
            bar.update(
                task,
                description=progress.share(),
                completed=progress.ended(),
                total=progress.total,
            )

        yield report


def _lines() -> Callable[[Shown], None]:
    last = -LINE_SECONDS

    def report(progress: Shown) -> None:
        nonlocal last
        now = time.monotonic()
        if now - last >= LINE_SECONDS or progress.ended() == progress.total:
            last = now
            print(f"{progress.share()} | {progress.details()}", file=sys.stderr, flush=True)

    return report


def clock(seconds: float) -> str:
    """Seconds as h:mm:ss or m:ss."""
    minutes, rest = divmod(round(seconds), 60)
    hours, minutes = divmod(minutes, 60)
    return f"{hours}:{minutes:02}:{rest:02}" if hours else f"{minutes}:{rest:02}"
