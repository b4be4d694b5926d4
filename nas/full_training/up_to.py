"""The best networks up to each size, and what part of a time each of them is trained for."""

from collections.abc import Mapping, Sequence
from itertools import pairwise

from studies.best import Best, best_up_to
from studies.interval import Estimates
from studies.results import Result, Results


def networks(best: Sequence[Best]) -> list[Result]:
    """The networks of a table "best up to", each once, the smallest size's first."""
    found = {one.result.key: one.result for one in best if one.result is not None}
    return list(found.values())


def best_of_use(results: Results, cost: str = "params", sizes: Sequence[int] = ()) -> list[Best]:
    """The table "best up to", without networks of no use where there are others.

    ValueError where there is none yet.
    """
    if results.place("accuracy") is None:
        raise ValueError(
            f"study {results.study!r} has no accuracy to be best in; give a trial's number"
        )
    best = best_up_to(results, Estimates(results), cost, sizes)
    useful = [one for one in best if one.result is not None and one.useful]
    found = useful or [one for one in best if one.result is not None]
    if not found:
        raise ValueError(f"study {results.study!r} has no completed trial yet; run it first")
    return found


def weights(results: Results, members: Sequence[Result]) -> Mapping[str, float]:
    """How many epochs each network gets against the others, by key: from 1 to 2.

    Twice as many where it is open whether the next smaller or larger one of the table is better: a
    longer training tells, and one that is worse than a smaller one would not be taken.
    """
    known = Estimates(results)
    found = {one.key: 1.0 for one in members}
    if not known.known:
        return found
    for smaller, larger in pairwise(members):
        chance = float(known.is_best([smaller, larger])[0])
        doubt = 4 * chance * (1 - chance)
        for one in (smaller, larger):
            found[one.key] = max(found[one.key], 1 + doubt)
    return found
