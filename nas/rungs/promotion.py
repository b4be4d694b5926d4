"""The rules of promotion: whether a candidate trained at one rung is worth training at the next.

Only accuracy is uncertain; what else a study optimizes is known exactly before training. So a
candidate is stopped where the accuracy that it may still reach would leave it off the front at its
own cost, or where to begin another one promises more. Every decision is made at once, from what is
known at that moment.

.. [Li2020] L. Li et al., A System for Massively Parallel Hyperparameter Tuning, MLSys 2020.
.. [Schmucker2021] R. Schmucker et al., Multi-objective Asynchronous Successive Halving, 2021.
.. [Deb2002] K. Deb et al., A Fast and Elitist Multiobjective Genetic Algorithm: NSGA-II, 2002.
"""

from typing import NamedTuple

import numpy as np

from nas.rungs.history import History
from studies.pareto import Floats, front_mask

RISK = 0.003
"""How often the accuracy that a candidate would reach may lie above its bound.

So that of the front's members, a tenth of all candidates, 1 % is lost (benchmarks/promotion.py).
"""

RISK_OF_A_LINE = 0.01
"""The same in studies of the first edition, where costs foretell nothing."""


class Decision(NamedTuple):
    """Whether a candidate goes on to the next rung, and if not, why, in words."""

    go: bool
    reason: str = ""


def known_cost(history: History, key: str, rung: int) -> Decision:
    """Stopped if something that costs no more has already what the candidate may still reach.

    Or if that is of no use.
    """
    bound = upper_bound(history, rung, key)
    if bound <= history.floor:
        return Decision(False, f"may reach {bound:.2%}; {history.floor:.2%} is of no use yet")
    keys, accuracies, known = history.attained(rung)
    cheaper = np.all(known <= np.array(history.known[key]), axis=1)
    cheaper &= np.array([other != key for other in keys], dtype=bool)
    best = float(accuracies[cheaper].max(initial=0.0))
    if bound > best:
        return Decision(True)
    return Decision(False, f"may reach {bound:.2%}; {best:.2%} is there at no more cost")


def improvement(history: History, key: str, rung: int) -> Decision:
    """Stopped, too, if another candidate promises more for the training that this one has left.

    A sampler proposes what it expects the most improvement of, so for all of its training any
    other promises as much as this one did then. What is expected of it now, by its accuracy at the
    rung, is therefore to be at least that, times the share of training that is left.
    """
    sound = known_cost(history, key, rung)
    promise = history.promises.get(key)
    if not sound.go or promise is None or history.worth is None:
        return sound
    if history.foretold(rung, [key]) is None:
        return sound
    now = history.worth(key)
    left = sum(history.budgets[rung + 1 :]) / sum(history.budgets)
    if now >= left * promise.improvement:
        return Decision(True)
    share = now / promise.improvement
    return Decision(
        False,
        f"promises {share:.0%} of the improvement that it was proposed for, and {left:.0%} of its "
        "training is left; another candidate promises more",
    )


def upper_bound(history: History, rung: int, key: str) -> float:
    """The accuracy that a candidate may reach at the last rung, exceeded with probability RISK.

    1.0 where too little is known.
    """
    foretold = history.foretold(rung, [key])
    if foretold is None:
        return 1.0
    risk = RISK if history.at_cost else RISK_OF_A_LINE
    return foretold[0].upper_bound(history.accuracies[rung][key], risk)


def asha(history: History, key: str, rung: int, eta: float) -> Decision:
    """Stopped unless among the best 1/eta of its rung ([Li2020]_, [Schmucker2021]_).

    Candidates are ranked by the front that they are on once the fronts before it are taken away,
    and within one by crowding distance, the loneliest first ([Deb2002]_).
    """
    keys = sorted(history.accuracies[rung])
    losses = np.array([(-history.accuracies[rung][k], *history.known[k]) for k in keys])
    place = ranking(losses).index(keys.index(key))
    kept = max(1, int(len(keys) / eta))
    if place < kept:
        return Decision(True)
    go = "goes" if kept == 1 else "go"
    return Decision(False, f"place {place + 1} of {len(keys)} at its rung; {kept} {go} on")


def ranking(losses: Floats) -> list[int]:
    """Rows [N, M], all minimised, from best to worst by non-dominated sorting and crowding."""
    left = np.arange(len(losses))
    order: list[int] = []
    while len(left):
        mask = front_mask(losses[left])
        layer = left[mask]
        lonely = crowding(losses[layer])
        order += [int(layer[i]) for i in sorted(range(len(layer)), key=lambda i: -lonely[i])]
        left = left[~mask]
    return order


def crowding(losses: Floats) -> Floats:
    """Crowding distance of each row of a front, infinite at the ends of every objective."""
    distance = np.zeros(len(losses))
    for column in losses.T:
        order = np.argsort(column, kind="stable")
        ends = column[order[-1]] - column[order[0]]
        distance[order[[0, -1]]] = np.inf
        if ends > 0 and len(order) > 2:
            distance[order[1:-1]] += (column[order[2:]] - column[order[:-2]]) / ends
    return distance
