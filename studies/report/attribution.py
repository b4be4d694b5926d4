"""What choices do to accuracy at given cost: importances by a random forest, effects by regression.

Cost is taken out first: accuracy less its least-squares fit by a quadratic in log10 of parameters
and of FLOPs. Importances are Breiman's ([Breiman2001]_), of what is left; effects are of one linear
model of cost and all choices together, with intervals that hold for unequal variances
([MacKinnon1985]_, HC3).

.. [Breiman2001] L. Breiman, Random Forests, Machine Learning 45, 2001, section 10.
.. [MacKinnon1985] J. MacKinnon and H. White, Some Heteroskedasticity-Consistent Covariance Matrix
   Estimators with Improved Finite Sample Properties, Journal of Econometrics 29, 1985.
"""

from collections.abc import Sequence
from typing import NamedTuple

import numpy as np

from studies.forecast import Line, forecast
from studies.pareto import Floats
from studies.report.content import Content, Factor, Shares
from studies.trials import Trial

LEAST_CANDIDATES = 40
"""Below it nothing is said of what mattered."""

LEAST_FREE = 15
"""Candidates that must be left over for each effect to be told from chance."""

LEAST_LEVEL = 5
"""Candidates that must have a level before anything is said of it."""

MOST_CANDIDATES = 1500
"""Candidates that the forest is grown on: of more, those are drawn at random."""

TREES = 60
CONFIDENCE = 0.95


class Group(NamedTuple):
    """The columns [N, levels] of a factor: shares of its levels, or the number that it is.

    ``having`` counts the candidates that have each level.
    """

    factor: Factor
    levels: tuple[str, ...]
    columns: Floats
    having: tuple[int, ...]


class Sample(NamedTuple):
    """Distinct candidates: accuracy [N], log10 of parameters and FLOPs [N, 2], choices.

    ``foretold`` of them were stopped; their accuracy is what their last rung foretells.
    """

    accuracy: Floats
    cost: Floats
    groups: tuple[Group, ...]
    foretold: int


class Importance(NamedTuple):
    """By how much of the variance left at given cost the error rises without this factor."""

    factor: str
    share: float


class Effect(NamedTuple):
    """What a step of a level goes with at given cost and other choices, as accuracy (0..1).

    Against the average of the factor's levels; ``low`` to ``high`` is the 95 % interval. ``having``
    candidates have that level.
    """

    factor: Factor
    level: str
    value: float
    low: float
    high: float
    having: int


def sample(content: Content) -> Sample:
    """The candidates whose accuracy at the last rung is known or foretold, each once."""
    longest: dict[str, Trial] = {}
    for trial in content.trials:
        if trial.rungs and trial.key in content.choices:
            there = longest.get(trial.key)
            if there is None or len(trial.rungs) > len(there.rungs):
                longest[trial.key] = trial
    forecasts = _forecasts(list(longest.values()), len(content.budgets))
    found: list[tuple[float, Trial]] = []
    foretold = 0
    for trial in longest.values():
        rung = len(trial.rungs) - 1
        if rung == len(content.budgets) - 1:
            found.append((trial.rungs[-1], trial))
        elif rung in forecasts:
            error = np.exp(forecasts[rung].expected(trial.rungs[-1]))
            found.append((float(np.clip(1 - error, 0, 1)), trial))
            foretold += 1
    accuracy = np.array([value for value, _ in found])
    cost = np.array([(t.kept.params, t.kept.flops) for _, t in found]).reshape(-1, 2)
    shares = [content.choices[trial.key] for _, trial in found]
    groups = [_group(factor, shares) for factor in content.factors] if found else []
    return Sample(accuracy, np.log10(cost), tuple(g for g in groups if g is not None), foretold)


def _forecasts(trials: Sequence[Trial], rungs: int) -> dict[int, Line]:
    """What each rung but the last foretells of it, where enough trials went through all.

    By a line: what is foretold from the cost too, as the search does, has less of what choices do
    at given cost.
    """
    full = np.array([trial.rungs for trial in trials if len(trial.rungs) == rungs])
    found = {
        rung: forecast(full[:, rung], full[:, -1]) if len(full) else None
        for rung in range(rungs - 1)
    }
    return {rung: known for rung, known in found.items() if known is not None}


def _group(factor: Factor, shares: Sequence[Shares]) -> Group | None:
    """The factor's columns; None where all candidates have the same.

    Candidates without a part that it is about stand at the average of the others.
    """
    levels = tuple(sorted({level for one in shares for level in one.get(factor.name, {})}))
    if not levels:
        return None
    columns = np.full((len(shares), len(levels)), np.nan)
    for row, one in enumerate(shares):
        chosen = one.get(factor.name)
        if chosen:
            columns[row] = [chosen.get(level, 0.0) for level in levels]
    without = np.isnan(columns).any(axis=1)
    having = (columns > 1e-9).sum(axis=0).tolist()
    columns[without] = columns[~without].mean(axis=0)
    if np.ptp(columns, axis=0).max() <= 1e-9:
        return None
    return Group(factor, levels, columns, tuple(having))


