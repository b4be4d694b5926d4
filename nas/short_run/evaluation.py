"""evaluate(): a candidate's accuracy after one short run, the pure function that a worker runs."""

import functools
import operator
import platform
import time
from collections.abc import Callable, Sequence
from dataclasses import replace
from importlib.metadata import version
from statistics import fmean
from typing import TYPE_CHECKING

from nas.metrics import METRICS
from nas.seeds import derive
from nas.settings import Request
from studies.evaluation import Evaluation

if TYPE_CHECKING:
    from nas.datasets import Dataset
    from nas.short_run.training import Fit

PACKAGES = (
    "inception-nas",
    "torch",
    "torchvision",
    "lightning",
    "optuna",
    "numpy",
    "pillow",
    "scipy",
    "scikit-learn",
)
"""On whose versions the bits of a study depend: of its evaluations, and of what it proposes."""


Evaluate = Callable[[Request], Evaluation]


def evaluate(request: Request, dataset: "Dataset | None" = None) -> Evaluation:
    """Train the request's network and measure it; equal requests give equal bits on a CPU.

    With several folds it is trained once for each, from scratch, and measured on the validation
    images of all together. The images are read where the request says, unless they are given.
    Torch's random state and its number of threads are left as they were. Raises DataError if these
    aren't the images that the request names.
    """
    # Here, not above: the driver hands this function to workers and needs no torch for that.
    import torch

    from nas.datasets import DataError, load
    from nas.datasets.folds import fold_of
    from nas.memory import keep_freed
    from nas.short_run.training import DivergedError
    from nas.threads import one_thread

    started = time.perf_counter()
    keep_freed()
    if dataset is None:
        dataset = load(request.images)
    if dataset.digest != request.data:
        raise DataError(
            f"{request.images.directory} holds data {dataset.digest}, the study was made with "
            f"{request.data}: its images have changed since; bring the original files back"
        )
    gpus = [0] if torch.cuda.is_available() else []
    with one_thread(), torch.random.fork_rng(gpus):
        try:
            runs = [
                _trained(request, fold_of(dataset, fold), fold) for fold in range(request.folds)
            ]
        except DivergedError as diverged:
            return _result(started, None, None, (), 0.0, str(diverged))
    tally = functools.reduce(operator.add, (run.tally for run in runs))
    loss = sum(run.loss * sum(run.tally.shown) for run in runs) / sum(tally.shown)
    speed = request.budget * len(runs) / sum(run.seconds for run in runs)
    accuracy = METRICS[request.metric].value(tally)
    return _result(started, accuracy, loss, _curve(runs), speed)


def _trained(request: Request, dataset: "Dataset", fold: int) -> "Fit":
    """One run: the network, made anew, trained and measured on a fold's split."""
    import torch

    from nas.short_run.training import fit, initialize
    from search_space.catalog import graph_of
    from search_space.network import module

    own = (fold,) if fold else ()
    torch.manual_seed(derive(request.seed, "weights", *own))
    image = request.images
    graph = graph_of(request.network, image.resolution, image.channels, len(dataset.classes))
    network = module(graph)
    initialize(network)
    found = fit(
        network,
        dataset,
        request.recipe,
        request.network.label_smoothing,
        request.budget,
        derive(request.seed, "order", *own),
    )
    if METRICS[request.metric].in_integers:
        from nas.short_run.in_integers import tally_in_integers

        found = replace(found, tally=tally_in_integers(graph, network, dataset))
    return found


def _curve(runs: "Sequence[Fit]") -> tuple[tuple[int, float, float], ...]:
    """The learning curve, of several runs the mean of theirs."""
    if len(runs) == 1:
        return runs[0].curve
    found = []
    for points in zip(*(run.curve for run in runs), strict=True):
        seen, losses, accuracies = zip(*points, strict=True)
        found.append((seen[0], round(fmean(losses), 4), round(fmean(accuracies), 4)))
    return tuple(found)


def _result(
    started: float,
    accuracy: float | None,
    loss: float | None,
    curve: tuple[tuple[int, float, float], ...],
    speed: float,
    failure: str | None = None,
) -> Evaluation:
    seconds = round(time.perf_counter() - started, 3)
    return Evaluation(
        accuracy, loss, curve, seconds, round(speed, 1), platform.node(), versions(), failure
    )


@functools.cache
def versions() -> dict[str, str]:
    """Versions of Python (without its patch level) and of packages that a result may depend on."""
    return {"python": ".".join(platform.python_version_tuple()[:2])} | {
        name: version(name) for name in PACKAGES
    }
