"""Models of accuracy compared out of fold on the table, and what seconds follow from."""

import argparse
import json
import random
import warnings
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
from problem import TABLE, default_recipe
from scipy.stats import kendalltau
from sklearn.ensemble import (
    ExtraTreesRegressor,
    HistGradientBoostingRegressor,
    RandomForestRegressor,
)
from sklearn.gaussian_process import GaussianProcessRegressor
from sklearn.gaussian_process.kernels import ConstantKernel, Matern, WhiteKernel
from sklearn.linear_model import LinearRegression, RidgeCV
from sklearn.metrics import r2_score
from sklearn.model_selection import KFold, cross_val_predict
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import StandardScaler

from nas.sampling.features import PACE, features
from nas.sampling.ms_ehvi.proposals import Proposals
from nas.sampling.ms_ehvi.surrogate import (
    LENGTH,
    NOISE,
    NOISE_AT_COST,
    Scale,
    process,
    robust_trend,
    terms_of,
)
from nas.settings import Settings
from nas.short_run.replay import Model
from search_space.architecture import Candidate
from studies.forecast import log_error
from studies.pareto import Floats
from studies.table import read_table

USEFUL = 0.8592
"""What logistic regression has on these images."""


class Fixed:
    """The sampler's Gaussian process, scaled as there, or one of another length or noise."""

    scale = Scale(np.zeros(1), np.ones(1))

    def __init__(self, length: float = LENGTH, noise: float = NOISE) -> None:
        self.noise = noise
        self.process = process(noise)
        self.process.kernel.length_scale = length

    def fit(self, rows: Floats, labels: Floats) -> "Fixed":
        self.middle, self.spread = labels.mean(), labels.std()
        self.process.fit(self.scale(rows), (labels - self.middle) / self.spread)
        return self

    def predict(self, rows: Floats) -> Floats:
        return self.distribution(rows)[0]

    def distribution(self, rows: Floats) -> tuple[Floats, Floats]:
        """Mean and standard deviation of new evaluations, [N] each."""
        mean, std = self.process.predict(self.scale(rows), return_std=True)
        noisy = np.sqrt(std**2 + self.noise)
        return self.middle + self.spread * mean, self.spread * noisy


class Trending(Fixed):
    """The sampler's since studies of the second edition: over a trend in the cost."""

    def __init__(self, length: float = LENGTH, noise: float = NOISE_AT_COST) -> None:
        super().__init__(length, noise)

    def fit(self, rows: Floats, labels: Floats) -> "Trending":
        scaled = self.scale(rows)
        self.trend, left = robust_trend(scaled, labels, np.zeros(len(labels)))
        super().fit(rows, left)
        return self

    def distribution(self, rows: Floats) -> tuple[Floats, Floats]:
        """Mean and standard deviation of new evaluations, [N] each."""
        mean, deviation = super().distribution(rows)
        return mean + terms_of(self.scale(rows)) @ self.trend, deviation


def fitted() -> Any:
    """The same with signal, length and noise fitted by marginal likelihood."""
    kernel = ConstantKernel(0.5) * Matern(10.0, (3, 100), nu=2.5) + WhiteKernel(0.3, (0.01, 1))
    process = GaussianProcessRegressor(kernel, normalize_y=True, random_state=0)
    return make_pipeline(StandardScaler(), process)


MODELS: dict[str, Callable[[], Any]] = {
    "Gaussian process over a trend in the cost (the sampler's)": Trending,
    "the same, two thirds of the length": lambda: Trending(LENGTH * 2 / 3),
    "the same, a third of the noise": lambda: Trending(noise=NOISE_AT_COST / 3),
    "the same, thrice the noise": lambda: Trending(noise=3 * NOISE_AT_COST),
    "Gaussian process, fixed (of the first edition)": Fixed,
    "that, half the length": lambda: Fixed(LENGTH / 2),
    "that, twice the length": lambda: Fixed(2 * LENGTH),
    "that, thrice the noise": lambda: Fixed(noise=3 * NOISE),
    "Gaussian process, fitted": fitted,
    "gradient boosting (the replay's)": Model,
    "gradient boosting, histograms": lambda: HistGradientBoostingRegressor(
        max_iter=200, learning_rate=0.05, min_samples_leaf=5, random_state=0
    ),
    "random forest": lambda: RandomForestRegressor(200, max_features=0.33, random_state=0),
    "extremely randomized trees": lambda: ExtraTreesRegressor(
        200, max_features=0.5, random_state=0
    ),
    "ridge": lambda: make_pipeline(StandardScaler(), RidgeCV(np.geomspace(0.1, 1000, 20))),
}


