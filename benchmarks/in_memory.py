"""As much of a store as a search needs, without a database."""

import contextlib
import json
from collections.abc import Iterator, Mapping
from typing import Any


class InMemory:
    """Evaluations in a dictionary."""

    def __init__(self) -> None:
        self._evaluations: dict[str, Mapping[str, Any]] = {}

    @contextlib.contextmanager
    def guard(self) -> Iterator[None]:
        yield

    def flush(self) -> None:
        pass

    def add_candidate(self, *candidate: Any) -> None:
        pass

    def evaluation(self, identity: Mapping[str, Any]) -> Mapping[str, Any] | None:
        return self._evaluations.get(json.dumps(identity, sort_keys=True))

    def add_evaluation(self, identity: Mapping[str, Any], result: Mapping[str, Any]) -> None:
        self._evaluations[json.dumps(identity, sort_keys=True)] = result