def _quadratic(cost: Floats) -> Floats:
    """[N, 6]: a constant, and cost in first and second order, centred."""
    x, y = (cost - cost.mean(axis=0)).T
    return np.column_stack([np.ones(len(cost)), x, y, x * x, x * y, y * y])


def residual(found: Sample) -> tuple[Floats, float]:
    """Accuracy less what cost explains [N], and the share of the variance that it explains."""
    basis = _quadratic(found.cost)
    fitted = basis @ np.linalg.lstsq(basis, found.accuracy, rcond=None)[0]
    left: Floats = found.accuracy - fitted
    total = float(np.var(found.accuracy))
    return left, 1 - float(np.var(left)) / total if total > 0 else 0.0


def importances(found: Sample) -> tuple[list[Importance], float]:
    """Factors by importance, the largest first, and the forest's out-of-bag R2.

    A tree predicts the candidates that it was not grown on, then again with one factor's values
    shuffled among them; columns of a factor are shuffled together.
    """
    from sklearn.tree import DecisionTreeRegressor

    left, _ = residual(found)
    columns = np.hstack([group.columns for group in found.groups])
    widths = [len(group.levels) for group in found.groups]
    ends = np.cumsum(widths)
    spans = [slice(end - width, end) for end, width in zip(ends, widths, strict=True)]
    random = np.random.default_rng(0)
    if len(left) > MOST_CANDIDATES:
        chosen = random.choice(len(left), MOST_CANDIDATES, replace=False)
        left, columns = left[chosen], columns[chosen]
    count = len(left)
    rises = np.zeros(len(spans))
    summed, votes = np.zeros(count), np.zeros(count)
    for number in range(TREES):
        bag = random.integers(0, count, count)
        out = np.setdiff1d(np.arange(count), bag)
        tree = DecisionTreeRegressor(max_features=1 / 3, min_samples_leaf=3, random_state=number)
        tree.fit(columns[bag], left[bag])
        seen = np.tile(columns[out], (len(spans) + 1, 1)).reshape(len(spans) + 1, len(out), -1)
        for place, span in enumerate(spans, 1):
            seen[place, :, span] = columns[random.permutation(out), span]
        said = tree.predict(seen.reshape(-1, columns.shape[1])).reshape(len(spans) + 1, -1)
        errors = ((said - left[out]) ** 2).mean(axis=1)
        rises += (errors[1:] - errors[0]) / TREES
        summed[out] += said[0]
        votes[out] += 1
    variance = float(np.var(left))
    if variance <= 1e-12:
        return [], 0.0
    voted = votes > 0
    missed = float(np.mean((summed[voted] / votes[voted] - left[voted]) ** 2))
    named = [
        Importance(group.factor.name, float(rise / variance))
        for group, rise in zip(found.groups, rises, strict=True)
    ]
    return sorted(named, key=lambda one: -one.share), 1 - missed / variance


def effects(found: Sample) -> list[Effect]:
    """The effect of each level of each factor, in the factors' order; none where data are few."""
    from scipy.stats import t as student

    basis = _quadratic(found.cost)
    design = np.hstack([basis, *(group.columns for group in found.groups)])
    inverse = np.linalg.pinv(design, rcond=1e-9)
    free = len(design) - int(np.linalg.matrix_rank(design))
    if free < LEAST_FREE:
        return []
    coefficients = inverse @ found.accuracy
    left = found.accuracy - design @ coefficients
    leverage = np.minimum(np.einsum("ij,ji->i", design, inverse), 0.999)
    weighted = inverse * (left / (1 - leverage))
    covariance = weighted @ weighted.T
    told = inverse @ design  # projects on what the data can tell
    width = float(student.ppf((1 + CONFIDENCE) / 2, free))
    out: list[Effect] = []
    start = basis.shape[1]
    for group in found.groups:
        for place, contrast, count in _contrasts(group):
            row = np.zeros(design.shape[1])
            row[start : start + len(group.levels)] = contrast
            if np.abs(row @ told - row).max() > 1e-6:
                continue
            value = float(row @ coefficients)
            spread = width * float(np.sqrt(max(0.0, row @ covariance @ row)))
            level = group.levels[place]
            out.append(Effect(group.factor, level, value, value - spread, value + spread, count))
        start += len(group.levels)
    return out


def _contrasts(group: Group) -> list[tuple[int, Floats, int]]:
    """(level, weights of the columns, candidates that have it) of what is compared."""
    step = group.factor.step
    if len(group.levels) == 1:
        return [(0, np.array([step]), group.having[0])]
    mean = group.columns.mean(axis=0)
    out = []
    for place, count in enumerate(group.having):
        if count >= LEAST_LEVEL:
            contrast = -mean
            contrast[place] += 1
            out.append((place, step * contrast, count))
    return out
