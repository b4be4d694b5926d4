"""The command line, one file a command: options become values once, are checked, and handed on.

Entered by the console script. Nothing else imports from here. Heavy packages (NumPy, SciPy, torch,
Optuna, Plotly, SQLAlchemy) are imported inside the commands, so that every ``--help`` is there at
once.
"""

import atexit
import errno
import functools
import gc
import importlib
import importlib.metadata
import keyword
import os
import sys
from typing import Annotated, Any

import typer
from typer.core import TyperGroup

from nas.cli import streams

COMMANDS = (
    *("run", "studies", "space"),
    *("pareto", "report", "watch", "dashboard"),
    *("show", "compare", "compare-studies", "shapes", "try"),
    *("train", "export", "predict", "evaluate"),
)
"""Each is the function of that name in the module of that name, in the order of the help text; a
hyphen is an underscore there, and after a word of Python's own there is one.
"""

FEW_COLLECTIONS = 50_000
"""Objects that are made between two looks for garbage, instead of 700: while packages are imported
there is none, and a fifth of a short command's time went into looking for it.
"""

INTERRUPTED = 130


class _RaisedError(Exception):
    """What a command raised, carried past Typer, which would end the process over some of it."""

    def __init__(self, error: BaseException) -> None:
        super().__init__(error)
        self.error = error


class _Commands(TyperGroup):
    def invoke(self, ctx: Any) -> Any:
        """The command's result; _RaisedError where it was interrupted, or the system failed it."""
        try:
            os.getcwd()
        except OSError:
            raise ValueError("the working directory is gone; change to one that is there") from None
        try:
            return super().invoke(ctx)
        except (KeyboardInterrupt, OSError) as error:
            raise _RaisedError(error) from error


@functools.cache
def application(typed: str = "") -> typer.Typer:
    """The command line; with only the one command that was ``typed``, if there is such a one.

    The others' modules are not imported then, which takes a while.
    """
    app = typer.Typer(
        cls=_Commands,
        help="Neural architecture search over the Inception design space.",
        rich_markup_mode=None,
        pretty_exceptions_enable=False,
    )
    app.callback()(_options)
    for name in (typed,) if typed in COMMANDS else COMMANDS:
        function = name.replace("-", "_") + "_" * keyword.iskeyword(name)
        app.command(name)(getattr(importlib.import_module(f"nas.cli.{function}"), function))
    return app


def _version(asked: bool) -> None:
    if asked:
        print(f"inception-nas {importlib.metadata.version('inception-nas')}")
        raise typer.Exit


def _options(
    version: Annotated[
        bool,
        typer.Option("--version", help="Print the version.", is_eager=True, callback=_version),
    ] = False,
) -> None:
    """Without this Typer would take a single command for the whole command line."""


def main() -> None:
    """The console script: whatever can be told in a line is, on standard error.

    The exit code is 2 for bad input, 1 where the output can't be written, 130 on Ctrl-C.
    """
    gc.set_threshold(FEW_COLLECTIONS)
    atexit.register(gc.freeze)  # what is left ends with the process, and need not be looked through
    try:
        with streams.prepared():
            code = _code()
    except KeyboardInterrupt:
        code = _told("stopped", INTERRUPTED)
    except MemoryError:
        code = _told("error: not enough memory; end other programs, or ask for less at once", 1)
    except streams.OutputError as error:
        if error.reason.errno == errno.EPIPE:
            code = streams.PIPE_CLOSED
        else:
            code = _told(f"error: {error}", streams.OUTPUT_FAILED)
    except OSError as error:
        words = error.strerror or str(error) or type(error).__name__
        name = os.fsdecode(error.filename) if isinstance(error.filename, str | bytes) else ""
        code = _told(f"error: {name}: {words}" if name else f"error: {words}", 2)
    sys.exit(code)


def _code() -> int:
    """The exit code of the command that was typed; OSError or KeyboardInterrupt as it raised it."""
    words = sys.argv[1:] or ["--help"]
    try:
        code = application(words[0])(words, prog_name="nas", standalone_mode=False)
    except _RaisedError as raised:
        raise raised.error from None
    except typer.TyperException as error:
        return _told(f"error: {error.format_message()}", 2)
    except ValueError as error:
        return _told(f"error: {error}", 2)
    return code if isinstance(code, int) else 0


def _told(words: str, code: int) -> int:
    streams.say(words)
    return code
