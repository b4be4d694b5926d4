"""Whether this process can start worker processes, found out before anything is written."""

import contextlib
import multiprocessing
import os
import socket
import sys
import tempfile
from pathlib import Path

UNGUARDED = (
    "a worker process imports the script that started it, which calls run_study again; put the "
    'call below `if __name__ == "__main__":`, or give workers=0'
)
UNGUARDED_EXIT = 3
"""The exit code of a process that found this out as it was started."""

PROBE_SECONDS = 300
"""How long a script may take to be imported."""


def end_where_inheriting() -> None:
    """End a worker process that is only importing the script that started it, with one line."""
    if getattr(multiprocessing.current_process(), "_inheriting", False):
        print(f"error: {UNGUARDED}", file=sys.stderr, flush=True)
        sys.exit(UNGUARDED_EXIT)


def check_can_spawn() -> None:
    """ValueError with the reason and the way out where worker processes can't be started here.

    Ends this process with one line where its script isn't guarded or is no file, as a worker that
    imports it would.
    """
    if multiprocessing.current_process().daemon:
        raise ValueError(
            "workers can't be started by a daemonic process, such as a Pool's child; give "
            "workers=0, or call from the main process"
        )
    _check_temporary_directory()
    _check_port()
    _check_script()


def _check_temporary_directory() -> None:
    asked = os.environ.get("TMPDIR")
    try:
        with tempfile.NamedTemporaryFile(dir=asked) as file:
            file.write(bytes(4096))
            file.flush()
    except OSError as error:
        where = asked or "/tmp"
        raise ValueError(
            f"workers need a temporary directory, and {where} can't be written: "
            f"{error.strerror or error}; set TMPDIR to one that can, or give --workers 0"
        ) from None


def _check_port() -> None:
    try:
        with socket.socket() as free:
            free.bind(("127.0.0.1", 0))
    except OSError as error:
        raise ValueError(
            f"workers are spoken to on 127.0.0.1, where no port can be had: "
            f"{error.strerror or error}; give --workers 0"
        ) from None


def _check_script() -> None:
    """Look whether a worker could import the script that runs: where that isn't known, try it."""
    main = sys.modules["__main__"]
    script = getattr(main, "__file__", None)
    if script is None or getattr(main, "__spec__", None) is not None:
        return  # an interactive session, `python -c` or `python -m`
    if not Path(script).is_file():
        print(
            f"error: workers import the script that starts them, and {script} is no file, as of a "
            "script that is read from standard input; save it in a file, or give workers=0",
            file=sys.stderr,
        )
        sys.exit(1)
    if Path(script).stem == "nas":  # our own
        return
    process = multiprocessing.get_context("spawn").Process(target=_nothing)
    try:
        process.start()
        process.join(PROBE_SECONDS)
    except OSError as error:
        raise ValueError(
            f"worker processes can't be started: {error.strerror or error}; give workers=0"
        ) from None
    finally:
        with contextlib.suppress(AttributeError, ValueError):
            process.kill()
    if process.exitcode == UNGUARDED_EXIT:
        sys.exit(1)  # it has said why
    if process.exitcode:
        raise ValueError(
            f"workers can't import the script that starts them, {script}: see above; give workers=0"
        )


def _nothing() -> None:
    """What the worker does that only tries whether one can be started."""
