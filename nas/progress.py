"""How far work is: a bar on a terminal or in a notebook, elsewhere lines, or nothing at all."""

import html
import sys
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Protocol

LINE_SECONDS = 10.0
"""Least time between two lines where the output isn't a terminal."""

CELL_SECONDS = 0.5
"""Least time between two states of a bar in a notebook."""


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
    """A reporter: a bar on a terminal and below a notebook's cell, else lines; nothing if quiet."""
    if quiet:
        yield lambda progress: None
    elif _in_notebook():
        yield _cell()
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


def _in_notebook() -> bool:
    """Whether this is the kernel of a notebook."""
    ipython = sys.modules.get("IPython")
    return ipython is not None and hasattr(ipython.get_ipython(), "kernel")


def _cell() -> Callable[[Shown], None]:
    """A bar as HTML that is renewed in its place; widgets, which may be missing, aren't needed."""
    from IPython.display import HTML, display

    handle = display(HTML(""), display_id=True)

    def show(progress: Shown) -> None:
        words = html.escape(f"{progress.share()} {progress.details()}")
        bar = f'<progress value="{progress.ended()}" max="{progress.total}"></progress>'
        handle.update(HTML(f"{bar} {words}"))

    return _seldom(CELL_SECONDS, show)


def _lines() -> Callable[[Shown], None]:
    def show(progress: Shown) -> None:
        print(f"{progress.share()} | {progress.details()}", file=sys.stderr, flush=True)

    return _seldom(LINE_SECONDS, show)


def _seldom(seconds: float, show: Callable[[Shown], None]) -> Callable[[Shown], None]:
    """A reporter that shows a state at most once in so many seconds, and the last one."""
    last = -seconds

    def report(progress: Shown) -> None:
        nonlocal last
        now = time.monotonic()
        if now - last >= seconds or progress.ended() == progress.total:
            last = now
            show(progress)

    return report


def clock(seconds: float) -> str:
    """Seconds as h:mm:ss or m:ss."""
    minutes, rest = divmod(round(seconds), 60)
    hours, minutes = divmod(minutes, 60)
    return f"{hours}:{minutes:02}:{rest:02}" if hours else f"{minutes}:{rest:02}"
