"""evaluate(): a candidate's accuracy after one short run, the pure function that a worker runs."""

import platform
import time
from collections.abc import Callable
from functools import cache
from importlib.metadata import version
from typing import TYPE_CHECKING

from nas.seeds import derive
from nas.settings import Request
from studies.evaluation import Evaluation

if TYPE_CHECKING:
    from nas.datasets import Dataset

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

    The images are read where the request says, unless they are given. Torch's random state and its
    number of threads are left as they were. Raises DataError if these aren't the images that the
    request names.
    """
    # Here, not above: the driver hands this function to workers and needs no torch for that.
    import torch

    from nas.datasets import DataError, load
    from nas.memory import keep_freed
    from nas.short_run.training import DivergedError, fit, initialize
    from nas.threads import one_thread
    from search_space.catalog import graph_of
    from search_space.network import module

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
        torch.manual_seed(derive(request.seed, "weights"))
        image = request.images
        network = module(
            graph_of(request.network, image.resolution, image.channels, len(dataset.classes))
        )
        initialize(network)
        try:
            run = fit(
                network,
                dataset,
                request.recipe,
                request.network.label_smoothing,
                request.budget,
                derive(request.seed, "order"),
            )
        except DivergedError as diverged:
            return _result(started, None, None, (), 0.0, str(diverged))
    return _result(started, run.accuracy, run.loss, run.curve, request.budget / run.seconds)


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


@cache
def versions() -> dict[str, str]:
    """Versions of Python (without its patch level) and of packages that a result may depend on."""
    return {"python": ".".join(platform.python_version_tuple()[:2])} | {
        name: version(name) for name in PACKAGES
    }
