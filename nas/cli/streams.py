"""Standard output and error: what can't be shown is replaced, what can't be written is told of."""

import codecs
import contextlib
import errno
import os
import sys
import unicodedata
from collections.abc import Iterator
from typing import Any, TextIO, cast

OUTPUT_FAILED = 1
"""The exit code where the output couldn't be written."""
PIPE_CLOSED = 128 + 13
"""The exit code where nobody reads the output any more, as a shell has it after SIGPIPE."""

SIGNS = {
    "\N{HORIZONTAL ELLIPSIS}": "...",
    "\N{MULTIPLICATION SIGN}": "x",
    "\N{EN DASH}": "-",
    "\N{EM DASH}": "-",
    "\N{LEFT SINGLE QUOTATION MARK}": "'",
    "\N{RIGHT SINGLE QUOTATION MARK}": "'",
    "\N{LEFT DOUBLE QUOTATION MARK}": '"',
    "\N{RIGHT DOUBLE QUOTATION MARK}": '"',
    "\N{BOX DRAWINGS LIGHT HORIZONTAL}": "-",
    "\N{BOX DRAWINGS HEAVY HORIZONTAL}": "-",
    "\N{BOX DRAWINGS LIGHT VERTICAL}": "|",
    "\N{BLACK CIRCLE}": "*",
    "\N{MIDDLE DOT}": ".",
    "\N{VERTICAL ELLIPSIS}": ":",
    "\N{PLUS-MINUS SIGN}": "+/-",
    "\N{LESS-THAN OR EQUAL TO}": "<=",
    "\N{GREATER-THAN OR EQUAL TO}": ">=",
    "\N{RIGHTWARDS ARROW}": "->",
}
"""What stands for a sign on a terminal that can't show it; a letter loses its accents there."""

HANDLER = "nas.readable"


class OutputError(OSError):
    """What is printed can't be written, for this ``reason``.

    It has no number of its own, by which Typer would end the process.
    """

    def __init__(self, reason: OSError) -> None:
        super().__init__(f"the output can't be written: {reason.strerror or reason}")
        self.reason = reason


class _Output:
    """A stream whose failures can be told from all others: each is an OutputError."""

    def __init__(self, stream: TextIO) -> None:
        self._stream = stream

    def write(self, text: str) -> int:
        """Write to the stream; OutputError where that fails."""
        try:
            return self._stream.write(text)
        except OSError as error:
            raise OutputError(error) from None

    def flush(self) -> None:
        """Flush the stream; OutputError where that fails."""
        try:
            self._stream.flush()
        except OSError as error:
            raise OutputError(error) from None

    def __getattr__(self, name: str) -> Any:
        return getattr(self._stream, name)


@contextlib.contextmanager
def prepared() -> Iterator[None]:
    """Standard output and error replace what their encoding lacks, and fail with OutputError.

    A closed one gets its file descriptor back, on nothing: the next file that is opened would take
    that, and be written into. OutputError where it is standard output.
    """
    codecs.register_error(HANDLER, _readable)
    for number in range(3):
        try:
            os.fstat(number)
        except OSError:
            os.open(os.devnull, os.O_RDWR)
    closed = sys.stdout is None
    streams: list[TextIO] = []
    for stream in (sys.stdout, sys.stderr):
        streams.append(stream or open(os.devnull, "w", encoding="utf-8"))  # noqa: SIM115  for ever
        if hasattr(stream, "reconfigure"):
            stream.reconfigure(errors=HANDLER)
    sys.stdout, sys.stderr = (cast(TextIO, _Output(stream)) for stream in streams)
    try:
        if closed:
            raise OutputError(OSError(errno.EBADF, "it is closed; send it to /dev/null"))
        yield
        sys.stdout.flush()
    finally:
        sys.stdout, sys.stderr = streams
        _give_up()


def _readable(error: UnicodeError) -> tuple[str, int]:
    assert isinstance(error, UnicodeEncodeError)
    letters = error.object[error.start : error.end]
    return "".join(map(_shown, letters)), error.end


def _shown(letter: str) -> str:
    """What stands for a letter on a terminal of ASCII."""
    if letter in SIGNS:
        return SIGNS[letter]
    plain = unicodedata.normalize("NFKD", letter).encode("ascii", "ignore").decode()
    return plain or "?"


def _give_up() -> None:
    """Let what can't be written go nowhere, or Python would complain of it as it ends."""
    for stream in (sys.stdout, sys.stderr):
        try:
            stream.flush()
        except OSError:
            with contextlib.suppress(OSError, ValueError):  # a stream without a file
                nothing = os.open(os.devnull, os.O_WRONLY)
                os.dup2(nothing, stream.fileno())
                os.close(nothing)


def say(words: str) -> None:
    """Print one line on standard error; do nothing where that is closed."""
    with contextlib.suppress(OSError):
        print(" ".join(words.split()), file=sys.stderr, flush=True)
