"""As much of a store as a search needs, without a database."""

import contextlib
from collections.abc import Iterator
from typing import Any

from studies.evaluation import Evaluation, Identity


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
