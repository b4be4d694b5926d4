"""The surrogate benchmark: evaluations answered from a table of real ones, at simulated seconds.

A candidate of the table has the accuracy that was measured. Any other has the one that a model of
the table predicts, plus a deviation of its own, as large as the model's out-of-fold errors and as
alike from budget to budget; so short runs rank candidates as well, and as badly, as they do in
truth. Every evaluation adds the noise that runs of other seeds showed ([Zela2022]_ has the idea).

.. [Zela2022] A. Zela et al., Surrogate NAS Benchmarks: Going Beyond the Limited Search Spaces of
   Tabular NAS Benchmarks, ICLR 2022.
"""

import json
import platform
from collections import Counter
from collections.abc import Iterable, Mapping
from dataclasses import replace
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
from scipy.stats import kendalltau
from sklearn.ensemble import GradientBoostingRegressor
from sklearn.linear_model import RidgeCV
from sklearn.metrics import r2_score
from sklearn.model_selection import KFold, cross_val_predict
from sklearn.pipeline import Pipeline, make_pipeline
from sklearn.preprocessing import StandardScaler

from nas.evaluation import Evaluation, versions
from nas.features import features
from nas.forecast import log_error
from nas.seeds import derive
from nas.settings import CLASSES, Recipe, Request, Settings
from search_space.architecture import Candidate
from studies.pareto import Floats
from studies.table import Outcome, Run, Setting, TableError, read_table

LEAST_CANDIDATES = 30
"""Candidates with an evaluation at a budget before a model of it is worth anything."""

FOLDS = 5
COSTS = 8
"""Features that seconds are predicted from: the first, of the layer graph."""

CHANCE = 0.1
"""Accuracy below which no prediction goes."""


class Quality(NamedTuple):
    """How well the model predicts candidates that it has not seen: Kendall's tau and R2 (of the
    logarithm of the error), over ``candidates``; and the noise, as a share of the error.
    """

    candidates: int
    tau: float
    r2: float
    noise: float


class Replay:
    """Answers requests of a study of those settings; TableError where the table can't.

    ``quality`` has an entry for each of the study's budgets.
    """

    def __init__(
        self,
        candidates: Mapping[str, Any],
        outcomes: Mapping[Run, Outcome],
        settings: Settings,
    ) -> None:
        self._image, self._budgets = settings.image, settings.budgets
        self._rows: dict[str, Floats] = {}
        self._known: dict[int, dict[str, float]] = {}
        self._models: dict[int, GradientBoostingRegressor] = {}
        self._clocks: dict[int, Pipeline] = {}
        self.quality: dict[int, Quality] = {}
        for key in sorted({run.key for run in outcomes}):
            self._rows[key] = self._row(Candidate.from_json(candidates[key]))
        residuals = {budget: self._fit(outcomes, budget) for budget in settings.budgets}
        self._spread = self._deviations(residuals)

    def __call__(self, request: Request) -> Evaluation:
        """The evaluation that would have been made, with the noise of its seed."""
        key, budget = request.candidate.key, request.budget
        chance = np.random.default_rng(derive(request.seed, "replay", key, budget))
        error = np.log(1 - self.truth(request.candidate, budget))
        error += self.quality[budget].noise * chance.standard_normal()
        accuracy = float(np.clip(1 - np.exp(error), CHANCE, 0.9999))
        seconds = self.seconds(request.candidate, budget)
        speed = budget / seconds
        return Evaluation(accuracy, None, (), seconds, speed, platform.node(), versions())

    def truth(self, candidate: Candidate, budget: int) -> float:
        """Accuracy (0..1) without the noise of a seed."""
        key = candidate.key
        if key in self._known[budget]:
            return 1 - float(np.exp(self._known[budget][key]))
        row = self._row(candidate).reshape(1, -1)
        error = float(self._models[budget].predict(row)[0]) + self._deviation(key, budget)
        return float(np.clip(1 - np.exp(error), CHANCE, 0.9999))

    def seconds(self, candidate: Candidate, budget: int) -> float:
        """Seconds of one evaluation on one worker, predicted from its cost."""
        row = self._row(candidate)[:COSTS].reshape(1, -1)
        return float(np.exp(self._clocks[budget].predict(row)[0]))

    def _row(self, candidate: Candidate) -> Floats:
        row: Floats = features([candidate], self._image, CLASSES)[0]
        return row

    def _fit(self, outcomes: Mapping[Run, Outcome], budget: int) -> dict[str, float]:
        """Models of accuracy and of seconds at a budget; the first one's out-of-fold errors."""
        errors: dict[str, list[float]] = {}
        times: dict[str, list[float]] = {}
        for run, outcome in outcomes.items():
            if run.budget == budget and outcome.accuracy is not None:
                errors.setdefault(run.key, []).append(log_error(outcome.accuracy))
                if outcome.seconds is not None:
                    times.setdefault(run.key, []).append(float(np.log(outcome.seconds)))
        if min(len(errors), len(times)) < LEAST_CANDIDATES:
            raise TableError(
                f"the table has {len(errors)} candidates at a budget of {budget:,} images, "
                f"{len(times)} of them timed, and {LEAST_CANDIDATES} timed ones are needed; it "
                f"has: {'; '.join(_offers(outcomes))}"
            )
        known = self._known[budget] = {key: float(np.mean(errors[key])) for key in sorted(errors)}
        rows = np.array([self._rows[key] for key in known])
        labels = np.array(list(known.values()))
        folds = KFold(FOLDS, shuffle=True, random_state=0)
        predicted = cross_val_predict(model(), rows, labels, cv=folds)
        self._models[budget] = model().fit(rows, labels)
        costs = np.array([self._rows[key][:COSTS] for key in sorted(times)])
        logs = [float(np.mean(times[key])) for key in sorted(times)]
        self._clocks[budget] = make_pipeline(StandardScaler(), RidgeCV()).fit(costs, logs)
        spread = [np.var(values, ddof=1) for values in errors.values() if len(values) > 1]
        self.quality[budget] = Quality(
            len(known),
            float(kendalltau(predicted, labels)[0]),
            float(r2_score(labels, predicted)),
            float(np.sqrt(np.mean(spread))) if spread else 0.0,
        )
        return dict(zip(known, labels - predicted, strict=True))

    def _deviations(self, residuals: Mapping[int, Mapping[str, float]]) -> Floats:
        """A matrix that turns independent normal numbers into a candidate's deviations.

        Its square is the covariance of the out-of-fold errors from budget to budget, less what
        the noise of seeds explains.
        """
        both = sorted(set.intersection(*(set(found) for found in residuals.values())))
        table = np.array([[found[key] for key in both] for found in residuals.values()])
        covariance = np.atleast_2d(np.cov(table))
        covariance -= np.diag([self.quality[budget].noise ** 2 for budget in residuals])
        values, vectors = np.linalg.eigh(covariance)
        matrix: Floats = vectors * np.sqrt(np.maximum(values, 0.0))
        return matrix

    def _deviation(self, key: str, budget: int) -> float:
        chance = np.random.default_rng(derive("deviation", key))
        deviations = self._spread @ chance.standard_normal(len(self._budgets))
        return float(deviations[self._budgets.index(budget)])


