"""fit(): from a job to a trained network, going on from the last checkpoint where there is one."""

import io
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import lightning.pytorch as pl
import torch
from lightning.pytorch.callbacks import Callback, ModelCheckpoint, WeightAveraging
from lightning.pytorch.plugins.io import TorchCheckpointIO
from torch.optim.swa_utils import get_ema_multi_avg_fn

from nas.datasets import Dataset, Images, order
from nas.files import replace_file
from nas.full_training.curve import Epoch, TrainingProgress
from nas.full_training.job import Job, differences
from nas.full_training.loggers import CurveLog
from nas.full_training.module import FullRun
from nas.full_training.record import CHECKPOINT
from nas.memory import keep_freed
from nas.model.metadata import ModelMetadata
from nas.model.model import Model
from nas.seeds import derive
from nas.short_run.trainer import lightning_alone, make_trainer
from nas.short_run.training import DivergedError, has_batch_norm, initialize
from nas.threads import threads
from search_space.network import build

VALIDATIONS = 20
"""How often the averaged weights are measured on the validation images, at most."""

Report = Callable[[TrainingProgress], None]


class _Whole(TorchCheckpointIO):
    """Checkpoints that are there whole or not at all, whatever the system's own directories are."""

    def save_checkpoint(
        self, checkpoint: dict[str, Any], path: Any, storage_options: Any = None
    ) -> None:
        content = io.BytesIO()
        torch.save(checkpoint, content)
        replace_file(Path(path), content.getvalue())


class Watch(Callback):
    """Reports after every batch; raises what ``check`` raises."""

    def __init__(self, report: Report, check: Callable[[], None]) -> None:
        self._report, self._check = report, check
        self._started, self._before = 0.0, 0

    def on_train_start(self, trainer: pl.Trainer, pl_module: pl.LightningModule) -> None:
        del pl_module
        self._started, self._before = time.perf_counter(), trainer.global_step

    def on_train_batch_end(
        self, trainer: pl.Trainer, pl_module: pl.LightningModule, *batch: Any
    ) -> None:
        del batch
        self._check()
        assert isinstance(pl_module, FullRun)
        job = pl_module.job
        loss, accuracy = pl_module.so_far()
        seconds = time.perf_counter() - self._started
        steps = trainer.global_step - self._before
        validation = [epoch.validation for epoch in pl_module.curve if epoch.validation is not None]
        self._report(
            TrainingProgress(
                step=trainer.global_step,
                steps=job.steps,
                epoch=trainer.current_epoch + 1,
                epochs=job.epochs,
                loss=loss,
                accuracy=accuracy,
                validation=validation[-1] if validation else None,
                images_per_second=steps * job.batch_size / seconds,
                seconds_left=seconds / steps * (job.steps - trainer.global_step),
            )
        )


@contextmanager
def prepared(job: Job) -> Iterator[None]:
    """Torch with the job's threads and a random state of its own, both given back."""
    gpus = [0] if torch.cuda.is_available() else []
    keep_freed()
    with threads(job.threads), torch.random.fork_rng(gpus):
        torch.manual_seed(derive(job.seed, "weights"))
        yield


def run_of(
    job: Job,
    metadata: ModelMetadata,
    train: Images,
    held_out: Images | None,
    log: CurveLog | None = None,
) -> FullRun:
    """The job with a new network, initialized from torch's random state."""
    network = build(job.candidate.architecture, job.channels, len(metadata.classes))
    initialize(network)
    return FullRun(network, job, metadata, train, held_out, log)


