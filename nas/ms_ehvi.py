"""The sampler ms-ehvi: the candidate of most expected hypervolume improvement at its exact cost.

Candidates are drawn from the space and mutated from the front. Each has its exact cost; accuracy
alone is uncertain, so the expectation is in closed form. A proposal is a pure function of the seed,
the trial's number, the study's trials, and what it knew of earlier studies when it began.

.. [Izquierdo2021] S. Izquierdo et al., Bag of Baselines for Multi-objective Joint Neural
   Architecture Search and Hyperparameter Optimization, AutoML workshop, ICML 2021.
"""

import random
from collections.abc import Mapping, Sequence
from typing import Any, NamedTuple

import numpy as np
from optuna import Study
from optuna.distributions import BaseDistribution, CategoricalDistribution
from optuna.samplers import BaseSampler
from optuna.trial import FrozenTrial

from nas.ehvi import expected_improvement
from nas.features import features
from nas.forecast import forecast
from nas.history import History, by_rung
from nas.objectives import OBJECTIVES, Known, known_losses, known_of
from nas.seeds import derive
from nas.settings import CLASSES, Settings
from nas.surrogate import Surrogate, errors_at_the_end
from search_space.architecture import Candidate
from search_space.catalog import candidate as catalog_candidate
from search_space.cost import cost
from search_space.limits import over
from studies.earlier import Earlier
from studies.pareto import Floats, front_mask, reference_point

STARTUP_TRIALS = 12
"""Random trials before the surrogate has enough to learn from; fewer where it is known before."""

POOL = 400
"""Random candidates that every proposal considers, besides fresh ones and mutations."""

FRESH, MUTATIONS = 20, 80
CHANGES = 3
"""Answers of a front member that a mutation changes, at most."""


class Option(NamedTuple):
    """A candidate that may be proposed: its answers, what is known of it, and its features."""

    answers: dict[str, Any]
    key: str
    known: Known
    row: Floats


