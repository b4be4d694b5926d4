"""One short training run: the LightningModule, and fit() from a network to its accuracy."""

import time
from collections.abc import Sequence
from dataclasses import dataclass

import lightning.pytorch as pl
import torch
from torch import Tensor, nn
from torch.nn import functional as F

from nas.datasets import Batches, Dataset, order
from nas.datasets.normalization import Normalization
from nas.metrics import Tally
from nas.settings import Recipe
from nas.short_run.trainer import lightning_alone, make_trainer
from search_space.network import Auxiliary

CURVE_POINTS = 20
VALIDATION_BATCH = 250
"""Twice as many are as fast, and hold twice the memory."""

Point = tuple[int, float, float]
"""Of a learning curve: training images seen, training loss and accuracy since the last point."""


class DivergedError(Exception):
    """The loss of a run is not finite."""


@dataclass(frozen=True)
class Fit:
    """What a run gives: validation images by class, mean cross-entropy, curve, training seconds."""

    tally: Tally
    loss: float
    curve: tuple[Point, ...]
    seconds: float


class ShortRun(pl.LightningModule):
    """A network trained with a ``Recipe`` on batches of uint8 [N, C, H, W] and labels [N].

    ``mean`` and ``std`` have one entry a channel, of pixels on a scale of 0..1.
    """

    def __init__(
        self,
        network: nn.Module,
        recipe: Recipe,
        label_smoothing: float,
        mean: Sequence[float],
        std: Sequence[float],
        steps: int,
        classes: int,
    ) -> None:
        super().__init__()
        self.network = network.to(memory_format=torch.channels_last)
        self.auxiliary = [part for part in network.modules() if isinstance(part, Auxiliary)]
        self.recipe = recipe
        self.label_smoothing = label_smoothing
        self.normalization = Normalization(mean, std)
        self.steps = steps
        self.curve: list[Point] = []
        self._seen = self._since = 0
        self._train = torch.zeros(2)
        self._loss = torch.zeros((), dtype=torch.float64)
        self._tally = torch.zeros(2, classes, dtype=torch.int64)

    def forward(self, pixels: Tensor) -> Tensor:
        """Logits [N, classes] of uint8 pixels [N, C, H, W]."""
        x = self.normalization(pixels)
        logits: Tensor = self.network(x.contiguous(memory_format=torch.channels_last))
        return logits

    def training_step(self, batch: tuple[Tensor, Tensor], index: int) -> Tensor:
        """The smoothed loss of a batch; raises DivergedError at once where it isn't finite.

        The losses of auxiliary heads are added, with their weights; the curve is without them.
        """
        pixels, labels = batch
        logits = self(pixels).float()
        loss, value = smoothed(logits, labels, self.label_smoothing, self.auxiliary)
        if not abs(float(loss.detach())) < float("inf"):
            raise DivergedError(f"the training loss is {value} after {self._seen:,} images")
        count = len(labels)
        correct = int((logits.detach().argmax(1) == labels).sum())
        self._seen += count
        self._since += count
        self._train += torch.tensor([count * value, correct])
        if (index + 1) * CURVE_POINTS // self.steps > index * CURVE_POINTS // self.steps:
            mean_loss, accuracy = (self._train / self._since).tolist()
            self.curve.append((self._seen, round(mean_loss, 4), round(accuracy, 4)))
            self._train.zero_()
            self._since = 0
        return loss

    def validation_step(self, batch: tuple[Tensor, Tensor], index: int) -> None:
        """Count the correct ones of each class and add the cross-entropy up."""
        del index
        pixels, labels = batch
        logits = self(pixels).float()
        loss = F.cross_entropy(logits, labels, reduction="sum")
        right = labels[logits.argmax(1) == labels]
        for row, some in enumerate((right, labels)):
            self._tally[row] += torch.bincount(some, minlength=self._tally.shape[1]).cpu()
        self._loss += float(loss)

    def result(self) -> tuple[Tally, float]:
        """The validation images seen, and their mean cross-entropy."""
        right, shown = self._tally.tolist()
        loss = float(self._loss) / sum(shown)
        if not abs(loss) < float("inf"):
            raise DivergedError(f"the validation loss is {loss}")
        return Tally(tuple(right), tuple(shown)), loss

    def configure_optimizers(self):  # type: ignore[no-untyped-def]
        """SGD with Nesterov momentum, and one cycle over the run's steps."""
        recipe = self.recipe
        peak = recipe.learning_rate if has_batch_norm(self.network) else recipe.plain_learning_rate
        optimizer = torch.optim.SGD(
            self.network.parameters(),
            lr=peak,
            momentum=recipe.momentum,
            nesterov=True,
            weight_decay=recipe.weight_decay,
        )
        # Where the warm-up would be one step exactly, torch divides by its length less one.
        warmup = recipe.warmup if recipe.warmup * self.steps != 1 else recipe.warmup / 2
        schedule = torch.optim.lr_scheduler.OneCycleLR(
            optimizer, peak, self.steps, pct_start=warmup, cycle_momentum=False
        )
        return {
            "optimizer": optimizer,
            "lr_scheduler": {"scheduler": schedule, "interval": "step"},
        }