def trainer_of(run: FullRun, callbacks: list[Callback], **more: Any) -> pl.Trainer:
    """Lightning's Trainer as the job wants it, its weights averaged."""
    job = run.job
    average = WeightAveraging(
        device=torch.device("cuda", 0) if torch.cuda.is_available() else None,
        multi_avg_fn=get_ema_multi_avg_fn(job.ema_decay),  # type: ignore[no-untyped-call]
    )
    return make_trainer(
        job.precision,
        None if has_batch_norm(run.network) else job.recipe.clip,
        max_epochs=job.epochs,
        callbacks=[average, *callbacks],
        plugins=[_Whole()],
        reload_dataloaders_every_n_epochs=1,
        check_val_every_n_epoch=-(-job.epochs // VALIDATIONS),
        logger=False if run.log_of_curve is None else run.log_of_curve.logger,
        log_every_n_steps=1,
        **more,
    )


def fit(
    job: Job,
    metadata: ModelMetadata,
    dataset: Dataset,
    directory: Path,
    report: Report,
    check: Callable[[], None],
    log: CurveLog | None = None,
) -> None:
    """Train to the end, with a checkpoint in ``directory`` after each epoch, the last one too.

    A checkpoint that is there is gone on from: on a CPU the weights are bit for bit those of a run
    that was never stopped. Raises DivergedError where a loss isn't finite, ValueError where the
    checkpoint can't be read.
    """
    there = directory / CHECKPOINT
    if there.exists():
        read_checkpoint(directory, job)
    with prepared(job), lightning_alone():
        held_out = dataset.validation if job.validate else None
        run = run_of(job, metadata, training_images(job, dataset), held_out, log)
        keep = ModelCheckpoint(
            directory, there.stem, save_on_train_epoch_end=True, enable_version_counter=False
        )
        trainer = trainer_of(run, [keep, Watch(report, check)])
        trainer.fit(run, ckpt_path=there if there.exists() else None, weights_only=True)


def trained(directory: Path, job: Job, metadata: ModelMetadata) -> tuple[Model, list[Epoch]]:
    """The averaged weights, and the learning curve, of a job that has come to its end.

    Raises DivergedError where weights aren't finite, ValueError where the checkpoint can't be read.
    """
    checkpoint = read_checkpoint(directory, job)
    network = build(metadata.candidate.architecture, metadata.channels, len(metadata.classes))
    start = "network."
    for name, value in checkpoint["state_dict"].items():
        if not value.isfinite().all():
            raise DivergedError(f"{name.removeprefix(start)} of the trained network is not finite")
    network.load_state_dict(
        {name.removeprefix(start): value for name, value in checkpoint["state_dict"].items()}
    )
    return Model(metadata, network.eval()), [Epoch(**epoch) for epoch in checkpoint["curve"]]


def read_checkpoint(directory: Path, job: Job) -> dict[str, Any]:
    """The job's last checkpoint; ValueError where that can't be read. Nothing in it is executed."""
    path = directory / CHECKPOINT
    try:
        checkpoint: dict[str, Any] = torch.load(path, map_location="cpu", weights_only=True)
        if differences(Job.from_json(checkpoint["job"]), job):
            raise ValueError("it is of another training")
    except Exception as error:  # torch has no error of its own for this
        reason = str(error).splitlines()[0] if str(error) else type(error).__name__
        raise ValueError(
            f"checkpoint {path} can't be read ({reason}); delete it to begin this training anew"
        ) from None
    return checkpoint


def training_images(job: Job, dataset: Dataset) -> Images:
    """The job's training images: all of them, or as many as it has, drawn by its seed."""
    images = dataset.train
    if not job.validate:
        splits = (dataset.train, dataset.validation)
        pixels = [split.pixels for split in splits]
        if pixels[0].stride(1) == 0:  # one gray plane, seen three times
            gray = torch.cat([some[:, :1] for some in pixels])
            together = gray.expand(-1, pixels[0].shape[1], -1, -1)
        else:
            together = torch.cat(pixels)
        images = Images(together, torch.cat([split.labels for split in splits]))
    if job.train_size == len(images):
        return images
    chosen = order(len(images), job.train_size, derive(job.seed, "train size"))
    return Images(images.pixels[chosen], images.labels[chosen])
