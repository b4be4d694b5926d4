"""Lightning's Trainer: one device, no cluster, whatever the environment says; and its silence."""

import contextlib
import inspect
import logging
import warnings
from collections.abc import Iterator
from typing import Any

import lightning.pytorch as pl
import torch
from lightning.fabric.plugins.environments.lightning import LightningEnvironment
from lightning.fabric.utilities import rank_zero


def make_trainer(precision: str, clip: float | None, **options: Any) -> pl.Trainer:
    """A Trainer on the GPU, where there is one, or else on the CPU, in this process alone.

    ``precision`` is float32 or bf16; gradients are clipped to a norm of ``clip``. Lightning would
    take the cluster from the variables of SLURM, torchrun, MPI or LSF, and each argument that it is
    not given from a variable PL_TRAINER_*: so it is given all of them.
    """
    parameters = inspect.signature(pl.Trainer).parameters
    given = {name: parameter.default for name, parameter in parameters.items()}
    ours = {
        "accelerator": "auto",
        "devices": 1,
        "num_nodes": 1,
        "precision": "bf16-mixed" if precision == "bf16" else "32-true",
        "gradient_clip_val": clip,
        "logger": False,
        "enable_progress_bar": False,
        "enable_model_summary": False,
        "num_sanity_val_steps": 0,
        "inference_mode": False,
        # On a CPU with one thread nothing is left to chance; on a GPU some kernels are.
        "deterministic": "warn" if torch.cuda.is_available() else None,
    }
    plugins = [LightningEnvironment(), *options.pop("plugins", ())]
    return pl.Trainer(**{**given, **ours, **options, "plugins": plugins})


@contextlib.contextmanager
def lightning_alone() -> Iterator[None]:
    """Lightning as the one process that there is, and without its notes, which are not news.

    Where a launcher's variables give this process a rank above 0, its loggers would do nothing.
    """
    logger = logging.getLogger("lightning.pytorch")
    rank_zero_only: Any = rank_zero.rank_zero_only  # on which Lightning keeps the rank
    level, rank = logger.level, rank_zero_only.rank
    logger.setLevel(logging.ERROR)
    rank_zero_only.rank = 0
    try:
        with warnings.catch_warnings():
            warnings.filterwarnings("ignore", module="lightning")
            # what torch says of kernels that a GPU has no deterministic form of
            warnings.filterwarnings("ignore", message=".*deterministic")
            yield
    finally:
        logger.setLevel(level)
        rank_zero_only.rank = rank
