"""Four ways to learn more from a short run, each judged by how well it ranks per second.

The networks are those of ``record.py`` that have long runs. ``run`` trains them once more with soft
labels of one teacher, and at half the resolution, and scores them without training; results go to
data/recipes.jsonl as they come, so it can be stopped at any moment. ``report`` prints Kendall's tau
against the long runs, with size taken out ([Kendall1942]_): the partial tau given the logarithms of
parameters and of FLOPs.

.. [Kendall1942] M. G. Kendall, Partial Rank Correlation, Biometrika 32, 1942.
"""

import argparse
import json
import math
import os
import time
from collections.abc import Callable, Mapping, Sequence
from concurrent.futures import ProcessPoolExecutor, as_completed
from dataclasses import asdict, replace
from functools import cache
from typing import Any

os.environ["OMP_NUM_THREADS"] = "1"

import numpy as np
import torch
from record import CURVES, HERE, LONG_BUDGET, MIDDLE_BUDGET, TABLE, hand_drawn, long_ones
from scipy.stats import kendalltau
from sklearn.linear_model import RidgeCV
from sklearn.model_selection import KFold, cross_val_predict
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import StandardScaler
from torch import Tensor, nn
from torch.nn.functional import cross_entropy
from worker import images

from nas.datasets import Batches, Dataset, Images, find, load, order
from nas.metrics import ACCURACY, METRICS
from nas.seeds import derive
from nas.settings import Recipe, Settings
from nas.short_run.trainer import lightning_alone, make_trainer
from nas.short_run.training import VALIDATION_BATCH, DivergedError, ShortRun, initialize
from nas.threads import one_thread
from search_space.architecture import Candidate
from search_space.cost import Cost, cost
from search_space.network import build
from studies.forecast import log_error
from studies.table import Setting, read_table

RESULTS = HERE / "data" / "recipes.jsonl"
TEACHER = HERE / "data" / "teacher.pt"

BUDGETS = (5_000, 20_000)
TEACHER_BUDGET = 200_000
TEACHER_SEED = 7
TEMPERATURE, SHARE = 2.0, 0.5
"""Of the teacher's labels, and how much they count beside the true ones."""

SCORES = ("naswot", "grad_norm", "synflow")

Rows = Mapping[str, Mapping[str, float]]
"""Results of a variant at a budget, by network."""

LEAST = 20
"""Networks below which a tau says nothing."""


class Taught(ShortRun):
    """A short run whose labels are the numbers of the images, to look up both kinds of labels."""

    labels: Tensor
    soft: Tensor

    def training_step(self, batch: tuple[Tensor, Tensor], index: int) -> Tensor:
        """Cross-entropy to the true labels, smoothed, and to the teacher's."""
        pixels, numbers = batch
        logits = self(pixels).float()
        hard = cross_entropy(logits, self.labels[numbers], label_smoothing=self.label_smoothing)
        softly = cross_entropy(logits / TEMPERATURE, self.soft[numbers]) * TEMPERATURE**2
        loss = (1 - SHARE) * hard + SHARE * softly
        if not abs(float(loss.detach())) < float("inf"):
            raise DivergedError(f"the training loss is {float(loss)}")
        return loss


def trained(
    candidate: Candidate, dataset: Dataset, budget: int, seed: int, soft: Tensor | None = None
) -> tuple[nn.Module, float, float]:
    """A network after a short run, its validation accuracy (0..1), and the seconds of training."""
    recipe = Recipe()
    with one_thread(), torch.random.fork_rng([]):
        torch.manual_seed(derive(seed, "weights"))
        network = build(candidate.architecture, 1, len(dataset.classes))
        initialize(network)
        seen = order(len(dataset.train), budget, derive(seed, "order"))
        train = dataset.train
        if soft is not None:
            train = Images(train.pixels, torch.arange(len(train)))
        batches = Batches(train, seen, recipe.batch_size, len(seen) % recipe.batch_size == 1)
        kind = ShortRun if soft is None else Taught
        mean, std, classes = dataset.mean, dataset.std, len(dataset.classes)
        run = kind(network, recipe, candidate.label_smoothing, mean, std, len(batches), classes)
        if isinstance(run, Taught) and soft is not None:
            run.labels, run.soft = dataset.train.labels, soft
        began = time.perf_counter()
        with lightning_alone():
            trainer = make_trainer("float32", None, max_epochs=1, enable_checkpointing=False)
            trainer.fit(run, batches)
            seconds = time.perf_counter() - began
            held_out = torch.arange(len(dataset.validation))
            trainer.validate(
                run, Batches(dataset.validation, held_out, VALIDATION_BATCH), verbose=False
            )
    return run, METRICS[ACCURACY].value(run.result()[0]), seconds


