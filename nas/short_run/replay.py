"""The surrogate benchmark: evaluations answered from a table of real ones, at simulated seconds.

A candidate of the table has the accuracy that was measured, the mean over its seeds. Any other has
the one that a model of the table predicts, less a deviation that varies smoothly over candidates:
those that are alike share it, and it is none at the table's own. So nobody wins by drawing many
tickets, as where each candidate has luck of its own, and short runs rank candidates about as well,
and as badly, as they do in truth: from budget to budget deviations are as alike as the errors that
the model makes out of fold. They never make a candidate better than the model says, and none is
better than the best of the table at like cost: a searcher picks what is best, so what the model
isn't sure of would be paid out, while in truth it is as often the other way. A budget that few
candidates were measured at follows the one before it: its error is what the error there and the
cost foretell. Every evaluation adds the noise that runs of other seeds showed ([Zela2022]_ has the
idea of a surrogate, [Rahimi2007]_ that of the smooth random function).

What it is worth is measured by benchmarks/fidelity.py: networks that searchers find on it are
trained for real.

.. [Rahimi2007] A. Rahimi and B. Recht, Random Features for Large-Scale Kernel Machines, NIPS 2007.
.. [Zela2022] A. Zela et al., Surrogate NAS Benchmarks: Going Beyond the Limited Search Spaces of
   Tabular NAS Benchmarks, ICLR 2022.
"""

import json
import math
import platform
from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import replace
from pathlib import Path
from statistics import fmean
from typing import Any, NamedTuple

import numpy as np
from scipy.stats import kendalltau
from sklearn.base import BaseEstimator, RegressorMixin
from sklearn.ensemble import GradientBoostingRegressor
from sklearn.linear_model import LinearRegression, RidgeCV
from sklearn.metrics import r2_score
from sklearn.model_selection import KFold, cross_val_predict
from sklearn.pipeline import Pipeline, make_pipeline
from sklearn.preprocessing import StandardScaler
from threadpoolctl import threadpool_limits

from nas.defaults import CLASSES
from nas.metrics import ACCURACY
from nas.sampling.features import GRAPH, features
from nas.sampling.ms_ehvi.surrogate import FURTHEST, LENGTH, Scale, robust_trend, terms_of
from nas.seeds import derive
from nas.settings import Recipe, Reference, Request, Settings
from nas.short_run.evaluation import versions
from search_space.architecture import Candidate
from search_space.graph import Shape
from studies.evaluation import REPLAYED, Evaluation, is_plain
from studies.forecast import log_error
from studies.pareto import Floats
from studies.table import (
    Data,
    Outcome,
    Run,
    Setting,
    Table,
    TableError,
    digest,
    read_table,
)
from studies.wording import counted

LEAST_CANDIDATES = 30
"""Candidates with an evaluation at a budget before a model of it is worth anything."""

ALIKE = (math.log10(1.25), math.log10(1.5))
"""How much more parameters and FLOPs, as logarithms, something of like cost may have at most."""

FEATURES = 1024
"""Waves that a smooth random function is made of."""

TOLERANCE = 0.01
"""Share of its variance that such a function may keep at the candidates of the table."""

FEW = 0.5
"""Share of the candidates at the budget before below which a budget follows that one."""

FOLDS = 5
CHANCE = 0.1
"""Accuracy below which no prediction goes."""


class Quality(NamedTuple):
    """How well the model predicts candidates that it has not seen: Kendall's tau and R2 (of the
    logarithm of the error), over ``candidates``.

    ``noise`` is a seed's, as a share of the error; None where no candidate has two seeds.
    """

    candidates: int
    tau: float
    r2: float
    noise: float | None

    def words(self) -> str:
        """The quality of a replay in words."""
        noise = "unknown" if self.noise is None else f"{self.noise:.1%} of the error"
        return (
            f"{self.candidates} candidates, out-of-fold tau {self.tau:.2f}, R2 {self.r2:.2f}, "
            f"noise {noise}"
        )