class MsEhvi(BaseSampler):
    """See the module. ``settings`` are the study's; latency can't be among its objectives.

    ``earlier`` is what the study knows of those before it.
    """

    def __init__(self, settings: Settings, seed: int, earlier: Sequence[Earlier] = ()) -> None:
        if "latency" in settings.objectives:
            raise ValueError(
                "sampler is 'ms-ehvi' and latency is an objective; every candidate that it "
                "considers would have to be timed: choose another --sampler, or --max-latency"
            )
        self.settings, self.seed, self.earlier = settings, seed, earlier
        self._by_rung = by_rung(earlier, settings.budgets)
        self.startup = startup_trials(History(len(settings.budgets), earlier=self._by_rung))
        self._rows: dict[str, Floats] = {}
        self._pool: list[Option] = []
        self._plan: tuple[int, dict[str, Any]] = (-1, {})

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
        """The proposed candidate's answer; what it was never asked is answered at random."""
        assert isinstance(param_distribution, CategoricalDistribution)
        if self._plan[0] != trial.number:
            self._plan = trial.number, self.propose(study.get_trials(deepcopy=False), trial.number)
        if param_name in self._plan[1]:
            return self._plan[1][param_name]
        chance = random.Random(derive(self.seed, trial.number, param_name))
        return chance.choice(param_distribution.choices)

    def propose(self, trials: Sequence[FrozenTrial], number: int) -> dict[str, Any]:
        """Answers of the candidate that trial ``number`` should have; none for a random one."""
        trials = sorted(
            (trial for trial in trials if trial.number != number and trial.user_attrs),
            key=lambda trial: trial.number,
        )
        history = self._history(trials)
        trained = "accuracy" in self.settings.objectives
        if number < self.startup or (trained and len(errors_at_the_end(history)) < 2):
            return {}
        seen = {trial.user_attrs["key"] for trial in trials if "key" in trial.user_attrs}
        options = self._options(trials, history, seen, number)
        if not options:
            return {}
        width = len(self.settings.objectives) - trained
        losses = [known_losses(self.settings.objectives, option.known) for option in options]
        costs = np.array(losses).reshape(len(options), width)
        front, reference = self._front(history), self._reference()
        if trained:
            surrogate = Surrogate(history, self._rows, derive(self.seed, number, "surrogate"))
            mean, std = surrogate.predict(np.array([option.row for option in options]))
            front = np.vstack([front, self._expected(trials, history, surrogate)])
            value = expected_improvement(-mean, std, costs, front, reference)
        else:
            certain = np.zeros(len(options))
            value = expected_improvement(costs[:, 0], certain, costs[:, 1:], front, reference)
        return options[int(np.argmax(value))].answers

    def _history(self, trials: Sequence[FrozenTrial]) -> History:
        history = History(len(self.settings.budgets), earlier=self._by_rung)
        for one in self.earlier:
            if one.key not in self._rows:
                self._rows[one.key] = self._features(Candidate.from_json(one.candidate))
        for trial in trials:
            known = trial.user_attrs
            if "key" not in known or "flops" not in known:
                continue
            losses = known_losses(self.settings.objectives, known)
            history.known[known["key"]] = losses
            for rung, accuracy in enumerate(known.get("rungs", ())):
                history.add(known["key"], losses, rung, accuracy)
            if known["key"] not in self._rows:
                self._rows[known["key"]] = self._features(self._candidate(trial))
        return history

    def _candidate(self, trial: FrozenTrial) -> Candidate:
        if "catalog" in trial.user_attrs:
            return catalog_candidate(trial.user_attrs["catalog"])
        space, resolution = self.settings.space, self.settings.resolution
        return space.sample(lambda name, _: trial.params[name], resolution)

    def _features(self, candidate: Candidate) -> Floats:
        row: Floats = features([candidate], self.settings.image, CLASSES)[0]
        return row

    def _front(self, history: History) -> Floats:
        """Losses of what is complete, the uncertain one first."""
        width = len(self.settings.objectives)
        if "accuracy" not in self.settings.objectives:
            return np.array(sorted(history.known.values())).reshape(-1, width)
        _, accuracies, known = history.attained(history.rungs - 1)
        return np.column_stack([-accuracies, known]) if len(accuracies) else np.empty((0, width))

    def _expected(
        self, trials: Sequence[FrozenTrial], history: History, surrogate: Surrogate
    ) -> Floats:
        """What trials that still run are expected to reach, as if it were there already."""
        running = [t.user_attrs["key"] for t in trials if not t.state.is_finished()]
        keys = [key for key in running if key in history.known]
        if not keys:
            return np.empty((0, len(self.settings.objectives)))
        mean, _ = surrogate.predict(np.array([self._rows[key] for key in keys]))
        return np.column_stack([-mean, np.array([history.known[key] for key in keys])])

    def _reference(self) -> Floats:
        """The study's reference point, the uncertain loss first."""
        names = sorted(self.settings.objectives, key=lambda name: OBJECTIVES[name].known)
        return reference_point([OBJECTIVES[name].axis for name in names])

    def _options(
        self, trials: Sequence[FrozenTrial], history: History, seen: set[str], number: int
    ) -> list[Option]:
        """Candidates within the limits that no trial has had, each once."""
        if not self._pool:
            chance = random.Random(derive(self.seed, "pool"))
            self._pool = [self._drawn({}, chance) for _ in range(POOL)]
        chance = random.Random(derive(self.seed, number, "options"))
        drawn = [self._drawn({}, chance) for _ in range(FRESH)]
        parents = self._parents(trials, history)
        for _ in range(MUTATIONS if parents else 0):
            parent = dict(chance.choice(parents))
            changes = min(len(parent), 1 + chance.randrange(CHANGES))
            for name in chance.sample(sorted(parent), changes):
                del parent[name]
            drawn.append(self._drawn(parent, chance))
        limits = {n: v for n, v in self.settings.limits().items() if n != "latency"}
        unique = {option.key: option for option in (*self._pool, *drawn) if option.key not in seen}
        return [
            option
            for option in unique.values()
            if all(excess <= 0 for excess in over(option.known, limits).values())
        ]

    def _parents(self, trials: Sequence[FrozenTrial], history: History) -> list[Mapping[str, Any]]:
        """Answers of the study's front, by its complete trials."""
        complete = [trial for trial in trials if trial.values and trial.params]
        if not complete:
            return []
        losses = np.array(
            [
                (-trial.user_attrs["rungs"][-1], *history.known[trial.user_attrs["key"]])
                if "rungs" in trial.user_attrs
                else history.known[trial.user_attrs["key"]]
                for trial in complete
            ]
        )
        return [complete[index].params for index in np.flatnonzero(front_mask(losses))]

    def _drawn(self, fixed: Mapping[str, Any], chance: random.Random) -> Option:
        """A candidate with those answers where they are allowed, and random ones elsewhere."""
        answers: dict[str, Any] = {}

        def choose(name: str, options: Sequence[Any]) -> Any:
            given = fixed.get(name)
            answers[name] = given if name in fixed and given in options else chance.choice(options)
            return answers[name]

        candidate = self.settings.space.sample(choose, self.settings.resolution)
        key = candidate.key
        if key not in self._rows:
            self._rows[key] = self._features(candidate)
        settings = self.settings
        total = cost(candidate.architecture, settings.resolution, settings.channels, CLASSES)
        return Option(answers, key, known_of(total), self._rows[key])


def startup_trials(begun: History) -> int:
    """Random trials of a study that has begun so: none where enough candidates are known.

    Known are those with an accuracy at the last rung, measured or forecast.
    """
    last = begun.rungs - 1
    telling = [rung for rung in range(begun.rungs) if rung == last or forecast(begun, rung)]
    known = {key for rung in telling for key in begun.learned(rung)}
    return max(0, STARTUP_TRIALS - len(known))