@cache
def taught(directory: str) -> Tensor:
    """The teacher's probabilities of all training images, at the temperature; trained once."""
    if not TEACHER.exists():
        teacher, accuracy, seconds = trained(
            hand_drawn()[2], whole_images(directory), TEACHER_BUDGET, TEACHER_SEED
        )
        print(f"the teacher has {accuracy:.2%} after {seconds:.0f} s", flush=True)
        with torch.inference_mode():
            pixels = whole_images(directory).train.pixels
            parts = range(0, len(pixels), VALIDATION_BATCH)
            logits = [teacher(pixels[first : first + VALIDATION_BATCH]) for first in parts]
        torch.save(torch.softmax(torch.cat(logits) / TEMPERATURE, 1), TEACHER)
    found: Tensor = torch.load(TEACHER)
    return found


def soft_labels(candidate: Candidate, directory: str, budget: int) -> dict[str, float]:
    """A short run on the teacher's labels too."""
    seed = derive(0, "evaluation")
    _, accuracy, seconds = trained(
        candidate, whole_images(directory), budget, seed, taught(directory)
    )
    return {"accuracy": accuracy, "seconds": seconds}


def whole_images(directory: str) -> Dataset:
    """The images as they are searched on."""
    return images(Settings().reading(directory))


@cache
def small_images(directory: str) -> Dataset:
    return load(replace(Settings(resolution=14), data="").reading(directory))


def half_resolution(candidate: Candidate, directory: str, budget: int) -> dict[str, float]:
    """A short run on images of half the extent."""
    seed = derive(0, "evaluation")
    _, accuracy, seconds = trained(candidate, small_images(directory), budget, seed)
    return {"accuracy": accuracy, "seconds": seconds}


def plain(candidate: Candidate, directory: str, budget: int) -> dict[str, float]:
    """The recipe as it is, for its seconds."""
    seed = derive(0, "evaluation")
    _, accuracy, seconds = trained(candidate, whole_images(directory), budget, seed)
    return {"accuracy": accuracy, "seconds": seconds}


def zero_cost(candidate: Candidate, directory: str, budget: int) -> dict[str, float]:
    """Scores of the untrained network on a fixed batch: synflow, naswot, the gradient's norm."""
    del budget
    began = time.perf_counter()
    dataset = whole_images(directory)
    with one_thread(), torch.random.fork_rng([]):
        torch.manual_seed(derive(0, "weights"))
        network = build(candidate.architecture, 1, len(dataset.classes))
        initialize(network)
        pixels = dataset.train.pixels[:64].float() / 255
        labels = dataset.train.labels[:64]
        found = {
            "naswot": naswot(network, pixels),
            "grad_norm": grad_norm(network, pixels, labels),
            "synflow": synflow(network),
        }
    return found | {"seconds": time.perf_counter() - began}


def naswot(network: nn.Module, pixels: Tensor) -> float:
    """Log-determinant of the kernel of ReLU patterns (Mellor et al., ICML 2021)."""
    kernel = torch.zeros(len(pixels), len(pixels), dtype=torch.float64)

    def seen(_module: nn.Module, _inputs: Any, output: Tensor) -> None:
        on = (output > 0).flatten(1).double()
        kernel.add_(on @ on.T + (1 - on) @ (1 - on).T)

    hooks = [m.register_forward_hook(seen) for m in network.modules() if isinstance(m, nn.ReLU)]
    with torch.no_grad():
        network(pixels)
    for hook in hooks:
        hook.remove()
    return float(torch.linalg.slogdet(kernel + 1e-6 * torch.eye(len(pixels)))[1])


def grad_norm(network: nn.Module, pixels: Tensor, labels: Tensor) -> float:
    """Logarithm of the norm of the loss's gradient (Abdelfattah et al., ICLR 2021)."""
    network.zero_grad()
    torch.autograd.backward(cross_entropy(network(pixels), labels))
    squares = [float((p.grad**2).sum()) for p in network.parameters() if p.grad is not None]
    return 0.5 * float(np.log(sum(squares) + 1e-30))


def synflow(network: nn.Module) -> float:
    """Logarithm of the sum of weights times gradients, all positive (Tanaka et al., 2020)."""
    network.eval().double()
    with torch.no_grad():
        for parameter in network.parameters():
            parameter.abs_()
    network.zero_grad()
    torch.autograd.backward(network(torch.ones(1, 1, 28, 28, dtype=torch.float64)).sum())
    total = sum(float((p * p.grad).sum()) for p in network.parameters() if p.grad is not None)
    return float(np.log(total + 1e-300))


