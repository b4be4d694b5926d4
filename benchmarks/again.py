"""Samplers that repeat the candidates of another study: for second seeds, and for longer runs.

``nas run --sampler again.Again`` from this directory proposes what ``--sampler random --seed 1``
does, whatever the seed, budgets or promotion. ``--sampler again.Stored`` proposes what the trials
of a stored study had, from the last one on; AGAIN in the environment is its storage's URL, a
space, and its name.
"""

import os
from functools import cached_property
from typing import Any

import optuna
from optuna.distributions import BaseDistribution
from optuna.samplers import RandomSampler
from optuna.study import Study
from optuna.trial import FrozenTrial

from nas.seeds import derive

SEED = 1


class Again(RandomSampler):
    """Draws every answer from (SEED, trial number, name), as this tool's random sampler does."""

    def given(self, number: int) -> dict[str, Any]:
        """Answers of a trial that aren't drawn."""
        del number
        return {}

    def sample_independent(
        self,
        study: Study,
        trial: FrozenTrial,
        param_name: str,
        param_distribution: BaseDistribution,
    ) -> Any:
        given = self.given(trial.number)
        if param_name in given:
            return given[param_name]
        chance = RandomSampler(seed=derive(SEED, trial.number, param_name))
        return chance.sample_independent(study, trial, param_name, param_distribution)


class Stored(Again):
    """Gives every trial the answers of a stored one; what that wasn't asked is drawn."""

    @cached_property
    def _params(self) -> list[dict[str, Any]]:
        storage, _, name = os.environ["AGAIN"].partition(" ")
        trials = optuna.load_study(study_name=name, storage=storage).get_trials()
        return [trial.params for trial in reversed(trials)]

    def given(self, number: int) -> dict[str, Any]:
        """The stored trial's answers; none beyond the last one."""
        return self._params[number] if number < len(self._params) else {}