def fit(
    network: nn.Module,
    dataset: Dataset,
    recipe: Recipe,
    label_smoothing: float,
    budget: int,
    seed: int,
) -> Fit:
    """Train ``network`` in place on ``budget`` images, then measure it on the validation split.

    Raises DivergedError where a loss isn't finite.
    """
    seen = order(len(dataset.train), budget, seed)
    # A last batch of one image is left out: batch norm can't learn from it on 1x1 maps.
    train = Batches(dataset.train, seen, recipe.batch_size, len(seen) % recipe.batch_size == 1)
    held_out = torch.arange(len(dataset.validation))
    validation = Batches(dataset.validation, held_out, VALIDATION_BATCH)
    mean, std, classes = dataset.mean, dataset.std, len(dataset.classes)
    run = ShortRun(network, recipe, label_smoothing, mean, std, len(train), classes)
    plain = not has_batch_norm(network)
    started = time.perf_counter()
    with lightning_alone():
        trainer = make_trainer(
            recipe.precision,
            recipe.clip if plain else None,
            max_epochs=1,
            enable_checkpointing=False,
        )
        trainer.fit(run, train)
        seconds = time.perf_counter() - started
        trainer.validate(run, validation, verbose=False)
    tally, loss = run.result()
    return Fit(tally, loss, tuple(run.curve), seconds)


def smoothed(
    logits: Tensor, labels: Tensor, epsilon: float, auxiliary: list[Auxiliary]
) -> tuple[Tensor, float]:
    """The cross-entropy of float32 logits [N, classes], with label smoothing, and its value.

    To the former the losses of auxiliary heads are added, with their weights; they give up their
    logits.
    """
    loss = F.cross_entropy(logits, labels, label_smoothing=epsilon)
    value = float(loss.detach())
    for head in auxiliary:
        assert head.logits is not None, "an auxiliary head is set in every training step"
        own = F.cross_entropy(head.logits.float(), labels, label_smoothing=epsilon)
        loss = loss + head.weight * own
        head.logits = None
    return loss, value


def initialize(network: nn.Module) -> None:
    """Kaiming initialization in place: activations keep their variance from layer to layer.

    Torch's own default shrinks activations layer by layer; without batch norm a network of this
    space then stays at 10 %.
    """
    for layer in network.modules():
        if isinstance(layer, nn.Conv2d):
            nn.init.kaiming_normal_(layer.weight, mode="fan_in", nonlinearity="relu")
        elif isinstance(layer, nn.Linear):
            nn.init.normal_(layer.weight, std=layer.in_features**-0.5)
        if isinstance(layer, nn.Conv2d | nn.Linear) and layer.bias is not None:
            nn.init.zeros_(layer.bias)


def has_batch_norm(network: nn.Module) -> bool:
    """Whether any layer is a batch norm."""
    return any(isinstance(layer, nn.BatchNorm2d) for layer in network.modules())