VARIANTS: dict[str, tuple[Callable[..., dict[str, float]], tuple[int, ...]]] = {
    "zero-cost": (zero_cost, (0,)),
    "half resolution": (half_resolution, (5_000,)),
    "soft labels": (soft_labels, BUDGETS),
    "plain": (plain, BUDGETS),
}


def run(processes: int, variants: Sequence[str]) -> None:
    directory = find("fashion-mnist").directory
    done = {(row["variant"], row["budget"], row["key"]) for row in rows()}
    if "soft labels" in variants:
        taught(directory)
    with ProcessPoolExecutor(processes) as pool:
        jobs = {
            pool.submit(VARIANTS[name][0], one, directory, budget): (name, budget, one.key)
            for name in variants
            for budget in VARIANTS[name][1]
            for one in [*hand_drawn(), *long_ones()]
            if (name, budget, one.key) not in done
        }
        for job in as_completed(jobs):
            name, budget, key = jobs[job]
            row = {"variant": name, "budget": budget, "key": key} | job.result()
            with RESULTS.open("a") as results:
                results.write(json.dumps(row) + "\n")
            print(row, flush=True)


def rows() -> list[dict[str, Any]]:
    return [json.loads(line) for line in RESULTS.open()] if RESULTS.exists() else []


def partial_tau(first: Sequence[float], second: Sequence[float], *given: Sequence[float]) -> float:
    """Kendall's tau of two rankings, others taken out; NaN where one of them is among these."""
    columns = [first, second, *given]
    taus = np.array([[kendalltau(one, other)[0] for other in columns] for one in columns])
    if np.linalg.cond(taus) > 1e9:
        return math.nan
    inverse = np.linalg.inv(taus)
    return float(-inverse[0, 1] / np.sqrt(inverse[0, 0] * inverse[1, 1]))


def interval(values: Callable[[np.ndarray[Any, Any]], float], count: int) -> tuple[float, float]:
    """95 % of a statistic over bootstrap samples of so many networks."""
    rng = np.random.default_rng(0)
    drawn = [values(rng.integers(0, count, count)) for _ in range(500)]
    low, high = np.nanquantile(drawn, (0.025, 0.975))
    return float(low), float(high)


def predicted(features: np.ndarray[Any, Any], truth: np.ndarray[Any, Any]) -> list[float]:
    """What a linear model of the features says of networks that it has not seen."""
    model = make_pipeline(StandardScaler(), RidgeCV(np.logspace(-3, 3, 13)))
    folds = KFold(8, shuffle=True, random_state=0)
    found: list[float] = cross_val_predict(model, features, truth, cv=folds).tolist()
    return found


def report() -> None:
    table = read_table(TABLE)
    setting = Setting.of(asdict(Recipe()), 28, 1, find("fashion-mnist").digest)
    seed = derive(0, "evaluation")
    recorded: dict[int, dict[str, float]] = {}
    for one, outcome in table.outcomes.items():
        if (one.setting, one.seed) == (setting, seed) and outcome.accuracy is not None:
            recorded.setdefault(one.budget, {})[one.key] = outcome.accuracy
    curves = {
        (row["key"], row["budget"]): row["curve"]
        for row in map(json.loads, CURVES.open())
        if row["seed"] == seed
    }
    found: dict[tuple[str, int], dict[str, dict[str, float]]] = {}
    for row in rows():
        found.setdefault((row["variant"], row["budget"]), {})[row["key"]] = row
    costs = {one.key: cost(one.architecture) for one in [*hand_drawn(), *long_ones()]}
    for budget in (LONG_BUDGET, MIDDLE_BUDGET):
        truth = {key: value for key, value in recorded.get(budget, {}).items() if key in costs}
        if len(truth) >= LEAST:
            print(f"\nAgainst {budget:,} images, {len(truth)} networks\n")
            compare(truth, recorded, curves, found, costs)