def model() -> GradientBoostingRegressor:
    """What predicts the logarithm of the error from features; not what the sampler uses."""
    return GradientBoostingRegressor(
        n_estimators=300,
        learning_rate=0.05,
        max_depth=3,
        subsample=0.5,
        max_features=0.3,
        random_state=0,
    )


def open_replay(path: Path, settings: Settings, precision: str) -> tuple[Replay, Settings]:
    """A replay of the table in a file, and the settings of a study on it.

    They get the table's recipe, and its digest as their data, so that no simulated evaluation is
    ever taken for a real one. ``precision`` may be auto. TableError where the table is of another
    space, or lacks what the settings ask for.
    """
    table = read_table(path)
    here, there = settings.space.to_json(), dict(table.space)
    for name in sorted(here.keys() | there.keys()):
        if here.get(name) != there.get(name):
            raise TableError(
                f"{path} is of another space: {name} is {there.get(name)} there, "
                f"{here.get(name)} in this study; give the table's space with --space"
            )
    asked = settings.resolution, settings.channels
    fits: Counter[Setting] = Counter()
    for run in table.outcomes:
        recipe = json.loads(run.setting.recipe)
        if run.setting[1:3] == asked and precision in ("auto", recipe["precision"]):
            fits[run.setting] += run.budget in settings.budgets
    if not fits:
        raise TableError(
            f"{path} has no evaluation at resolution {asked[0]}, {asked[1]} channels and precision "
            f"{precision}; it has: {'; '.join(_offers(table.outcomes))}"
        )
    setting = max(sorted(fits), key=lambda setting: fits[setting])
    settings = replace(
        settings,
        recipe=Recipe(**json.loads(setting.recipe)),
        data=f"replay of {table.digest()}",
    )
    outcomes = {run: found for run, found in table.outcomes.items() if run.setting == setting}
    return Replay(table.candidates, outcomes, settings), settings


def _offers(outcomes: Iterable[Run]) -> list[str]:
    """What there is, in words: candidates by budget, resolution, channels and precision."""
    found: dict[tuple[int, int, int, str], set[str]] = {}
    for run in outcomes:
        precision = json.loads(run.setting.recipe)["precision"]
        what = run.budget, run.setting.resolution, run.setting.channels, precision
        found.setdefault(what, set()).add(run.key)
    return [
        f"{len(keys)} candidates at {budget:,} images, {resolution}x{resolution}, {channels} "
        f"channels, {precision}"
        for (budget, resolution, channels, precision), keys in sorted(found.items())
    ]
