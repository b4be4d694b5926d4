"""A sampler that repeats the candidates of another study: for second seeds, and for longer runs.

``nas run --sampler again.Again`` from this directory proposes what ``--sampler random --seed 1``
does, whatever the seed, budgets or promotion.
"""

from typing import Any

from optuna.distributions import BaseDistribution
from optuna.samplers import BaseSampler, RandomSampler
from optuna.study import Study
from optuna.trial import FrozenTrial

from nas.seeds import derive

SEED = 1


class Again(BaseSampler):
    """Draws every answer from (SEED, trial number, name), as this tool's random sampler does."""

    def infer_relative_search_space(
        self, study: Study, trial: FrozenTrial
    ) -> dict[str, BaseDistribution]:
        return {}

    def sample_relative(
        self, study: Study, trial: FrozenTrial, search_space: dict[str, BaseDistribution]
    ) -> dict[str, Any]:
        return {}

    def sample_independent(
        self,
        study: Study,
        trial: FrozenTrial,
        param_name: str,
        param_distribution: BaseDistribution,
    ) -> Any:
        chance = RandomSampler(seed=derive(SEED, trial.number, param_name))
        return chance.sample_independent(study, trial, param_name, param_distribution)