class Comparison:
    """Prints how well scores of networks rank them against their long runs."""

    def __init__(self, truth: Mapping[str, float], costs: Mapping[str, Cost]) -> None:
        self.truth, self.costs = truth, costs
        heading = (
            "what | images | n | tau | partial tau (95 %) | less the recipe's | seconds a network"
        )
        print(f"| {heading} |\n| {' | '.join(['---'] * 7)} |")

    def show(
        self,
        what: str,
        budget: int,
        scores: Mapping[str, float],
        rows: Rows = {},  # noqa: B006
        plain: Mapping[str, float] = {},
    ) -> None:
        """A line of the table; ``rows`` are those of the results that know the seconds.

        ``plain`` are scores of the recipe as it is: what is better is told of the same networks.
        """
        keys = sorted(scores.keys() & self.truth.keys() & (plain or scores).keys())
        if len(keys) < LEAST:
            return
        costs = [(math.log(self.costs[k].params), math.log(self.costs[k].flops)) for k in keys]
        columns = np.array(
            [(scores[k], self.truth[k], *c) for k, c in zip(keys, costs, strict=True)]
        )

        def partial(rows: np.ndarray[Any, Any]) -> float:
            return partial_tau(*columns[rows].T)

        def gained(rows: np.ndarray[Any, Any]) -> float:
            own = np.array([plain[k] for k in keys])
            return partial(rows) - partial_tau(own[rows], *columns[rows, 1:].T)

        low, high = interval(partial, len(keys))
        against = ""
        if plain and plain is not scores:
            least, most = interval(gained, len(keys))
            against = f"{gained(np.arange(len(keys))):+.2f} ({least:+.2f} to {most:+.2f})"
        tau = kendalltau(columns[:, 0], columns[:, 1])[0]
        seconds = [row["seconds"] for row in rows.values()]
        print(
            f"| {what} | {budget:,} | {len(keys)} | {tau:.2f} | "
            f"{partial(np.arange(len(keys))):.2f} ({low:.2f} to {high:.2f}) | {against} | "
            f"{f'{np.mean(seconds):.1f}' if seconds else ''} |"
        )

    def learn(
        self,
        what: str,
        budget: int,
        features: Mapping[str, Sequence[float]],
        rows: Rows,
        plain: Mapping[str, float],
    ) -> None:
        """A line of what a linear model of features says, out of fold."""
        keys = sorted(features.keys() & self.truth.keys())
        if len(keys) >= LEAST:
            labels = np.array([-log_error(self.truth[key]) for key in keys])
            said = predicted(np.array([features[key] for key in keys]), labels)
            self.show(what, budget, dict(zip(keys, said, strict=True)), rows, plain)


def compare(
    truth: Mapping[str, float],
    recorded: Mapping[int, Mapping[str, float]],
    curves: Mapping[tuple[str, int], Any],
    found: Mapping[tuple[str, int], Rows],
    costs: Mapping[str, Cost],
) -> None:
    """The table of everything that is known."""
    table = Comparison(truth, costs)
    table.show("parameters alone", 0, {key: float(one.params) for key, one in costs.items()})
    zero = found.get(("zero-cost", 0), {})
    for name in SCORES:
        table.show(name, 0, {key: row[name] for key, row in zero.items()}, zero)
    half = found.get(("half resolution", BUDGETS[0]), {})
    table.show(
        "half the resolution", BUDGETS[0], _accuracies(half), half, recorded.get(BUDGETS[0], {})
    )
    for budget in BUDGETS:
        plain_rows = found.get(("plain", budget), {})
        soft = found.get(("soft labels", budget), {})
        own = recorded.get(budget, {})
        table.show("the recipe", budget, own, plain_rows)
        table.show("soft labels", budget, _accuracies(soft), soft, own)
        last = {
            key: [-log_error(value), math.log(costs[key].params), math.log(costs[key].flops)]
            for key, value in recorded.get(budget, {}).items()
            if key in costs and (key, budget) in curves
        }
        with_curve = {key: [*row, *_points(curves[key, budget])] for key, row in last.items()}
        scored = {
            key: [*row, *(zero[key][name] for name in SCORES)]
            for key, row in last.items()
            if key in zero
        }
        table.learn("a linear model of it and cost", budget, last, plain_rows, own)
        table.learn("with the learning curve", budget, with_curve, plain_rows, own)
        table.learn("with zero-cost scores", budget, scored, plain_rows, own)


def _accuracies(rows: Rows) -> dict[str, float]:
    return {key: row["accuracy"] for key, row in rows.items()}


def _points(curve: Sequence[Sequence[float]]) -> list[float]:
    """Loss and accuracy at every third point of the last three quarters of a curve."""
    return [value for point in curve[len(curve) // 4 :: 3] for value in point[1:]]


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("what", choices=["run", "report"])
    parser.add_argument("--processes", type=int, default=2)
    parser.add_argument("--variants", nargs="+", choices=VARIANTS, default=list(VARIANTS))
    asked = parser.parse_args()
    if asked.what == "run":
        run(asked.processes, asked.variants)
    else:
        report()


if __name__ == "__main__":
    main()
