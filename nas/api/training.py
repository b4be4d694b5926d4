"""train(): a network trained to the end and tested once, what `nas train` does, from Python."""

from pathlib import Path

from nas.api.model import TrainedModel, load_model
from nas.api.network import Named, subject_of
from nas.datasets.found import PixelRange
from nas.defaults import DEFAULT_STORAGE, DEFAULT_STUDY
from nas.interrupt import Interrupted, Stopped


def train(
    network: Named,
    *,
    out: str | Path | None = None,
    study: str = DEFAULT_STUDY,
    storage: str = DEFAULT_STORAGE,
    dataset: str | None = None,
    data_dir: str | Path | None = None,
    pixel_range: PixelRange | None = None,
    resolution: int | None = None,
    channels: int | None = None,
    epochs: int | None = None,
    time_limit: float | None = None,
    train_size: int | None = None,
    validate: bool | None = None,
    seed: int | None = None,
    precision: str = "auto",
    flip: bool | None = None,
    logger: str | None = None,
    int8: bool | None = None,
    progress: bool = True,
) -> TrainedModel:
    """Train a network to the end on all training images, then test it, once.

    Parameters are named as the options of `nas train`, and mean the same; the same call continues a
    training that was interrupted, and what is left out is as it was then.

    network: a name of the catalog, the number of a trial, "best", a JSON file's path, an
        architecture, a candidate, or what `nas.network` gave.
    out: the model's directory; by default it is called after the network.
    study, storage: where a trial is.
    time_limit: seconds, instead of epochs: as many of these as fit.
    progress: shown on standard error.

    Raises ValueError where anything asked for can't be, before anything is trained, or where the
    training diverged; `nas.Interrupted`, a KeyboardInterrupt, on Ctrl-C and SIGTERM: every epoch
    that had ended is kept.
    """
    from nas.full_training.task import Wanted, directory_of, task_of
    from nas.full_training.train import train_until_stopped

    subject = subject_of(network, study, storage)
    wanted = Wanted(
        dataset=dataset,
        data_dir=None if data_dir is None else Path(data_dir),
        pixel_range=pixel_range,
        resolution=resolution,
        channels=channels,
        epochs=epochs,
        train_size=train_size,
        validate=validate,
        seed=seed,
        precision=precision,
        flip=flip,
        logger=logger,
        seconds=time_limit,
        int8=int8,
    )
    directory = directory_of(subject, study, None if out is None else Path(out))
    trained = train_until_stopped(
        [task_of(subject, wanted, directory)], wanted, False, not progress
    )
    if isinstance(trained, Stopped):
        raise Interrupted(trained.number)
    if trained[0].failure:
        raise ValueError(trained[0].failure)
    return load_model(directory)
