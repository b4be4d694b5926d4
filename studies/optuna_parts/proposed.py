"""A study as samplers are to see it, which ask it for its trials by a private method."""

from typing import Any


class WithoutFirst:
    """A study without its first ``given`` trials, which no sampler proposed.

    They have no parameters, and some samplers learn only what all trials have in common.
    """

    def __init__(self, study: Any, given: int) -> None:
        self._study, self._given = study, given

    def __getattr__(self, name: str) -> Any:
        return getattr(self._study, name)

    def _get_trials(self, *args: Any, **kwargs: Any) -> list[Any]:
        trials = self._study._get_trials(*args, **kwargs)
        return [trial for trial in trials if trial.number >= self._given]

    get_trials = _get_trials

    @property
    def trials(self) -> list[Any]:
        return self._get_trials()