class Replay:
    """Answers requests at the budgets for which a table has enough candidates.

    ``candidates`` are JSON by key; ``outcomes`` are of one setting. ``quality`` has an entry for
    each budget. What is answered depends on the table alone, whatever a study asks for. TableError
    where the table can't answer at one of ``wanted``. Seconds of a budget at which nothing was
    timed lie on the line through those of two others: they grow with the images.
    """

    def __init__(
        self,
        candidates: Mapping[str, Any],
        outcomes: Mapping[Run, Outcome],
        image: Shape,
        wanted: Sequence[int],
    ) -> None:
        self._image = image
        self._rows: dict[str, Floats] = {}
        self._known: dict[int, dict[str, float]] = {}
        self._models: dict[int, Model] = {}
        self._out_of_fold: dict[int, dict[str, float]] = {}
        self._after: dict[int, tuple[int, LinearRegression]] = {}
        self._clocks: dict[int, Pipeline] = {}
        self._seen: dict[int, tuple[Floats, Floats]] = {}
        self.quality: dict[int, Quality] = {}
        for key in sorted({run.key for run in outcomes}):
            self._rows[key] = self._row(_candidate(key, candidates[key]))
        residuals: dict[int, dict[str, float]] = {}
        shares: dict[int, float] = {}
        with threadpool_limits(1):  # bits may depend on it
            for budget in sorted({run.budget for run in outcomes}):
                errors, times = _by_candidate(outcomes, budget)
                if len(times) >= LEAST_CANDIDATES:
                    self._clocks[budget] = self._clock(times)
                if len(errors) >= LEAST_CANDIDATES and self._timed(budget):
                    residuals[budget] = self._fit(budget, errors)
                    shares[budget] = float(np.mean([1 / len(found) for found in errors.values()]))
                elif budget in wanted:
                    raise _too_few(outcomes, budget, len(errors), len(times))
            for budget in wanted:
                if budget not in residuals:
                    raise _too_few(outcomes, budget, 0, 0)
            self._field = self._deviations(residuals, shares)

    def __call__(self, request: Request) -> Evaluation:
        """The evaluation that would have been made, with the noise of its seed."""
        key, budget = request.candidate.key, request.budget
        rng = np.random.default_rng(derive(request.seed, "replay", key, budget))
        error = np.log(1 - self.truth(request.candidate, budget))
        error += self._noise(budget) * rng.standard_normal()
        accuracy = float(np.clip(1 - np.exp(error), CHANCE, 0.9999))
        seconds = self.seconds(request.candidate, budget)
        speed = budget / seconds
        return Evaluation(accuracy, None, (), seconds, speed, platform.node(), versions())

    def truth(self, candidate: Candidate, budget: int) -> float:
        """Accuracy (0..1) without the noise of a seed."""
        key = candidate.key
        if key in self._known[budget]:
            return 1 - float(np.exp(self._known[budget][key]))
        row = self._row(candidate)
        error = self._expected(key, row, budget)
        return float(np.clip(1 - np.exp(max(error, self._least(row, budget))), CHANCE, 0.9999))

    def _expected(self, key: str, row: Floats, budget: int) -> float:
        """Logarithm of the error of a candidate that was not measured at a budget."""
        asked = row.reshape(1, -1)
        deviation = max(0.0, float(self._field(asked)[0, list(self.quality).index(budget)]))
        if budget not in self._after:
            return float(self._models[budget].predict(asked)[0]) + deviation
        before, line = self._after[budget]
        if key in self._known[before]:
            known, deviation = self._known[before][key], 0.0
        else:
            known = float(self._models[before].predict(asked)[0])
        return float(line.predict([[known, *row[: len(ALIKE)]]])[0]) + deviation

    def seconds(self, candidate: Candidate, budget: int) -> float:
        """Seconds of one evaluation on one worker, predicted from its cost."""
        row = self._row(candidate)[:GRAPH].reshape(1, -1)

        def at(timed: int) -> float:
            return float(np.exp(self._clocks[timed].predict(row)[0]))

        if budget in self._clocks:
            return at(budget)
        low, high = sorted(self._clocks)[-2:]
        each = max(0.0, at(high) - at(low)) / (high - low)
        return max(at(high) + each * (budget - high), 0.01)

    def _noise(self, budget: int) -> float:
        """Standard deviation that a seed gives the logarithm of the error; 0 where nobody knows.

        Where it wasn't measured it is as at the budget that this one follows.
        """
        known = self.quality[budget].noise
        if known is None and budget in self._after:
            return self._noise(self._after[budget][0])
        return known or 0.0

    def _timed(self, budget: int) -> bool:
        """Whether seconds at a budget are known, or follow from those at others."""
        return budget in self._clocks or len(self._clocks) > 1

    def _least(self, row: Floats, budget: int) -> float:
        """Logarithm of the least error that the table has at a budget of what costs about as much.

        Minus infinity where it has nothing so cheap.
        """
        costs, errors = self._seen[budget]
        cheap = (costs <= row[: len(ALIKE)] + ALIKE).all(axis=1)
        return float(errors[cheap].min()) if cheap.any() else -math.inf

    def _row(self, candidate: Candidate) -> Floats:
        row: Floats = features([candidate], self._image, CLASSES)[0]
        return row

    def _clock(self, times: Mapping[str, Sequence[float]]) -> Pipeline:
        """The model of an evaluation's seconds from its cost."""
        costs = np.array([self._rows[key][:GRAPH] for key in sorted(times)])
        logs = [fmean(times[key]) for key in sorted(times)]
        return make_pipeline(StandardScaler(), RidgeCV()).fit(costs, logs)

    def _fit(self, budget: int, errors: Mapping[str, Sequence[float]]) -> dict[str, float]:
        """What predicts accuracy at a budget; by key its out-of-fold errors."""
        known = self._known[budget] = {key: fmean(errors[key]) for key in sorted(errors)}
        rows = np.array([self._rows[key] for key in known])
        labels = np.array(list(known.values()))
        self._seen[budget] = rows[:, : len(ALIKE)], labels
        many = [there for there in self._models if len(known) < FEW * len(self._known[there])]
        if many:
            predicted = self._follow(budget, max(many))
        else:
            folds = KFold(FOLDS, shuffle=True, random_state=0)
            predicted = cross_val_predict(Model(), rows, labels, cv=folds)
            self._models[budget] = Model().fit(rows, labels)
            self._out_of_fold[budget] = dict(zip(known, predicted.tolist(), strict=True))
        spread = [np.var(values, ddof=1) for values in errors.values() if len(values) > 1]
        self.quality[budget] = Quality(
            len(known),
            float(kendalltau(predicted, labels)[0]),
            float(r2_score(labels, predicted)),
            float(np.sqrt(np.mean(spread))) if spread else None,
        )
        return dict(zip(known, np.minimum(labels - predicted, FURTHEST), strict=True))

    def _follow(self, budget: int, before: int) -> Floats:
        """Have a budget's errors follow from those at another; those predicted out of fold [N].

        As for a candidate that was measured at neither.
        """
        there, here = self._known[before], self._known[budget]
        both = [key for key in here if key in there]
        costs = {key: self._rows[key][: len(ALIKE)] for key in here}
        line = LinearRegression().fit(
            [[there[key], *costs[key]] for key in both], [here[key] for key in both]
        )
        self._after[budget] = before, line
        followed = [key for key in there if key not in here]
        asked = [[there[key], *self._rows[key][: len(ALIKE)]] for key in followed]
        self._seen[budget] = (
            np.array([self._rows[key][: len(ALIKE)] for key in [*here, *followed]]),
            np.concatenate([list(here.values()), line.predict(asked)]),
        )
        predicted = dict(self._out_of_fold[before])
        missing = [key for key in here if key not in there]
        if missing:
            rows = np.array([self._rows[key] for key in missing])
            predicted |= dict(zip(missing, self._models[before].predict(rows), strict=True))
        told: Floats = line.predict([[predicted[key], *costs[key]] for key in here])
        return told

    def _deviations(
        self, residuals: Mapping[int, Mapping[str, float]], shares: Mapping[int, float]
    ) -> "Field":
        """A candidate's deviations at all budgets, as a smooth function of its features.

        Their covariance is that of the out-of-fold errors from budget to budget, less what the
        noise of seeds explains: of a mean over n seeds, 1/n of it, on average ``shares``.
        """
        both = sorted(set.intersection(*(set(found) for found in residuals.values())))
        if len(both) < LEAST_CANDIDATES:
            raise TableError(
                f"the table has {counted(len(both), 'candidate')} that were measured at all of "
                f"{', '.join(f'{budget:,}' for budget in residuals)} images, and "
                f"{LEAST_CANDIDATES} are needed; record more of them"
            )
        table = np.array([[found[key] for key in both] for found in residuals.values()])
        noise = [self._noise(budget) ** 2 * shares[budget] for budget in residuals]
        values, vectors = np.linalg.eigh(np.atleast_2d(np.cov(table)) - np.diag(noise))
        # The symmetric root, since the signs of eigenvectors are the library's choice.
        root: Floats = vectors * np.sqrt(np.maximum(values, 0.0)) @ vectors.T
        return Field(np.array([self._rows[key] for key in sorted(self._rows)]), root)


