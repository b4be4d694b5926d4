"""The command line: parse, call, print. Heavy packages are imported inside the commands."""

import contextlib
import errno
import io
import os
import sys
from typing import NoReturn

import typer

from nas.cli import models, networks, reporting, searching

app = typer.Typer(
    help="Neural architecture search over the Inception design space.",
    rich_markup_mode=None,
    pretty_exceptions_enable=False,
)
for command in (
    *searching.COMMANDS,
    *reporting.COMMANDS,
    *networks.COMMANDS,
    *models.COMMANDS,
):
    app.command()(command)


def main() -> None:
    """The console script: bad input is one line on standard error, and exit code 2.

    So is whatever the system refuses, with exit code 1; Ctrl-C ends with 130, and a reader of the
    output that has gone away is no error.
    """
    _show_all_characters()
    try:
        code = app(sys.argv[1:] or ["--help"], prog_name="nas", standalone_mode=False)
        if sys.stdout is not None:
            sys.stdout.flush()  # or a full disk would be noticed after the end
    except typer.TyperException as error:
        _end(error.format_message(), 2)
    except ValueError as error:
        _end(str(error), 2)
    except (KeyboardInterrupt, typer.Abort):
        _end("stopped by Ctrl-C", 130)
    except BrokenPipeError:
        _forget_output()
        sys.exit(1)
    except OSError as error:
        _end(_words(error), 1)
    except MemoryError:
        _end("out of memory; close other programs, or give fewer --workers", 1)
    sys.exit(code if isinstance(code, int) else 0)


def _show_all_characters() -> None:
    """Let a terminal that lacks a character show its code, where Python would raise an error."""
    for stream in (sys.stdout, sys.stderr):
        if isinstance(stream, io.TextIOWrapper):
            stream.reconfigure(errors="backslashreplace")


def _words(error: OSError) -> str:
    """What the system refused: of which file, if it says so, and why."""
    why = error.strerror or str(error) or type(error).__name__
    if error.filename is not None:
        return f"{os.fsdecode(error.filename)}: {why}"
    if error.errno == errno.ENOSPC:
        return f"the output can't be written: {why}; make room, or send it elsewhere"
    if error.errno in (errno.EBADF, errno.EIO):
        return f"the output can't be written: {why}; send it elsewhere"
    return why


def _end(message: str, code: int) -> NoReturn:
    """End with one line on standard error."""
    with contextlib.suppress(OSError, ValueError):  # it may be closed, or full as well
        print(f"error: {' '.join(message.split())}", file=sys.stderr, flush=True)
    _forget_output()
    sys.exit(code)


def _forget_output() -> None:
    """Let Python not write what is left in the buffers as it ends, which would fail once more."""
    for stream in (sys.stdout, sys.stderr):
        try:
            stream.flush()
        except (OSError, ValueError, AttributeError):
            with contextlib.suppress(OSError, ValueError, AttributeError):
                os.dup2(os.open(os.devnull, os.O_WRONLY), stream.fileno())
