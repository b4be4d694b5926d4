"""Ctrl-C and SIGTERM: the first stops the run at once, in order; a second one kills."""

import contextlib
import signal
import sys
import threading
from collections.abc import Callable, Iterator
from types import FrameType

SIGNALS = (signal.SIGINT, signal.SIGTERM)


class Stopped(BaseException):
    """A signal asked the run to stop. Not an Exception, nor one that Lightning would swallow."""

    def __init__(self, number: int) -> None:
        super().__init__(number)
        self.number = number


class Interrupted(KeyboardInterrupt):
    """A signal, ``number``, stopped a study or a training. All that had ended is kept."""

    def __init__(self, number: int) -> None:
        super().__init__(f"stopped by signal {number}")
        self.number = number


@contextlib.contextmanager
def stop_on_signals() -> Iterator[Callable[[], None]]:
    """Raise Stopped in the main thread at the first signal; the next has its default effect.

    Gives a function that raises Stopped again if it has got lost: Python swallows an exception
    that comes up in a finalizer, and would print it with its traceback. In another thread than the
    main one signals are left alone: Python allows no handler there.
    """
    if threading.current_thread() is not threading.main_thread():
        yield lambda: None
        return
    asked = 0

    def check() -> None:
        if asked:
            raise Stopped(asked)

    def stop(number: int, _frame: FrameType | None) -> None:
        nonlocal asked
        if (
            asked
        ):  # Lightning puts this handler back as it unwinds, so it is not enough to remove it
            signal.signal(number, signal.SIG_DFL)
            signal.raise_signal(number)
        asked = number
        raise Stopped(number)

    def unraisable(lost: "sys.UnraisableHookArgs") -> None:
        if not isinstance(lost.exc_value, Stopped):
            hook(lost)

    hook, sys.unraisablehook = sys.unraisablehook, unraisable
    before = {number: signal.signal(number, stop) for number in SIGNALS}
    try:
        yield check
    finally:
        sys.unraisablehook = hook
        for number, handler in before.items():
            signal.signal(number, handler)


@contextlib.contextmanager
def until_stopped() -> Iterator[None]:
    """What is inside was to go on until somebody stops it: a signal is its end, in order."""
    with contextlib.suppress(KeyboardInterrupt, Stopped), stop_on_signals():
        yield