def main() -> None:
    parser = argparse.ArgumentParser()
    parser.add_argument("--budgets", default="5000,20000")
    parser.add_argument("--repeats", type=int, default=3)
    parser.add_argument(
        "--seconds", type=Path, default=TABLE, help="what `nas studies --export` wrote: its pace"
    )
    asked = parser.parse_args()
    warnings.simplefilter("ignore")
    chance, proposals = random.Random(0), Proposals(Settings())
    Fixed.scale = Scale.of(np.array([proposals.drawn(chance, 1).row for _ in range(400)]))
    budgets = [int(text) for text in asked.budgets.split(",")]
    print("| model | images | n | tau | R2 | likelihood | of use | tau | RMSE | likelihood |")
    print(f"|{' --- |' * 10}")
    for budget in budgets:
        rows, labels = learned(budget)
        for name, make in MODELS.items():
            print(
                f"| {name} | {budget:,} | {line(make, rows, labels, asked.repeats)} |", flush=True
            )
    print("\nR2, RMSE and the logarithm of the likelihood, a candidate, are of that of the error;")
    print(f"of use are those of more than {USEFUL:.2%}.\n")
    for budget in budgets:
        print(pace(budget, asked.seconds))


def line(make: Callable[[], Any], rows: Floats, labels: Floats, repeats: int) -> str:
    """A model's cells: means over repeated 5-fold cross-validation, of all and of those of use."""
    useful = labels < log_error(USEFUL)
    found: list[list[float]] = []
    for repeat in range(repeats):
        predicted, deviation = np.empty(len(labels)), np.full(len(labels), np.nan)
        for train, test in KFold(5, shuffle=True, random_state=repeat).split(rows):
            model = make().fit(rows[train], labels[train])
            if isinstance(model, Fixed):
                predicted[test], deviation[test] = model.distribution(rows[test])
            else:
                predicted[test] = model.predict(rows[test])
        missed = labels - predicted
        likelihood = -0.5 * (missed / deviation) ** 2 - np.log(deviation) - 0.5 * np.log(2 * np.pi)
        found.append(
            [
                kendalltau(predicted, labels)[0],
                r2_score(labels, predicted),
                float(likelihood.mean()),
                kendalltau(predicted[useful], labels[useful])[0],
                float(np.sqrt((missed[useful] ** 2).mean())),
                float(likelihood[useful].mean()),
            ]
        )
    means = ["" if np.isnan(mean) else f"{mean:.3f}" for mean in np.mean(found, axis=0)]
    return " | ".join([str(len(labels)), *means[:3], str(int(useful.sum())), *means[3:]])


def learned(budget: int, path: Path = TABLE, seconds: bool = False) -> tuple[Floats, Floats]:
    """Features [N, D] and logarithms of the error, or of seconds, [N] of a table at a budget."""
    table = read_table(path)
    found: dict[str, list[float]] = {}
    for run, outcome in table.outcomes.items():
        if run.budget != budget or not default_recipe(json.loads(run.setting.recipe)):
            continue
        if seconds and outcome.seconds is not None:
            found.setdefault(run.key, []).append(float(np.log(outcome.seconds)))
        elif not seconds and outcome.accuracy is not None:
            found.setdefault(run.key, []).append(log_error(outcome.accuracy))
    keys = sorted(found)
    candidates = [Candidate.from_json(table.candidates[key]) for key in keys]
    rows = features(candidates, Settings().image, 10)
    return rows, np.array([np.mean(found[key]) for key in keys])


def pace(budget: int, path: Path) -> str:
    """The line that ``nas.sampling.features.PACE`` is: coefficients, and how much they explain."""
    rows, logs = learned(budget, path, seconds=True)
    if len(logs) < 2 * len(PACE):
        return f"{budget:,} images: {len(logs)} candidates are timed, too few for a pace"
    costs = rows[:, : len(PACE)]
    folds = KFold(5, shuffle=True, random_state=0)
    share = r2_score(logs, cross_val_predict(LinearRegression(), costs, logs, cv=folds))
    found = ", ".join(f"{value:.3f}" for value in LinearRegression().fit(costs, logs).coef_)
    return f"{budget:,} images: pace ({found}), out-of-fold R2 {share:.3f}, n = {len(logs)}"


if __name__ == "__main__":
    main()
