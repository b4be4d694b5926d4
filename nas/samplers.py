"""SAMPLERS: who proposes the next candidate. Every one draws from (study seed, trial number) alone.

A seeded Optuna sampler that is made anew on resume repeats its first suggestions; here each trial
has an inner sampler of its own, so that a study continued is the study that was never stopped.
"""

import warnings
from collections.abc import Callable, Sequence
from typing import TYPE_CHECKING, Any, NamedTuple

from nas.seeds import derive

if TYPE_CHECKING:
    from optuna.samplers import BaseSampler

    from nas.settings import Settings
    from studies.earlier import Earlier

STARTUP_TRIALS = 20
"""Random trials before a model-based sampler has enough to learn from."""


class Sampler(NamedTuple):
    """A sampler's words for the help text, and how to make it.

    ``make`` takes a seed, the study's settings, and what it knows of earlier studies. A ``pure``
    one proposes by these, the trial's number and the study's trials alone.
    """

    words: str
    make: "Callable[[int, Settings, Sequence[Earlier]], BaseSampler]"
    pure: bool = False


def _random(seed: int, _settings: "Settings", _earlier: "Sequence[Earlier]") -> "BaseSampler":
    from optuna.samplers import RandomSampler

    return RandomSampler(seed=seed)


def _tpe(seed: int, _settings: "Settings", _earlier: "Sequence[Earlier]") -> "BaseSampler":
    from optuna.samplers import TPESampler

    return TPESampler(
        n_startup_trials=STARTUP_TRIALS,
        multivariate=True,
        group=True,
        # It rereads all trials from the database for every group of parameters.
        constant_liar=False,
        seed=seed,
    )


def _nsga2(seed: int, _settings: "Settings", _earlier: "Sequence[Earlier]") -> "BaseSampler":
    from optuna.samplers import NSGAIISampler

    return NSGAIISampler(population_size=STARTUP_TRIALS, seed=seed)


def _nsga3(seed: int, _settings: "Settings", _earlier: "Sequence[Earlier]") -> "BaseSampler":
    from optuna.samplers import NSGAIIISampler

    return NSGAIIISampler(population_size=STARTUP_TRIALS, seed=seed)


def _gp(seed: int, _settings: "Settings", _earlier: "Sequence[Earlier]") -> "BaseSampler":
    from optuna.samplers import GPSampler

    return GPSampler(
        n_startup_trials=STARTUP_TRIALS,
        deterministic_objective=False,
        seed=seed,
    )


def _ms_ehvi(seed: int, settings: "Settings", earlier: "Sequence[Earlier]") -> "BaseSampler":
    from nas.ms_ehvi import MsEhvi

    return MsEhvi(settings, seed, earlier)


SAMPLERS: dict[str, Sampler] = {
    "random": Sampler("uniform over each dimension's choices", _random),
    "tpe": Sampler("tree-structured Parzen estimator, multivariate and grouped", _tpe),
    "nsga2": Sampler("genetic, crowding distance", _nsga2),
    "nsga3": Sampler("genetic, reference points", _nsga3),
    "gp": Sampler("Gaussian process, hypervolume improvement; slow from 100 trials on", _gp),
    "ms-ehvi": Sampler(
        "expected hypervolume improvement at the exact cost, surrogate for accuracy", _ms_ehvi, True
    ),
}
"""Name to sampler."""


class _Proposed:
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


def seeded(settings: "Settings", earlier: "Sequence[Earlier]" = ()) -> "BaseSampler":
    """A study's sampler as a pure function of the seed, the trial's number and the study.

    ``earlier`` is what the study knows of those before it, which only ms-ehvi learns from.
    Trials that begin from the catalog are not its own; Optuna's samplers learn nothing from them.
    """
    from optuna.exceptions import ExperimentalWarning
    from optuna.samplers import BaseGASampler, BaseSampler

    make, given = SAMPLERS[settings.sampler].make, len(settings.start_from)
    if SAMPLERS[settings.sampler].pure:
        return make(settings.seed, settings, earlier)

    def fresh(*parts: int | str) -> BaseSampler:
        with warnings.catch_warnings():
            # multivariate, group and constant_liar have been experimental since Optuna 2
            warnings.simplefilter("ignore", ExperimentalWarning)
            return make(derive(settings.seed, *parts), settings, earlier)

    def proposed(study: Any) -> Any:
        return _Proposed(study, given) if given else study

    class Seeded(BaseSampler):
        """Hands every trial to a sampler of its own."""

        def __init__(self) -> None:
            self._inner: dict[int, BaseSampler] = {}

        def _of(self, trial: Any) -> BaseSampler:
            if trial.number not in self._inner:
                self._inner[trial.number] = fresh(trial.number)
            return self._inner[trial.number]

        def before_trial(self, study: Any, trial: Any) -> None:
            self._of(trial).before_trial(proposed(study), trial)

        def infer_relative_search_space(self, study: Any, trial: Any) -> Any:
            return self._of(trial).infer_relative_search_space(proposed(study), trial)

        def sample_relative(self, study: Any, trial: Any, search_space: Any) -> Any:
            study = proposed(study)
            if isinstance(self._of(trial), BaseGASampler):
                # The first trial of a generation picks its parents and stores them. Stored ones
                # come in another order and cost no draws: so let a spare sampler do the picking.
                fresh(trial.number).sample_relative(study, trial, search_space)
            return self._of(trial).sample_relative(study, trial, search_space)

        def sample_independent(self, study: Any, trial: Any, name: str, dist: Any) -> Any:
            inner = fresh(trial.number, name)
            return inner.sample_independent(proposed(study), trial, name, dist)

        def after_trial(self, study: Any, trial: Any, state: Any, values: Any) -> None:
            self._of(trial).after_trial(proposed(study), trial, state, values)
            del self._inner[trial.number]

    return Seeded()