class Field:
    """A smooth random function of rows of features [N, D], zero at the given ones: [N, B].

    One path of a Gaussian process with a Matern kernel of smoothness 5/2, by random features
    ([Rahimi2007]_), conditioned on being zero; ``root`` [B, B] gives its B values their covariance.
    """

    def __init__(self, rows: Floats, root: Floats) -> None:
        self._scale = Scale.of(rows)
        rng = np.random.default_rng(derive("deviations"))
        degrees = 5.0  # the spectrum of that kernel is Student's t
        normal = rng.standard_normal((FEATURES, rows.shape[1]))
        spread = np.sqrt(degrees / rng.chisquare(degrees, (FEATURES, 1)))
        self._frequencies = normal * spread / LENGTH
        self._phases = rng.uniform(0, 2 * np.pi, FEATURES)
        weights = rng.standard_normal((FEATURES, len(root)))
        known = self._features(rows)
        kernel = known @ known.T + TOLERANCE * np.eye(len(rows))
        self._weights = (weights - known.T @ np.linalg.solve(kernel, known @ weights)) @ root.T

    def __call__(self, rows: Floats) -> Floats:
        """Its values [N, B]."""
        found: Floats = self._features(rows) @ self._weights
        return found

    def _features(self, rows: Floats) -> Floats:
        angles = self._scale(rows) @ self._frequencies.T + self._phases
        found: Floats = np.sqrt(2 / FEATURES) * np.cos(angles)
        return found


