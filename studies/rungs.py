"""How far a study's trials came: how many are at each rung, went on, were stopped or failed."""

from collections.abc import Sequence
from typing import NamedTuple

from studies.trials import Trial


class Rung(NamedTuple):
    """What became of the trials that reached a budget; ``running`` are those that are at it now.

    At the last rung those that went ``on`` are completed.
    """

    budget: int
    on: int
    stopped: int
    failed: int
    running: int = 0


def count(trials: Sequence[Trial], budgets: Sequence[int]) -> list[Rung]:
    """By rung: who went on (at the last: completed), was stopped, failed there, is at it.

    Repeats don't count: they are at the last rung alone.
    """
    trials = [trial for trial in trials if not trial.kept.repeat]
    out = []
    for place, budget in enumerate(budgets):
        on = stopped = failed = running = 0
        for trial in trials:
            reached = len(trial.rungs)
            if reached > place + 1 or (reached == place + 1 and trial.state == "complete"):
                on += 1
            elif reached == place + 1 and trial.state == "pruned":
                stopped += 1
            elif reached == place and trial.state == "fail":
                failed += 1
            elif reached == place and trial.state == "running":
                running += 1
            elif reached == place + 1:
                on += 1  # to the next, where it is now, or failed
        out.append(Rung(budget, on, stopped, failed, running))
    return out
