"""Packages that not every installation has: asked for, and kept quiet."""

import contextlib
import importlib
import os
import sys
import warnings
from collections.abc import Iterator


def need(extra: str, *modules: str) -> None:
    """ValueError that says how to install ``extra``, unless all modules can be imported."""
    for name in modules:
        try:
            with quiet():
                importlib.import_module(name)
        except ImportError:
            raise ValueError(
                f"{name} is not installed; run: pip install 'inception-nas[{extra}]'"
            ) from None


@contextlib.contextmanager
def quiet() -> Iterator[None]:
    """Nothing is printed meanwhile, by libraries in C++ neither; what goes wrong is raised."""
    for stream in (sys.stdout, sys.stderr):
        stream.flush()
    kept = [os.dup(1), os.dup(2)]
    nowhere = os.open(os.devnull, os.O_WRONLY)
    try:
        for number in (1, 2):
            os.dup2(nowhere, number)
        with (
            open(os.devnull, "w") as lost,
            contextlib.redirect_stdout(lost),
            contextlib.redirect_stderr(lost),
            warnings.catch_warnings(),
        ):
            warnings.simplefilter("ignore")
            yield
    finally:
        for stream in (sys.stdout, sys.stderr):
            stream.flush()
        for number, before in zip((1, 2), kept, strict=True):
            os.dup2(before, number)
            os.close(before)
        os.close(nowhere)
