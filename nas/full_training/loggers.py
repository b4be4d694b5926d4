"""Where a full training's curve is followed: TensorBoard, MLflow or CSV, by Lightning's loggers."""

import contextlib
import importlib.util
import logging
import os
import shlex
from collections.abc import Callable, Iterator, Sequence
from dataclasses import asdict
from pathlib import Path
from typing import TYPE_CHECKING, Any, NamedTuple

from nas.files import replace_file
from nas.full_training.job import Job
from search_space.checks import check_choice
from search_space.cost import cost
from search_space.words import describe

if TYPE_CHECKING:
    from lightning.pytorch.loggers import Logger

    from nas.full_training.curve import Epoch

EXPERIMENT = "inception-nas"
RUN = "mlflow-run"
"""The file that names the training's run, which goes on in it after an interruption."""
DATABASE = "mlflow.db"
"""Where MLflow itself keeps runs, in the working directory, unless MLFLOW_TRACKING_URI is set."""


class LoggerKind(NamedTuple):
    """The package that a logger needs, and how to make it and look at it.

    ``make`` takes the model's directory and the training's name. One that is ``whole`` has nothing
    from before it was made, so all of the curve is logged again.
    """

    package: str | None
    make: "Callable[[Path, str], Logger]"
    look: Callable[[Path], str]
    whole: bool = False


def _tensorboard(directory: Path, name: str) -> "Logger":
    from lightning.pytorch.loggers import TensorBoardLogger

    del name
    return TensorBoardLogger(directory, "tensorboard", version="", default_hp_metric=False)


def _csv(directory: Path, name: str) -> "Logger":
    from lightning.pytorch.loggers import CSVLogger

    del name
    return CSVLogger(directory, "csv", version="", flush_logs_every_n_steps=1)


def _mlflow(directory: Path, name: str) -> "Logger":
    for chatty in ("alembic", "mlflow"):
        logging.getLogger(chatty).setLevel(logging.WARNING)
    from lightning.pytorch.loggers import MLFlowLogger
    from mlflow import MlflowClient

    uri, file, known = _tracking(), directory / RUN, None
    if file.exists():
        known = file.read_text(encoding="utf-8").strip()
        MlflowClient(uri).update_run(known, status="RUNNING")
    logger = MLFlowLogger(EXPERIMENT, name, uri, run_id=known)
    assert logger.run_id
    replace_file(file, logger.run_id.encode())
    return logger


def _tracking() -> str:
    import sqlalchemy as sa

    path = str(Path(DATABASE).absolute())
    own = f"sqlite:///{path}"
    if sa.make_url(own).database != path:  # of a % or a ? SQLAlchemy makes another file
        own = sa.URL.create("sqlite", database=path).render_as_string()
    return os.environ.get("MLFLOW_TRACKING_URI") or own


LOGGERS = {
    "tensorboard": LoggerKind(
        "tensorboard",
        _tensorboard,
        lambda directory: f"tensorboard --logdir {shlex.quote(str(directory / 'tensorboard'))}",
    ),
    "mlflow": LoggerKind(
        "mlflow",
        _mlflow,
        lambda _: f"mlflow ui --backend-store-uri {shlex.quote(_tracking())}",
    ),
    "csv": LoggerKind(
        None,
        _csv,
        lambda directory: str(directory / "csv" / "metrics.csv"),
        whole=True,
    ),
}


def check_logger(name: str) -> None:
    """ValueError unless there is such a logger and what it needs is installed."""
    check_choice("logger", name, tuple(LOGGERS))
    package = LOGGERS[name].package
    if package and importlib.util.find_spec(package) is None:
        raise ValueError(
            f"logger {name} needs the package {package}, which is not installed; "
            f"run: pip install 'inception-nas[{name}]'"
        )


class CurveLog:
    """One training's curve in one logger: an entry per epoch, then the test accuracy.

    Every method raises ValueError where the logger fails, which no training is worth losing for:
    the same command goes on.
    """

    def __init__(self, kind: str, directory: Path, name: str, job: Job, classes: int) -> None:
        self.kind = kind
        with self._failing():
            self.logger = LOGGERS[kind].make(directory, name)
            self.logger.log_hyperparams(_facts(job, classes))

    def before(self, curve: "Sequence[Epoch]") -> None:
        """Log the epochs of an interrupted training that goes on."""
        if LOGGERS[self.kind].whole:
            for epoch in curve:
                self.epoch(epoch)

    def epoch(self, epoch: "Epoch") -> None:
        """Loss, accuracies (0..1), learning rate and seconds of an epoch."""
        metrics = {
            "train/loss": epoch.loss,
            "train/accuracy": epoch.accuracy,
            "learning rate": epoch.learning_rate,
            "seconds": epoch.seconds,
        }
        if epoch.validation is not None:
            metrics["validation/accuracy"] = epoch.validation
        with self._failing():
            self.logger.log_metrics(metrics, epoch.number)

    def end(self, curve: "Sequence[Epoch]", accuracy: float) -> None:
        """Log the test accuracy (0..1), and close the logger."""
        self.before(curve)
        with self._failing():
            self.logger.log_metrics({"test/accuracy": accuracy}, len(curve))
            self.logger.finalize("success")

    @contextlib.contextmanager
    def _failing(self) -> Iterator[None]:
        from nas.short_run.trainer import lightning_alone

        try:
            with lightning_alone():
                yield
        except Exception as error:  # of any of these packages, or of its server
            reason = str(error).splitlines()[0] if str(error) else type(error).__name__
            raise ValueError(
                f"logger {self.kind} failed: {reason}; mend that, or leave --logger out: "
                "the same command continues"
            ) from None


def _facts(job: Job, classes: int) -> dict[str, Any]:
    """The job as loggers list it: names and single values."""
    total = cost(job.candidate.architecture, job.resolution, job.channels, classes)
    facts = {
        "architecture": describe(job.candidate),
        "params": total.params,
        "flops": total.flops,
        **job.whole_json(),
        **{f"recipe/{name}": value for name, value in asdict(job.recipe).items()},
    }
    return {name: value for name, value in facts.items() if name not in ("candidate", "recipe")}
