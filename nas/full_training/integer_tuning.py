"""Epochs that a trained network goes on with as it will be in 8-bit integers, where that pays."""

import copy
from collections.abc import Callable
from dataclasses import replace
from typing import NamedTuple

import torch
from torch import Tensor

from nas.datasets import Images
from nas.full_training.fit import Report, Watch, prepared
from nas.full_training.job import Job
from nas.full_training.module import FullRun
from nas.model.export.int8 import calibration
from nas.model.integer.aware import aware_logits
from nas.model.integer.floating import folded
from nas.model.integer.quantization import IntegerNetwork, choose_grids, quantize
from nas.model.integer.simulated import BATCH, classes
from nas.model.model import Model
from nas.short_run.trainer import lightning_alone, make_trainer
from nas.short_run.training import has_batch_norm
from search_space.device.operations import operations
from search_space.expand import expand

RATE = 0.02
"""Of the training's peak: the learning rate that tuning begins with; half a cosine brings it to 0.
"""

JUDGED = 10_000
"""Images, of those that it is trained on, by which it is judged whether tuning pays."""


class _TuningRun(FullRun):
    """A training of the same images, augmentation and loss, as the network will be in integers."""

    def __init__(self, model: Model, job: Job, images: Images) -> None:
        recipe = replace(
            job.recipe,
            learning_rate=RATE * job.recipe.learning_rate,
            plain_learning_rate=RATE * job.recipe.plain_learning_rate,
            warmup=0.0,
        )
        job = replace(job, epochs=job.int8_epochs, recipe=recipe)
        super().__init__(model.network, job, model.metadata, images, None)
        known = model.metadata
        graph = expand(known.candidate.architecture, known.channels, len(known.classes))
        self.plan = operations(graph, known.image)
        self.auxiliary = []
        self.shown = _shown(images)

    def forward(self, pixels: Tensor) -> Tensor:
        """Logits [N, classes] of uint8 pixels [N, C, H, W]."""
        return aware_logits(self.plan, self.network, self.grids, self.normalization(pixels))

    def on_train_epoch_start(self) -> None:
        """Choose the grids of activations by what the network makes of images now."""
        super().on_train_epoch_start()
        self.network.eval()  # batch norm keeps what it has learned
        device = self.normalization.mean.device
        batches = [self.normalization(batch.to(device)) for batch in torch.split(self.shown, BATCH)]
        self.grids = choose_grids(self.plan, folded(self.plan, self.network), batches)


class Tuned(NamedTuple):
    """The better of a model before and after; accuracies (0..1) in 8-bit integers of both."""

    model: Model
    before: float
    after: float

    @property
    def kept(self) -> bool:
        """Whether the model is the one after tuning."""
        return self.after > self.before


def tuned(
    job: Job, model: Model, train: Images, judged: Images, report: Report, check: Callable[[], None]
) -> Tuned:
    """Let a trained model go on for a job's tuning epochs, and keep it if it is better for that.

    ``judged`` are the images that decide it. ``check`` raises where a signal asked to stop.
    """
    network = copy.deepcopy(model.network)
    with prepared(job), lightning_alone():
        run = _TuningRun(Model(model.metadata, network), job, train)
        trainer = make_trainer(
            "float32",
            None if has_batch_norm(network) else job.recipe.clip,
            max_epochs=job.int8_epochs,
            callbacks=[Watch(report, check)],
            reload_dataloaders_every_n_epochs=1,
            enable_checkpointing=False,
        )
        trainer.fit(run)
    after = Model(model.metadata, network.cpu().to(memory_format=torch.contiguous_format).eval())
    some = Images(judged.pixels[:JUDGED], judged.labels[:JUDGED])
    scores = [accuracy_in_integers(in_integers(one, train), some) for one in (model, after)]
    return Tuned(after if scores[1] > scores[0] else model, *scores)


def in_integers(model: Model, images: Images) -> IntegerNetwork:
    """The model in 8-bit integers; training ``images`` show the range of its activations."""
    return quantize(model, _shown(images).numpy())


def _shown(images: Images) -> Tensor:
    """Those of the images that show the range of activations."""
    return images.pixels[torch.from_numpy(calibration(images.labels.numpy()))]


def accuracy_in_integers(network: IntegerNetwork, images: Images) -> float:
    """The share (0..1) of images that a network in integers recognizes."""
    return float((classes(network, images.pixels) == images.labels).double().mean())
