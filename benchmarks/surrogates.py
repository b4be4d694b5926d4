"""Models of accuracy compared out of fold on the table: the sampler's, the replay's, and others."""

import argparse
import time
import warnings
from collections.abc import Callable
from typing import Any

import numpy as np
from problem import TABLE
from scipy.stats import kendalltau
from sklearn.ensemble import (
    ExtraTreesRegressor,
    HistGradientBoostingRegressor,
    RandomForestRegressor,
)
from sklearn.gaussian_process import GaussianProcessRegressor
from sklearn.gaussian_process.kernels import ConstantKernel, Matern, WhiteKernel
from sklearn.linear_model import RidgeCV
from sklearn.metrics import r2_score
from sklearn.model_selection import KFold, cross_val_predict
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import StandardScaler

from nas.features import features
from nas.forecast import log_error
from nas.ms_ehvi.surrogate import LENGTH, NOISE
from nas.replay import model as boosted
from nas.settings import Settings
from search_space.architecture import Candidate
from studies.pareto import Floats
from studies.table import read_table


def fixed(length: float = LENGTH, noise: float = NOISE) -> Any:
    """The sampler's Gaussian process."""
    kernel = Matern(length, "fixed", nu=2.5)
    process = GaussianProcessRegressor(kernel, alpha=noise, optimizer=None, normalize_y=True)
    return make_pipeline(StandardScaler(), process)


def fitted() -> Any:
    """The same with signal, length and noise fitted by marginal likelihood."""
    kernel = ConstantKernel(0.5) * Matern(10.0, (3, 100), nu=2.5) + WhiteKernel(0.3, (0.01, 1))
    process = GaussianProcessRegressor(kernel, normalize_y=True, random_state=0)
    return make_pipeline(StandardScaler(), process)


MODELS: dict[str, Callable[[], Any]] = {
    "Gaussian process, fixed (the sampler's)": fixed,
    "Gaussian process, half the length": lambda: fixed(LENGTH / 2),
    "Gaussian process, twice the length": lambda: fixed(2 * LENGTH),
    "Gaussian process, thrice the noise": lambda: fixed(noise=3 * NOISE),
    "Gaussian process, fitted": fitted,
    "gradient boosting (the replay's)": boosted,
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
    asked = parser.parse_args()
    warnings.simplefilter("ignore")
    print("| model | images | n | tau | R2 of log error | fit, ms | 500 predictions, ms |")
    print(f"|{' --- |' * 7}")
    for budget in (int(text) for text in asked.budgets.split(",")):
        rows, labels = learned(budget)
        for name, make in MODELS.items():
            taus, shares = [], []
            for repeat in range(asked.repeats):
                folds = KFold(5, shuffle=True, random_state=repeat)
                predicted = cross_val_predict(make(), rows, labels, cv=folds)
                taus.append(kendalltau(predicted, labels)[0])
                shares.append(r2_score(labels, predicted))
            begun = time.perf_counter()
            model = make().fit(rows, labels)
            middle = time.perf_counter()
            model.predict(np.resize(rows, (500, rows.shape[1])))
            ended = time.perf_counter()
            print(
                f"| {name} | {budget:,} | {len(labels)} | {np.mean(taus):.3f} | "
                f"{np.mean(shares):.3f} | {1000 * (middle - begun):.0f} | "
                f"{1000 * (ended - middle):.0f} |",
                flush=True,
            )


def learned(budget: int) -> tuple[Floats, Floats]:
    """Features [N, D] and logarithms of the error [N] of the table at a budget."""
    table = read_table(TABLE)
    batch = f'"batch_size": {Settings().recipe.batch_size},'
    errors: dict[str, list[float]] = {}
    for run, outcome in table.outcomes.items():
        if run.budget == budget and batch in run.setting.recipe and outcome.accuracy is not None:
            errors.setdefault(run.key, []).append(log_error(outcome.accuracy))
    keys = sorted(errors)
    found = [Candidate.from_json(table.candidates[key]) for key in keys]
    return features(found, Settings().image, 10), np.array([np.mean(errors[key]) for key in keys])


if __name__ == "__main__":
    main()
