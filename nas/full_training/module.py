"""The LightningModule of a full training: batches, augmentation, loss, schedule, learning curve."""

import math
import time
from typing import Any

import lightning.pytorch as pl
import torch
from torch import Tensor, nn

from nas.datasets import Batches, Images, order
from nas.datasets.normalization import Normalization
from nas.full_training.augmentation import augment
from nas.full_training.curve import Epoch
from nas.full_training.job import Job
from nas.full_training.loggers import CurveLog
from nas.model.metadata import ModelMetadata
from nas.seeds import derive
from nas.short_run.training import DivergedError, has_batch_norm, smoothed
from search_space.network import Auxiliary

FIRST_RATE = 0.04
"""Of the peak: the learning rate that the warm-up begins with."""


class FullRun(pl.LightningModule):
    """A network on its way through a job. What is random follows from the seed, epoch and step."""

    def __init__(
        self,
        network: nn.Module,
        job: Job,
        metadata: ModelMetadata,
        train: Images,
        validation: Images | None,
        log: CurveLog | None = None,
    ) -> None:
        super().__init__()
        self.network = network.to(memory_format=torch.channels_last)
        self.job, self.metadata, self.log_of_curve = job, metadata, log
        self.normalization = Normalization(metadata.mean, metadata.std)
        self.images, self.held_out = train, validation
        self.auxiliary = [part for part in network.modules() if isinstance(part, Auxiliary)]
        self.shift = round(job.recipe.shift * job.resolution)
        self.curve: list[Epoch] = []
        self.seen = 0
        self._loss = self._correct = self._started = 0.0
        self._validated: list[tuple[int, int]] = []

    def forward(self, pixels: Tensor) -> Tensor:
        """Logits [N, classes] of uint8 pixels [N, C, H, W]."""
        x = self.normalization(pixels)
        logits: Tensor = self.network(x.contiguous(memory_format=torch.channels_last))
        return logits

    def train_dataloader(self) -> Batches:
        """The batches of the current epoch, in an order of its own."""
        count = len(self.images)
        seen = order(count, count, derive(self.job.seed, "order", self.current_epoch))
        return Batches(self.images, seen, self.job.batch_size, count % self.job.batch_size == 1)

    def val_dataloader(self) -> Batches | list[Batches]:
        """The validation images in batches, where some are held out."""
        if self.held_out is None:
            return []
        return Batches(self.held_out, torch.arange(len(self.held_out)), 500)

    def on_train_start(self) -> None:
        """Let the logger have the epochs from before an interruption."""
        if self.log_of_curve is not None:
            self.log_of_curve.before(self.curve)

    def on_train_epoch_start(self) -> None:
        """Dropout's stream begins anew, so that an epoch doesn't depend on those before it."""
        torch.manual_seed(derive(self.job.seed, "dropout", self.current_epoch))
        self.seen, self._loss, self._correct = 0, 0.0, 0.0
        self._started = time.perf_counter()

    def training_step(self, batch: tuple[Tensor, Tensor], index: int) -> Tensor:
        """The smoothed loss of a batch, auxiliary heads' with their weights.

        Raises DivergedError where it isn't finite.
        """
        pixels, labels = batch
        recipe, generator = self.job.recipe, torch.Generator()
        generator.manual_seed(derive(self.job.seed, "augment", self.current_epoch, index))
        logits = self(augment(pixels, self.shift, recipe.flip, recipe.erase, generator)).float()
        epsilon = self.job.candidate.label_smoothing
        loss, value = smoothed(logits, labels, epsilon, self.auxiliary)
        if not math.isfinite(float(loss.detach())):
            raise DivergedError(
                f"the training loss is {value} in epoch {self.current_epoch + 1}, "
                f"after {self.seen:,} of its images"
            )
        self.seen += len(labels)
        self._loss += len(labels) * value
        self._correct += int((logits.detach().argmax(1) == labels).sum())
        return loss

    def so_far(self) -> tuple[float, float]:
        """Training loss and accuracy (0..1) of the current epoch so far."""
        seen = max(1, self.seen)
        return self._loss / seen, self._correct / seen

    def validation_step(self, batch: tuple[Tensor, Tensor], index: int) -> None:
        """Count the images and those that are right."""
        del index
        pixels, labels = batch
        self._validated.append((len(labels), int((self(pixels).argmax(1) == labels).sum())))

    def on_validation_epoch_start(self) -> None:
        self._validated = []

    def on_train_epoch_end(self) -> None:
        """The epoch joins the curve; Lightning validates before it calls this."""
        loss, accuracy = self.so_far()
        validation = None
        if self._validated:
            images, right = map(sum, zip(*self._validated, strict=True))
            validation, self._validated = right / images, []
        rate = self.trainer.optimizers[0].param_groups[0]["lr"]
        number = self.current_epoch + 1
        seconds = round(time.perf_counter() - self._started, 3)
        self.curve.append(
            Epoch(number, round(loss, 4), round(accuracy, 4), round(rate, 6), seconds, validation)
        )
        if self.log_of_curve is not None:
            self.log_of_curve.epoch(self.curve[-1])

    def on_save_checkpoint(self, checkpoint: dict[str, object]) -> None:
        """Keep the job and the learning curve beside the weights."""
        checkpoint["job"] = self.job.whole_json()
        checkpoint["curve"] = [vars(epoch) for epoch in self.curve]

    def on_load_checkpoint(self, checkpoint: dict[str, list[dict[str, float]]]) -> None:
        """Go on with the learning curve from where it was."""
        self.curve = [Epoch(**epoch) for epoch in checkpoint["curve"]]  # type: ignore[arg-type]

    def configure_optimizers(self):  # type: ignore[no-untyped-def]
        """SGD without weight decay for biases and batch norms, and the schedule, step by step."""
        recipe, steps = self.job.recipe, self.job.steps
        peak = recipe.learning_rate if has_batch_norm(self.network) else recipe.plain_learning_rate
        decayed = [weight for weight in self.network.parameters() if weight.dim() > 1]
        others = [weight for weight in self.network.parameters() if weight.dim() <= 1]
        groups: list[dict[str, Any]] = [
            {"params": decayed, "weight_decay": recipe.weight_decay},
            {"params": others},
        ]
        optimizer = torch.optim.SGD(
            [group for group in groups if group["params"]],
            lr=peak,
            momentum=recipe.momentum,
            nesterov=True,
        )
        schedule = torch.optim.lr_scheduler.LambdaLR(
            optimizer, lambda step: share_of_peak(step, steps, recipe.warmup)
        )
        return {
            "optimizer": optimizer,
            "lr_scheduler": {"scheduler": schedule, "interval": "step"},
        }


def share_of_peak(step: int, steps: int, warmup: float) -> float:
    """The learning rate before a step, of its peak: up in a line, down along half a cosine to 0."""
    up = round(warmup * steps)
    if step < up:
        return FIRST_RATE + (1 - FIRST_RATE) * step / up
    return 0.5 * (1 + math.cos(math.pi * (step - up) / max(1, steps - up)))
