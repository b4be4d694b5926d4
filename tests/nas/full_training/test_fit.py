"""A full training: it learns, it resumes bit for bit wherever it stopped, it averages weights."""

from collections.abc import Callable
from dataclasses import replace
from itertools import count
from pathlib import Path

import pytest
import torch
from torch import Tensor

from nas.datasets import Dataset
from nas.full_training.curve import TrainingProgress
from nas.full_training.fit import fit, run_of, trained, training_images
from nas.full_training.job import Job
from nas.full_training.module import FullRun, share_of_peak
from nas.full_training.pace import epochs_within, seconds_of_an_epoch
from nas.model.metadata import ModelMetadata
from nas.short_run.training import DivergedError

Weights = dict[str, Tensor]
Fit = Callable[..., Weights]


class StoppedError(Exception):
    """What a signal's handler would raise."""


@pytest.fixture
def fitted(description: ModelMetadata, dataset: Dataset, tmp_path: Path) -> Fit:
    """Train a job in a directory, stopping after so many steps of this process; its weights."""

    def fitted(job: Job, name: str = "out", stop: int | None = None) -> Weights:
        steps = count(1)
        (tmp_path / name).mkdir(exist_ok=True)

        def check() -> None:
            if next(steps) == stop:
                raise StoppedError

        fit(job, description, dataset, tmp_path / name, lambda progress: None, check)
        return trained(tmp_path / name, job, description)[0].network.state_dict()

    return fitted


def same(one: Weights, other: Weights) -> bool:
    return one.keys() == other.keys() and all(torch.equal(one[name], other[name]) for name in one)


def test_a_training_that_stopped_anywhere_ends_as_one_that_never_did(
    fitted: Fit, job: Job, description: ModelMetadata, tmp_path: Path
) -> None:
    job = replace(job, epochs=12)
    assert job.ema_decay > 0.5
    whole = fitted(job, "whole")
    # of five steps an epoch: in the first, at its end, in the second, in the third, at the end
    for stop in (3, 5, 8, 7, 50):
        with pytest.raises(StoppedError):
            fitted(job, "stopped", stop)
    assert same(fitted(job, "stopped"), whole)
    assert same(fitted(job, "stopped"), whole)  # nothing is left to do
    curves = [trained(tmp_path / name, job, description)[1] for name in ("whole", "stopped")]
    first, second = ([replace(epoch, seconds=0) for epoch in curve] for curve in curves)
    assert first == second
    assert [epoch.number for epoch in first] == list(range(1, 13))
    assert not same(fitted(replace(job, seed=2), "other"), whole)


def test_a_damaged_checkpoint_is_told(fitted: Fit, job: Job, tmp_path: Path) -> None:
    with pytest.raises(StoppedError):
        fitted(job, stop=7)
    path = tmp_path / "out" / "last.ckpt"
    path.write_bytes(path.read_bytes()[:5000])
    with pytest.raises(ValueError, match=r"checkpoint .*last\.ckpt can't be read .* delete it"):
        fitted(job)


def test_another_jobs_checkpoint_is_not_taken(fitted: Fit, job: Job) -> None:
    with pytest.raises(StoppedError):
        fitted(job, stop=7)
    with pytest.raises(ValueError, match="it is of another training"):
        fitted(replace(job, seed=2))