def _candidate(key: str, data: Mapping[str, Any]) -> Candidate:
    """A table's candidate; TableError if it isn't one, or another than its key says."""
    try:
        found = Candidate.from_json(data)
    except ValueError as error:
        raise TableError(f"the table's candidate {key} is none: {error}") from None
    if found.key != key:
        raise TableError(f"the table's candidate {key} has the key {found.key}; export it again")
    return found


def _by_candidate(
    outcomes: Mapping[Run, Outcome], budget: int
) -> tuple[dict[str, list[float]], dict[str, list[float]]]:
    """Logarithms of errors, and of seconds where they are known, of all seeds at a budget."""
    errors: dict[str, list[float]] = {}
    times: dict[str, list[float]] = {}
    for run, outcome in sorted(outcomes.items()):
        if run.budget == budget and outcome.accuracy is not None:
            errors.setdefault(run.key, []).append(log_error(outcome.accuracy))
            if outcome.seconds is not None:
                times.setdefault(run.key, []).append(math.log(outcome.seconds))
    return errors, times


def _too_few(outcomes: Iterable[Run], budget: int, count: int, timed: int) -> TableError:
    return TableError(
        f"the table has {counted(count, 'candidate')} at a budget of {budget:,} images, {timed} of "
        f"them timed, and {LEAST_CANDIDATES} timed ones are needed; it has: "
        f"{'; '.join(_offers(outcomes))}"
    )


class Model(RegressorMixin, BaseEstimator):  # type: ignore[misc]
    """What predicts the logarithm of the error from features; not what the sampler uses.

    Boosted trees of what a robust trend in the cost leaves, of which networks that didn't learn are
    drawn to no more than FURTHEST: else what is like them, but learns, would be foretold badly.
    """

    def fit(self, rows: Floats, labels: Floats) -> "Model":
        """Fit it to rows of features [N, D] and their labels [N]."""
        self._scale = Scale.of(rows)
        self._trend, left = robust_trend(self._scale(rows), labels, np.zeros(len(labels)))
        self._trees = GradientBoostingRegressor(
            n_estimators=400,
            learning_rate=0.03,
            max_depth=3,
            min_samples_leaf=8,
            subsample=0.5,
            max_features=0.2,
            random_state=0,
        ).fit(rows, left)
        return self

    def predict(self, rows: Floats) -> Floats:
        """The predicted labels [N]."""
        usual = terms_of(self._scale(rows)) @ self._trend
        predicted: Floats = usual + self._trees.predict(rows)
        return predicted


