"""A full training's images/s against a hand-written loop doing the same; augmentation's share.

The loop by hand has the same recipe: augmentation, moving average of the weights, schedule, checks
for a loss that isn't finite. Both train in turns, on as many threads as `nas train` takes.
"""

import argparse
import tempfile
import time
from pathlib import Path

import torch
from machine import row, table
from torch.nn import functional as F
from torch.optim.swa_utils import AveragedModel, get_ema_multi_avg_fn

from nas.datasets import Batches, Dataset, Found, find, load, order
from nas.datasets.normalization import Normalization
from nas.full_training.augmentation import augment
from nas.full_training.curve import TrainingProgress
from nas.full_training.fit import fit, prepared, run_of, training_images
from nas.full_training.job import FullRecipe, Job
from nas.full_training.module import share_of_peak
from nas.full_training.task import metadata_of
from nas.model.metadata import ModelMetadata
from nas.seeds import derive
from nas.short_run.precision import best_precision
from search_space.architecture import Candidate
from search_space.catalog import candidate


def small() -> Candidate:
    """About 5 million multiply-adds an image, as networks of a front have."""
    from short_run import MIDDLE

    return Candidate(MIDDLE, 0.1)


def ours(job: Job, description: ModelMetadata, data: Dataset) -> float:
    """Images/s of `fit` from its first step to its end: epochs, checkpoints and all."""
    started: list[float] = []

    def first(progress: TrainingProgress) -> None:
        if not started:
            started.append(time.perf_counter())

    with tempfile.TemporaryDirectory() as scratch:
        fit(job, description, data, Path(scratch), first, lambda: None)
        return (job.steps - 1) * job.batch_size / (time.perf_counter() - started[0])


def by_hand(job: Job, description: ModelMetadata, data: Dataset) -> float:
    """The loop that one would write to be as fast and no more, from its first step too."""
    recipe, images = job.recipe, training_images(job, data)
    with prepared(job):
        run = run_of(job, description, images, None)
        network = run.network.train()
        average = AveragedModel(
            network,
            multi_avg_fn=get_ema_multi_avg_fn(job.ema_decay),  # type: ignore[no-untyped-call]
            use_buffers=True,
        )
        optimizer = run.configure_optimizers()["optimizer"]  # type: ignore[no-untyped-call]
        normalization = Normalization(description.mean, description.std)
        started, step = 0.0, 0
        for epoch in range(job.epochs):
            seen = order(len(images), len(images), derive(job.seed, "order", epoch))
            for pixels, labels in Batches(images, seen, job.batch_size):
                for group in optimizer.param_groups:
                    group["lr"] = recipe.learning_rate * share_of_peak(
                        step, job.steps, recipe.warmup
                    )
                generator = torch.Generator().manual_seed(derive(job.seed, "augment", step))
                pixels = augment(pixels, run.shift, recipe.flip, recipe.erase, generator)
                x = normalization(pixels).contiguous(memory_format=torch.channels_last)
                with torch.autocast("cpu", torch.bfloat16, enabled=job.precision == "bf16"):
                    logits = network(x).float()
                loss = F.cross_entropy(
                    logits, labels, label_smoothing=job.candidate.label_smoothing
                )
                if not torch.isfinite(loss):
                    raise ArithmeticError
                optimizer.zero_grad()
                loss.backward()  # type: ignore[no-untyped-call]
                optimizer.step()
                average.update_parameters(network)
                step += 1
                if step == 1:
                    started = time.perf_counter()
        return (step - 1) * job.batch_size / (time.perf_counter() - started)


def augmentation(job: Job, data: Dataset, times: int = 50) -> float:
    """Seconds of augmenting a batch."""
    recipe, pixels = job.recipe, data.train.pixels[: job.batch_size]
    generator = torch.Generator().manual_seed(0)
    with prepared(job):
        started = time.perf_counter()
        for _ in range(times):
            augment(
                pixels, round(recipe.shift * job.resolution), recipe.flip, recipe.erase, generator
            )
        return (time.perf_counter() - started) / times


def job_of(one: Candidate, found: Found, images: int) -> Job:
    recipe = FullRecipe(flip=True)
    threads, precision = torch.get_num_threads(), best_precision()
    return Job(
        one, found.name, found.digest, 1, 28, images, 2, precision, threads, False, 0, recipe
    )


def main() -> None:
    parser = argparse.ArgumentParser()
    parser.add_argument("--rounds", type=int, default=5)
    parser.add_argument("--images", type=int, default=12800)
    arguments = parser.parse_args()
    found = find("fashion-mnist")
    data = load(found.reading(28, 1))
    rows = []
    for name, one in (("small", small()), ("inception-28", candidate("inception-28"))):
        job = job_of(one, found, arguments.images)
        description = metadata_of(job, found, data)
        mine, its, shares = [], [], []
        for number in range(arguments.rounds + 1):
            turn = ours(job, description, data), by_hand(job, description, data)
            print(f"{name}, round {number}: {turn[0]:.0f} and {turn[1]:.0f} images/s", flush=True)
            if number:  # the first round warms up
                mine.append(turn[0])
                its.append(turn[1])
                shares.append(100 * augmentation(job, data) * turn[1] / job.batch_size)
        rows += [row(f"{name}, fit", mine, "images/s"), row(f"{name}, by hand", its, "images/s")]
        ratio = [one / other for one, other in zip(mine, its, strict=True)]
        rows += [row(f"{name}, fit / by hand", ratio, "times")]
        rows += [row(f"{name}, augmentation of a step", shares, "%")]
    table(rows)
    print(f"precision {job.precision}, batches of {job.batch_size}, {job.threads} threads")


if __name__ == "__main__":
    main()
