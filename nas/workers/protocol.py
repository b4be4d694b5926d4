"""What the driver's loop asks of workers, and the simplest ones: the driver itself."""

import traceback
from types import TracebackType
from typing import NamedTuple, Protocol

from nas.settings import Request
from nas.short_run.evaluation import Evaluate
from studies.evaluation import Evaluation


class ClusterError(ValueError):
    """Workers that don't start, can't be reached, are lost, or can't be used."""


class Outcome(NamedTuple):
    """What came of a request: its evaluation, or in words why there is none.

    ``lost`` says of every worker that died over it how that one ended.
    """

    request: Request
    result: Evaluation | str
    lost: tuple[str, ...] = ()


class Workers(Protocol):
    """Takes requests, gives outcomes back in the order in which they end."""

    @property
    def slots(self) -> int:
        """Requests that can run at the same time now, at least 1."""

    def submit(self, request: Request) -> None:
        """Begin an evaluation as soon as a slot is free."""

    def want(self, more: int) -> None:
        """So many evaluations more could begin now, if there were workers for them."""

    def next(self, seconds: float) -> Outcome | None:
        """The next outcome; None if nothing ends within ``seconds``."""

    def words(self) -> str:
        """How many there are and what they wait for; empty where there is nothing to say."""


class InDriver:
    """Evaluates in the driver's own process, one request at a time."""

    slots = 1

    def __init__(self, evaluate: Evaluate) -> None:
        self._evaluate = evaluate
        self._waiting: list[Request] = []

    def submit(self, request: Request) -> None:
        self._waiting.append(request)

    def want(self, more: int) -> None:
        pass

    def next(self, seconds: float) -> Outcome | None:
        del seconds
        request = self._waiting.pop(0)
        try:
            return Outcome(request, self._evaluate(request))
        except Exception as error:  # as a worker would hand it over
            return Outcome(request, error_words(error, error.__traceback__))

    def words(self) -> str:
        return ""


def error_words(error: BaseException, raised: TracebackType | None) -> str:
    """What an evaluation raised, in one line, and where: its last lines of code, the last first."""
    frames = traceback.extract_tb(raised)[-2:]
    places = [f"{frame.filename.rpartition('/')[2]}:{frame.lineno}" for frame in reversed(frames)]
    words = " ".join(f"{type(error).__name__}: {error}".split())
    return f"{words[:400]} ({', from '.join(places)})" if places else words[:400]