def open_replay(
    path: Path, settings: Settings, precision: str, study: str = ""
) -> tuple[Replay, Settings]:
    """A replay of the table in a file, and the settings of a study of that name on it.

    They get the table's recipe, and as their data a digest of what is replayed and of the study's
    name: no simulated evaluation is ever taken for a real one, or for another study's, which would
    have it for nothing. ``precision`` may be auto. TableError where the table is of another space,
    or lacks what the settings ask for.
    """
    if (settings.metric, settings.folds or 1) != (ACCURACY, 1):
        raise ValueError(
            f"a replay knows the {ACCURACY} of one split alone, and {settings.metric} of "
            f"{counted(settings.folds or 1, 'fold')} is asked for; leave out --replay, or these"
        )
    table = read_table(path)
    here, there = settings.space.to_json(), dict(table.space)
    for name in sorted(here.keys() | there.keys()):
        if here.get(name) != there.get(name):
            raise TableError(
                f"{path} is of another space: {name} is {there.get(name)} there, "
                f"{here.get(name)} in this study; give the table's space with --space"
            )
    setting, recipe = _setting(table, settings, precision, path)
    outcomes = {run: found for run, found in table.outcomes.items() if run.setting == setting}
    replay = Replay(table.candidates, outcomes, settings.image, settings.budgets)
    used = {run: found for run, found in outcomes.items() if run.budget in replay.quality}
    data = f"{REPLAYED}{digest(used, study)}"
    images = Data(setting.data, setting.resolution, setting.channels)
    known = table.references.get(images)
    reference = Reference(**known) if known and settings.edition > 1 else None
    return replay, replace(settings, recipe=recipe, data=data, reference=reference)


def _setting(
    table: Table, settings: Settings, precision: str, path: Path
) -> tuple[Setting, Recipe]:
    """What is replayed: the default recipe where the table has it, else the most measured one."""
    fits: Counter[Setting] = Counter()
    recipes: dict[Setting, Recipe] = {}
    for run in table.outcomes:
        setting = run.setting
        if not is_plain(json.loads(setting.recipe)):
            continue
        if setting not in recipes:
            try:
                recipes[setting] = Recipe(**json.loads(setting.recipe))
            except (TypeError, ValueError):
                raise TableError(
                    f"{path} has a recipe that this version doesn't know; export it again"
                ) from None
        shape = setting.channels, setting.resolution, setting.resolution
        if shape == settings.image and precision in ("auto", recipes[setting].precision):
            fits[setting] += run.budget in settings.budgets
    if not fits:
        raise TableError(
            f"{path} has no evaluation at resolution {settings.resolution}, "
            f"{counted(settings.channels, 'channel')} and precision {precision}; "
            f"it has: {'; '.join(_offers(table.outcomes))}"
        )

    def rank(setting: Setting) -> tuple[bool, int]:
        recipe = recipes[setting]
        return recipe == Recipe(precision=recipe.precision), fits[setting]

    chosen = max(sorted(fits), key=rank)
    return chosen, recipes[chosen]


def _offers(outcomes: Iterable[Run]) -> list[str]:
    """What there is, in words: candidates by budget, resolution, channels and precision."""
    found: dict[tuple[int, int, int, str], set[str]] = {}
    for run in outcomes:
        precision = json.loads(run.setting.recipe).get("precision", Recipe.precision)
        what = run.budget, run.setting.resolution, run.setting.channels, precision
        found.setdefault(what, set()).add(run.key)
    return [
        f"{counted(len(keys), 'candidate')} at {budget:,} images, {resolution}x{resolution}, "
        f"{counted(channels, 'channel')}, {precision}"
        for (budget, resolution, channels, precision), keys in sorted(found.items())
    ]
