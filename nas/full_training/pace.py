"""How many epochs fit into a time: a few steps of the job itself are timed, then thrown away."""

import statistics
import time
from collections.abc import Callable
from dataclasses import replace
from typing import Any

import lightning.pytorch as pl
import torch
from lightning.pytorch.callbacks import Callback

from nas.datasets import Dataset
from nas.full_training.fit import prepared, run_of, trainer_of, training_images
from nas.full_training.job import EPOCHS, Job
from nas.model.metadata import ModelMetadata
from nas.short_run.trainer import lightning_alone

WARM_UP, STEPS = 5, 60
SECONDS = 8.0
"""What the timed steps may take, once there are a few."""

FORWARD = 0.5
"""Of the time of a training step: what its forward pass takes at most."""

MARGIN = 0.95
"""Of the time that is given, what is planned with."""


class _Stopwatch(Callback):
    """Notes when steps end; ends the training when there are enough."""

    def __init__(self, check: Callable[[], None]) -> None:
        self.times: list[float] = []
        self._check = check

    def on_train_batch_end(
        self, trainer: pl.Trainer, pl_module: pl.LightningModule, *batch: Any
    ) -> None:
        del pl_module, batch
        if torch.cuda.is_available():
            torch.cuda.synchronize()
        self.times.append(time.perf_counter())
        measured = self.times[WARM_UP:]
        self._check()
        if len(measured) > WARM_UP and measured[-1] - measured[0] > SECONDS:
            trainer.should_stop = True


def seconds_of_an_epoch(
    job: Job, metadata: ModelMetadata, dataset: Dataset, check: Callable[[], None]
) -> float:
    """What an epoch takes on this machine as it is now, measuring on validation images included."""
    watch = _Stopwatch(check)
    # A job of few steps: its schedule doesn't matter, and neither does where it gets.
    short = replace(job, epochs=1 + STEPS // job.steps_of_an_epoch)
    with prepared(short), lightning_alone():
        run = run_of(short, metadata, training_images(short, dataset), None)
        trainer_of(run, [watch], max_steps=STEPS, enable_checkpointing=False).fit(run)
    steps = [after - before for before, after in zip(watch.times, watch.times[1:], strict=False)]
    step = statistics.median(steps[WARM_UP:] or steps or [0.0])
    held_out = len(dataset.validation) if job.validate else 0
    return step * (job.steps_of_an_epoch + FORWARD * held_out / job.batch_size)


def epochs_within(seconds: float, an_epoch: float, networks: int = 1) -> float:
    """How many epochs fit, a part of one too; ValueError where not even one does.

    ``an_epoch`` is what one of each of so many ``networks`` takes, in seconds.
    """
    fitting = MARGIN * seconds / an_epoch if an_epoch else float(EPOCHS[1])
    if fitting < 1:
        one = "an epoch" if networks == 1 else f"an epoch of each of {networks} networks"
        raise ValueError(
            f"time limit is {seconds:g} s, and {one} takes about {an_epoch:.3g} s here; give more "
            "time, or with `nas train` less to learn from (--train-size)"
        )
    return fitting
