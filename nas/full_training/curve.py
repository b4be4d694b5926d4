"""The learning curve of a full training, an entry an epoch, and how far it is, in words."""

from dataclasses import dataclass

from nas.progress import clock


@dataclass(frozen=True)
class Epoch:
    """An epoch of the learning curve: training loss and accuracy (0..1), of augmented images.

    ``validation`` is the accuracy of the averaged weights, where it was measured.
    """

    number: int
    loss: float
    accuracy: float
    learning_rate: float
    seconds: float
    validation: float | None = None


@dataclass(frozen=True)
class TrainingProgress:
    """Steps done of all; loss and accuracy (0..1) of the epoch so far, of augmented images.

    ``validation`` is the last accuracy on validation images, None before there is one.
    """

    step: int
    steps: int
    epoch: int
    epochs: int
    loss: float
    accuracy: float
    validation: float | None
    images_per_second: float
    seconds_left: float

    @property
    def total(self) -> int:
        """Steps in all."""
        return self.steps

    def ended(self) -> int:
        """Steps that are done."""
        return self.step

    def share(self) -> str:
        """How much is done, and the time that is left."""
        return f"epoch {self.epoch}/{self.epochs}, {clock(self.seconds_left)} left"

    def details(self) -> str:
        """What has come of it."""
        parts = [f"loss {self.loss:.4f}", f"accuracy {self.accuracy:.2%}"]
        if self.validation is not None:
            parts.append(f"validation {self.validation:.2%}")
        return " | ".join([*parts, f"{self.images_per_second:,.0f} images/s"])
