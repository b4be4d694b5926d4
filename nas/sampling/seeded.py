"""An Optuna sampler as a pure function of (study seed, trial number, study), within the limits.

A seeded Optuna sampler that is made anew on resume repeats its first suggestions; here each trial
has an inner sampler of its own, so that a study continued is the study that was never stopped. And
what it proposes above a limit that is known before training is drawn again.
"""

from collections.abc import Callable, Sequence
from random import Random
from typing import Any

from optuna.distributions import CategoricalDistribution
from optuna.samplers import BaseGASampler, BaseSampler

from nas.sampling.even import spread_of
from nas.sampling.one_by_one import OneByOne
from nas.seeds import derive
from nas.settings import Settings
from search_space.architecture import Candidate
from search_space.limits import within
from studies.optuna_parts.proposed import WithoutFirst

REDRAWN = 30
"""Proposals that a sampler may make for a trial until one is within the limits."""

Make = Callable[..., BaseSampler]
"""Makes an inner sampler for the parts of a seed: numbers of trials, names of dimensions."""


class Seeded(BaseSampler):
    """Hands every trial to a sampler of its own, unless one is ``kept`` for all.

    It is not told of the study's first ``given`` trials, which begin from the catalog.
    """

    def __init__(self, make: Make, given: int, kept: bool) -> None:
        self._make, self._given, self._kept = make, given, kept
        self._inner: dict[int, BaseSampler] = {}

    def _of(self, trial: Any) -> BaseSampler:
        place = -1 if self._kept else trial.number
        if place not in self._inner:
            self._inner[place] = self._make(trial.number)
        return self._inner[place]

    def proposed(self, study: Any) -> Any:
        """The study as its sampler is to see it."""
        return WithoutFirst(study, self._given) if self._given else study

    def before_trial(self, study: Any, trial: Any) -> None:
        """As Optuna has it, for this and what follows."""
        self._of(trial).before_trial(self.proposed(study), trial)

    def infer_relative_search_space(self, study: Any, trial: Any) -> Any:
        """As the inner sampler."""
        return self._of(trial).infer_relative_search_space(self.proposed(study), trial)

    def sample_relative(self, study: Any, trial: Any, search_space: Any) -> Any:
        """As the inner sampler."""
        study, inner = self.proposed(study), self._of(trial)
        if not self._kept:
            _pick_parents(self._make(trial.number), study, trial, search_space)
        return inner.sample_relative(study, trial, search_space)

    def sample_independent(self, study: Any, trial: Any, name: str, dist: Any) -> Any:
        """As the inner sampler, or one of the dimension's own."""
        inner = self._of(trial) if self._kept else self._make(trial.number, name)
        return inner.sample_independent(self.proposed(study), trial, name, dist)

    def after_trial(self, study: Any, trial: Any, state: Any, values: Any) -> None:
        """As the inner sampler, which is forgotten."""
        self._of(trial).after_trial(self.proposed(study), trial, state, values)
        self._inner.pop(trial.number, None)


class Within(OneByOne):
    """Has a sampler propose for a trial until a candidate is within the limits of ``settings``.

    For every attempt there is one with a seed of its own. After REDRAWN of them the trial gets a
    random candidate that is within.
    """

    def __init__(self, make: Make, given: int, settings: Settings) -> None:
        self._make, self._settings = make, settings
        self._seeded = Seeded(make, given, kept=False)
        self._plan: tuple[int, dict[str, Any]] = (-1, {})

    def before_trial(self, study: Any, trial: Any) -> None:
        """As the sampler of the first attempt."""
        self._seeded.before_trial(study, trial)

    def after_trial(self, study: Any, trial: Any, state: Any, values: Any) -> None:
        """As the sampler of the first attempt."""
        self._seeded.after_trial(study, trial, state, values)

    def sample_independent(self, study: Any, trial: Any, name: str, dist: Any) -> Any:
        """The choice of that dimension of the candidate that was found for the trial."""
        if self._plan[0] != trial.number:
            self._plan = trial.number, self._found(self._seeded.proposed(study), trial)
        plan = self._plan[1]
        if name in plan and plan[name] in dist.choices:
            return plan[name]
        # Somebody asked for a trial of which a part is fixed, and so other dimensions turn up.
        return self._seeded.sample_independent(study, trial, name, dist)

    def _found(self, study: Any, trial: Any) -> dict[str, Any]:
        """Params of a candidate within the limits, by the seed, the trial's number, the study."""
        for attempt in range(REDRAWN):
            sampler = self._make(trial.number, attempt)
            params, found = self._proposed(sampler, study, trial)
            if self._allowed(found):
                return params
        rng = Random(derive(self._settings.seed, trial.number, "within"))
        return spread_of(self._settings).draw(rng).params

    def _proposed(
        self, sampler: BaseSampler, study: Any, trial: Any
    ) -> tuple[dict[str, Any], Candidate]:
        """A whole candidate as a sampler would have it, dimension by dimension; and its params."""
        space = sampler.infer_relative_search_space(study, trial)
        _pick_parents(self._make(trial.number), study, trial, space)
        relative = sampler.sample_relative(study, trial, space)
        params: dict[str, Any] = {}

        def choose(name: str, options: Sequence[Any]) -> Any:
            value = relative.get(name)
            if name not in relative or value not in options:
                known = CategoricalDistribution(tuple(options))
                value = sampler.sample_independent(study, trial, name, known)
            params[name] = value
            return value

        return params, self._settings.space.sample(choose, self._settings.resolution)

    def _allowed(self, found: Candidate) -> bool:
        settings = self._settings
        return within(settings.cost(found)._asdict(), settings.free_limits())


def _pick_parents(spare: BaseSampler, study: Any, trial: Any, search_space: Any) -> None:
    """Let a spare sampler pick the parents of a generation, where it is genetic.

    The first trial of a generation picks and stores them. Stored ones come in another order and
    cost no draws, so a trial that is begun anew would get another proposal.
    """
    if isinstance(spare, BaseGASampler):
        spare.sample_relative(study, trial, search_space)
