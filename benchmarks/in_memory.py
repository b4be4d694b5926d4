"""As much of a store as a search needs, without a database, and a study that is opened on it."""

import contextlib
from collections.abc import Iterator
from typing import Any, Literal

import optuna

from nas.axes import axes_of
from nas.sampling.samplers import seeded
from nas.settings import Settings
from nas.study.opened import OpenStudy, begun
from studies.evaluation import Evaluation, Identity


def open_in_memory(settings: Settings) -> OpenStudy:
    """A new study that learns nothing from others."""
    optuna.logging.set_verbosity(optuna.logging.ERROR)
    directions: list[Literal["minimize", "maximize"]] = [
        "maximize" if axis.maximize else "minimize" for axis in axes_of(settings)
    ]
    history = begun(settings, ())
    study = optuna.create_study(directions=directions, sampler=seeded(settings, history))
    store: Any = InMemory()
    return OpenStudy(settings, store, study, history)


class InMemory:
    """Evaluations in a dictionary."""

    def __init__(self) -> None:
        self._evaluations: dict[str, Evaluation] = {}

    @contextlib.contextmanager
    def guard(self) -> Iterator[None]:
        yield

    def flush(self) -> None:
        pass

    def add_candidate(self, *candidate: Any) -> None:
        pass

    def evaluation(self, identity: Identity) -> Evaluation | None:
        return self._evaluations.get(identity.digest())

    def add_evaluation(self, identity: Identity, evaluation: Evaluation) -> None:
        self._evaluations[identity.digest()] = evaluation
