"""Tests of `nas watch`: what it shows, when it draws again, and how it ends."""

import io
import signal
import sqlite3
from collections.abc import Callable
from contextlib import ExitStack
from pathlib import Path

import pytest
from rich.console import Console

from nas.reporting.watch import Seen, follow, look, page
from nas.settings import Request, Settings
from search_space.space import SearchSpace
from studies.axis import Axis
from studies.evaluation import Evaluation
from studies.lock import only_driver
from studies.results import Result, Results
from studies.rungs import Rung
from studies.store import Store

Run = Callable[..., tuple[int, str, str]]
Bring = Callable[..., None]
AXES = (
    Axis("accuracy", "fraction", maximize=True, log=False, reference=0.1),
    Axis("params", "parameters", maximize=False, log=True, reference=1e7),
)

SPACE = """
[stem]
kernel = [3]
stride = [2]
width = [4, 8]
[body]
stages = [1]
[stage]
blocks = [1]
width = [16, 24]
"""
SETTINGS = Settings(
    space=SearchSpace.from_toml(SPACE), sampler="random", budgets=(256,), resolution=8
)


def pretend(request: Request) -> Evaluation:
    accuracy = 0.5 + 0.4 * (int(request.candidate.key, 16) % 997 / 997)
    return Evaluation(accuracy, 1.0, (), 1.0, 1e4, "here", {})


@pytest.fixture(scope="module")
def database(make_database: Callable[..., Path]) -> Path:
    """A study of 4 trials, s."""
    return make_database(SETTINGS, 4, pretend)


class Terminal(Console):
    """A terminal of 100 columns that is written down."""

    def __init__(self, height: int = 40, **more: bool) -> None:
        self.said = io.StringIO()
        super().__init__(file=self.said, width=100, height=height, color_system=None, **more)

    def text(self) -> str:
        return self.said.getvalue()


def printed(seen: Seen, height: int | None = None, ascii_only: bool = False) -> list[str]:
    console = Terminal(force_terminal=False)
    console.print(page(seen, 100, height, ascii_only))
    return console.text().splitlines()


def made(count: int, **more: object) -> Seen:
    """A study of so many trials, all on the front."""
    known = [(0.5 + n / 1000, 1000 + n) for n in range(count)]
    text = f"net{' long' * 60}"
    completed = [Result(n, v, f"k{n}", text, v[1], 0, 1.0) for n, v in enumerate(known)]
    results = Results("s", AXES, tuple(completed), {"complete": count}, **more)  # type: ignore[arg-type]
    return Seen(results, (Rung(1_000, count, 2, 1, 3), Rung(4_000, count, 0, 0)), 0, None)


def test_what_is_shown_of_a_study() -> None:
    lines = printed(made(3, failures={"out of memory": 2}, lost=1))
    text = "\n".join(lines)
    assert "s: nobody runs it" in text
    assert "3 completed" in text
    assert "1,000 images: 3 left at it, 3 went on, 2 stopped, 1 failed" in text
    assert "4,000 images: 3 completed" in text
    assert "workers lost: 1" in text
    assert "failed, 2 x: out of memory" in text
    assert f"hypervolume {made(3).results.hypervolume():.3f}" in text
    assert sum(line.count("●") for line in lines) == 3 + 1  # and the caption
    assert text.split().count("long") == 3 * 60


@pytest.mark.parametrize("count", [0, 1, 5, 300])
@pytest.mark.parametrize("height", [24, 40, 60])
def test_a_window_is_never_too_low(count: int, height: int) -> None:
    seen = made(count, failures={"a reason " * 30: 2, "b": 1, "c": 1, "d": 1}, lost=1)
    lines = printed(seen, height)
    assert len(lines) <= height
    if count:
        number, accuracy, params, *_ = lines[-1].split()
        assert (number, params) == (str(count - 1), f"{999 + count:,}")
        assert accuracy == f"{50 + (count - 1) / 10:.2f}%"
        assert lines[-1].endswith("…")


def test_nothing_that_is_shown_moves_the_cursor_or_is_markup() -> None:
    seen = made(1, failures={"[bold]a\x1b[2J\nb\u202e": 1})
    lines = printed(seen)
    assert "failed, 1 x: [bold]a?[2J b?" in lines
    assert "\n".join(printed(seen, ascii_only=True)).replace("─", "-").isascii()


def test_without_a_terminal_it_is_shown_once(studied: Store, nas_in: Run) -> None:
    with only_driver(studied, "s"):
        code, out, err = nas_in("watch", "--study", "s", "--storage", "sqlite:///a.db")
    assert (code, err) == (0, "")
    assert "s: run by process" in out
    assert "trials: 4 completed" in out
    assert "\x1b" not in out


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        (("--study", "t", "--storage", "sqlite:///a.db"), "study 't' is not in"),
        (("--storage", "sqlite:///none.db"), "none.db"),
    ],
)
def test_bad_input_is_one_line(
    studied: Store, nas_in: Run, arguments: tuple[str, ...], said: str
) -> None:
    code, out, err = nas_in("watch", *arguments)
    assert (code, out, err.count("\n")) == (2, "", 1)
    assert said in err
    assert not Path("none.db").exists()


def test_it_is_drawn_again_when_something_changed_until_nobody_runs_the_study(
    studied: Store, bring: Bring
) -> None:
    console = Terminal(force_terminal=True)
    lengths = []
    with ExitStack() as driver:
        driver.enter_context(only_driver(studied, "s"))

        def sleep(_seconds: float) -> None:
            lengths.append(len(console.text()))
            if len(lengths) == 2:
                bring(studied, SETTINGS, 6, pretend)
            elif len(lengths) == 4:
                driver.close()

        follow(studied, "s", console, sleep)
    first, second, third, fourth = lengths
    assert (first, third) == (second, fourth)
    assert second < third
    assert "trials: 4 completed" in console.text()[:first]
    assert "trials: 6 completed" in console.text()[first:third]
    left = console.text()[fourth:].partition("\x1b[?1049l")[2]  # the terminal as it was before
    assert "s: nobody runs it" in left
    assert "trials: 6 completed" in left


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM])
def test_a_signal_leaves_what_was_shown(studied: Store, number: signal.Signals) -> None:
    console = Terminal(force_terminal=True)

    def sleep(_seconds: float) -> None:
        signal.raise_signal(number)

    with only_driver(studied, "s"):
        follow(studied, "s", console, sleep)
    assert "trials: 4 completed" in console.text().partition("\x1b[?1049l")[2]


def test_watching_writes_nothing(studied: Store, tmp_path: Path) -> None:
    with sqlite3.connect(tmp_path / "a.db") as other:
        (before,) = other.execute("PRAGMA data_version").fetchone()
        look(studied, "s", SETTINGS.budgets)
        assert other.execute("PRAGMA data_version").fetchone() == (before,)
    other.close()
