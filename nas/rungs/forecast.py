"""What a study knows at one rung foretells of the last."""

from nas.rungs.history import History
from studies.forecast import Forecast
from studies.forecast import forecast as fitted


def forecast(history: History, rung: int) -> Forecast | None:
    """The forecast from ``rung``; None where too few candidates are known at both."""
    return fitted(*history.pairs(rung, history.rungs - 1))