def test_a_checkpoint_is_whole_wherever_the_systems_temporary_files_are(
    fitted: Fit, job: Job, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A process that dies while it writes one leaves the one before."""
    with pytest.raises(StoppedError):
        fitted(job, stop=7)
    before = (tmp_path / "out" / "last.ckpt").read_bytes()

    def die(*_: object) -> None:
        raise StoppedError

    monkeypatch.setattr("nas.files.os.fsync", die)
    with pytest.raises(StoppedError):
        fitted(job)
    assert (tmp_path / "out" / "last.ckpt").read_bytes() == before


def test_weights_are_averaged_as_they_should_be(
    fitted: Fit, job: Job, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The recurrence by hand, of the weights as they were after every step."""
    job = replace(job, epochs=12)
    seen: list[Weights] = []
    step = FullRun.on_before_zero_grad

    def keep(run: FullRun, optimizer: torch.optim.Optimizer) -> None:
        seen.append({name: value.clone() for name, value in run.network.state_dict().items()})
        step(run, optimizer)

    monkeypatch.setattr(FullRun, "on_before_zero_grad", keep)
    found = fitted(job)
    assert len(seen) == job.steps
    del seen[0]  # before the first step
    name = next(name for name, value in found.items() if value.dim() == 4)
    expected = seen[0][name]
    for weights in seen[1:]:
        expected = job.ema_decay * expected + (1 - job.ema_decay) * weights[name]
    # the last step's weights are seen by nobody but the average
    last = (found[name] - job.ema_decay * expected) / (1 - job.ema_decay)
    assert (last - seen[-1][name]).abs().max() < 1e-2
    assert (found[name] - seen[-1][name]).abs().max() > 1e-4


def test_it_learns_and_reports(
    description: ModelMetadata, dataset: Dataset, job: Job, tmp_path: Path
) -> None:
    seen: list[TrainingProgress] = []
    longer = replace(job, train_size=6_000, epochs=3)
    fit(longer, description, dataset, tmp_path, seen.append, lambda: None)
    assert [progress.step for progress in seen] == list(range(1, longer.steps + 1))
    assert [progress.epoch for progress in seen[:: longer.steps_of_an_epoch]] == [1, 2, 3]
    last = seen[-1]
    assert last.share() == "epoch 3/3, 0:00 left"
    assert "validation" in last.details()
    model, curve = trained(tmp_path, longer, description)
    pixels, labels = dataset.validation.pixels, dataset.validation.labels
    right = (model.probabilities(pixels).argmax(1) == labels).float().mean()
    assert right > 0.5
    assert curve[-1].validation == pytest.approx(float(right), abs=1e-6)
    assert curve[0].loss > curve[-1].loss
    assert curve[-1].learning_rate < 0.01 < max(epoch.learning_rate for epoch in curve)


def test_all_images_are_trained_on_unless_some_are_held_out(job: Job, dataset: Dataset) -> None:
    every = training_images(replace(job, train_size=60_000, validate=False), dataset)
    assert len(every) == 60_000
    held_out = training_images(replace(job, train_size=50_000), dataset)
    assert torch.equal(held_out.pixels, dataset.train.pixels)
    some = training_images(job, dataset)
    assert len(some) == 600
    assert len(set(some.labels.tolist())) == 10


def test_weight_decay_leaves_biases_and_batch_norms_alone(
    job: Job, description: ModelMetadata, dataset: Dataset
) -> None:
    run = run_of(job, description, dataset.train, None)
    optimizer = run.configure_optimizers()["optimizer"]  # type: ignore[no-untyped-call]
    decayed, others = optimizer.param_groups
    assert decayed["weight_decay"] == job.recipe.weight_decay
    assert others["weight_decay"] == 0
    names = {id(weight): name for name, weight in run.named_parameters()}
    assert all("conv" in names[id(w)] or w.dim() == 2 for w in decayed["params"])
    assert {w.dim() for w in others["params"]} == {1}
    assert len(decayed["params"]) + len(others["params"]) == len(names)


@pytest.mark.parametrize("size", [2, 3, 128, 129, 130, 257])
def test_any_number_of_images_will_do(fitted: Fit, job: Job, size: int) -> None:
    weights = fitted(replace(job, train_size=size, epochs=1))
    assert all(value.isfinite().all() for value in weights.values() if value.is_floating_point())


def test_a_loss_that_is_not_finite_ends_it(fitted: Fit, job: Job) -> None:
    wild = replace(job, recipe=replace(job.recipe, learning_rate=1e30))
    with pytest.raises(DivergedError, match=r"the training loss is .* in epoch 1"):
        fitted(wild)


@pytest.mark.parametrize("warmup", [0.0, 0.05, 0.5])
@pytest.mark.parametrize("steps", [1, 2, 9, 100])
def test_the_learning_rate_rises_to_its_peak_and_falls_to_nothing(
    steps: int, warmup: float
) -> None:
    shares = [share_of_peak(step, steps, warmup) for step in range(steps + 1)]
    top = round(warmup * steps)
    assert shares[top] == 1
    assert shares[: top + 1] == sorted(shares[: top + 1])
    assert shares[top:] == sorted(shares[top:], reverse=True)
    assert shares[-1] == pytest.approx(0, abs=1e-9)
    assert min(shares[:-1], default=1) > 0


def test_the_average_looks_back_on_a_twentieth_of_a_short_training(job: Job) -> None:
    assert job.steps == 20
    assert job.ema_decay == 0
    assert replace(job, epochs=400).ema_decay == pytest.approx(0.99)
    assert replace(job, epochs=100_000).ema_decay == 0.999


def test_an_epoch_is_timed_without_leaving_a_trace(
    job: Job,
    description: ModelMetadata,
    dataset: Dataset,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    state = torch.random.get_rng_state()
    monkeypatch.chdir(tmp_path)
    seconds = seconds_of_an_epoch(job, description, dataset, lambda: None)
    assert not list(tmp_path.iterdir())
    assert 0 < seconds < 5
    assert torch.equal(torch.random.get_rng_state(), state)


def test_as_many_epochs_as_fit_into_the_time() -> None:
    assert epochs_within(100, 2.0) == 47.5
    with pytest.raises(ValueError, match=r"time limit is 100 s, and an epoch takes about 101 s"):
        epochs_within(100, 101)
