"""PROMOTIONS: the rules by which a candidate goes on from one rung to the next, by their names.

What a rule computes is in `nas.rungs.promotion`, which is imported when it first decides: the names
are needed without it, by `nas run --help` for one.
"""

from collections.abc import Callable
from typing import TYPE_CHECKING, NamedTuple

if TYPE_CHECKING:
    from nas.rungs.history import History
    from nas.rungs.promotion import Decision


class Promotion(NamedTuple):
    """A rule of promotion: its words for the help text, and the function that decides.

    ``decide`` takes what is known, the candidate's key, its rung (from 0; never the last), and eta,
    by which budgets grow.
    """

    words: str
    decide: "Callable[[History, str, int, float], Decision]"


def _none(_history: "History", _key: str, _rung: int, _eta: float) -> "Decision":
    from nas.rungs.promotion import Decision

    return Decision(True)


def _known_cost(history: "History", key: str, rung: int, _eta: float) -> "Decision":
    from nas.rungs.promotion import known_cost

    return known_cost(history, key, rung)


def _improvement(history: "History", key: str, rung: int, _eta: float) -> "Decision":
    from nas.rungs.promotion import improvement

    return improvement(history, key, rung)


def _asha(history: "History", key: str, rung: int, eta: float) -> "Decision":
    from nas.rungs.promotion import asha

    return asha(history, key, rung, eta)


PROMOTIONS: dict[str, Promotion] = {
    "improvement": Promotion(
        "stops what promises less than another for its training, or can't reach the front",
        _improvement,
    ),
    "known-cost": Promotion("stops what can't reach the front at its known cost", _known_cost),
    "asha": Promotion("asynchronous successive halving, non-dominated sorting", _asha),
    "none": Promotion("every candidate goes through all rungs", _none),
}
"""Name to rule."""
