"""The sampler ms-ehvi: the candidate of most expected hypervolume improvement at its exact cost.

Candidates are drawn from the space and mutated, from the front first and then from those of most
improvement. Each has its exact cost; accuracy alone is uncertain, so the expectation is in closed
form. A proposal is a pure function of the seed, the trial's number, the study's trials, and what it
knew of earlier studies when it began.

.. [Izquierdo2021] S. Izquierdo et al., Bag of Baselines for Multi-objective Joint Neural
   Architecture Search and Hyperparameter Optimization, AutoML workshop, ICML 2021.
"""

import random
from collections.abc import Callable, Iterable, Mapping, Sequence
from typing import Any

import numpy as np
from optuna import Study
from optuna.distributions import BaseDistribution, CategoricalDistribution
from optuna.samplers import BaseSampler
from optuna.trial import FrozenTrial

from nas.features import log_seconds
from nas.ms_ehvi.improvement import expected_improvement
from nas.ms_ehvi.proposals import Option, Proposals
from nas.ms_ehvi.surrogate import Scale, Surrogate, errors_at_the_end
from nas.objectives import OBJECTIVES, known_losses
from nas.rungs.forecast import forecast
from nas.rungs.history import History, by_rung
from nas.seeds import derive
from nas.settings import Settings
from search_space.architecture import Candidate
from search_space.catalog import candidate as catalog_candidate
from studies.earlier import Earlier
from studies.pareto import Floats, front_mask, reference_point

STARTUP_TRIALS = 12
"""Trials before the surrogate has enough to learn from; fewer where it is known before."""

CHEAPEST_OF = 4
"""Each of these is the one that trains fastest among so many."""

POOL = 400
"""Random candidates that every proposal considers, besides fresh ones and mutations."""

FRESH, MUTATIONS = 10, 40
ROUNDS, PARENTS = 2, 8
"""How often the best options so far are mutated, and how many of them."""

Valued = Callable[[Sequence[Option]], Floats]
"""What options are worth, [N]."""


class MsEhvi(BaseSampler):
    """See the module. ``settings`` are the study's; latency can't be among its objectives.

    ``earlier`` is what the study knows of those before it; ``per_second`` divides what is expected
    by the predicted seconds of training.
    """

    def __init__(
        self,
        settings: Settings,
        seed: int,
        earlier: Sequence[Earlier] = (),
        per_second: bool = False,
    ) -> None:
        if "latency" in settings.objectives:
            raise ValueError(
                "sampler is 'ms-ehvi' and latency is an objective; every candidate that it "
                "considers would have to be timed: choose another --sampler"
            )
        self.settings, self.seed, self.earlier = settings, seed, earlier
        self.per_second = per_second
        self._proposals = Proposals(settings)
        self._by_rung = by_rung(earlier, settings.budgets)
        self.startup = startup_trials(History(len(settings.budgets), earlier=self._by_rung))
        self._rows: dict[str, Floats] = {}
        self._losses: dict[str, tuple[float, ...]] = {}
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
        chance = random.Random(derive(self.seed, number, "options"))
        seen = {trial.user_attrs["key"] for trial in trials if "key" in trial.user_attrs}
        history = self._history(trials)
        trained = "accuracy" in self.settings.objectives
        if trained and (number < self.startup or len(errors_at_the_end(history)) < 2):
            few = self._new((self._proposals.drawn(chance) for _ in range(CHEAPEST_OF)), seen)
            return min(few, key=lambda option: log_seconds(option.row)).answers if few else {}
        value = self._value(trials, history) if trained else self._certain_value(history)
        return self._best(trials, history, seen, chance, value)

    def _value(self, trials: Sequence[FrozenTrial], history: History) -> Valued:
        """Expected improvement, accuracy being what the surrogate says of it."""
        scale = Scale.of(np.array([option.row for option in self._pooled()]))
        surrogate = Surrogate(history, self._rows, scale)
        front = np.vstack([self._front(history), self._expected(trials, history, surrogate)])
        reference = self._reference()

        def value(options: Sequence[Option]) -> Floats:
            inputs = np.array([option.row for option in options])
            mean, std = surrogate.predict(inputs)
            costs = np.array([option.losses for option in options]).reshape(len(options), -1)
            found = expected_improvement(-mean, std, costs, front, reference)
            if self.per_second:
                found = found / np.exp([log_seconds(option.row) for option in options])
            return found

        return value

    def _certain_value(self, history: History) -> Valued:
        """Improvement where every objective is known before training."""
        front, reference = self._front(history), self._reference()

        def value(options: Sequence[Option]) -> Floats:
            costs = np.array([option.losses for option in options])
            certain = np.zeros(len(options))
            return expected_improvement(costs[:, 0], certain, costs[:, 1:], front, reference)

        return value

    def _best(
        self,
        trials: Sequence[FrozenTrial],
        history: History,
        seen: set[str],
        chance: random.Random,
        value: Valued,
    ) -> dict[str, Any]:
        """Answers of the most valuable option that is found; none if all have been trials."""
        drawn = [self._proposals.drawn(chance) for _ in range(FRESH)]
        front = self._parents(trials, history)
        options = self._new([*self._pooled(), *drawn, *self._mutations(front, chance)], seen)
        if not options:
            return {}
        values = value(options)
        for _ in range(ROUNDS):
            best = np.argsort(-values, kind="stable")[:PARENTS]
            known = seen | {option.key for option in options}
            parents = [options[place].answers for place in best]
            better = self._new(self._mutations(parents, chance), known)
            if better:
                options += better
                values = np.concatenate([values, value(better)])
        return options[int(np.argmax(values))].answers

    def _pooled(self) -> list[Option]:
        """Random candidates of the space, the same for every trial."""
        if not self._pool:
            chance = random.Random(derive(self.seed, "pool"))
            self._pool = [self._proposals.drawn(chance) for _ in range(POOL)]
        return self._pool

    def _mutations(
        self, parents: Sequence[Mapping[str, Any]], chance: random.Random
    ) -> list[Option]:
        return [
            self._proposals.mutated(chance.choice(parents), chance)
            for _ in range(MUTATIONS if parents else 0)
        ]

    def _new(self, drawn: Iterable[Option], seen: set[str]) -> list[Option]:
        """Those within the limits that no trial has had, each once."""
        unique = {option.key: option for option in drawn if option.key not in seen}
        return [option for option in unique.values() if self._proposals.allowed(option)]

    def _history(self, trials: Sequence[FrozenTrial]) -> History:
        history = History(len(self.settings.budgets), earlier=self._by_rung)
        for one in self.earlier:
            if one.key not in self._rows:
                self._rows[one.key] = self._proposals.row(Candidate.from_json(one.candidate))
        for trial in trials:
            known = trial.user_attrs
            if "key" not in known or "flops" not in known:
                continue
            key = known["key"]
            if key not in self._losses:
                self._losses[key] = known_losses(self.settings.objectives, known)
                self._rows[key] = self._proposals.row(self._candidate(trial))
            history.known[key] = self._losses[key]
            for rung, accuracy in enumerate(known.get("rungs", ())):
                history.add(key, self._losses[key], rung, accuracy)
        return history

    def _candidate(self, trial: FrozenTrial) -> Candidate:
        if "catalog" in trial.user_attrs:
            return catalog_candidate(trial.user_attrs["catalog"])
        space, resolution = self.settings.space, self.settings.resolution
        return space.sample(lambda name, _: trial.params[name], resolution)

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


def startup_trials(begun: History) -> int:
    """Cheap random trials of a study that has begun so: none where enough candidates are known.

    Known are those with an accuracy at the last rung, measured or forecast.
    """
    last = begun.rungs - 1
    telling = [rung for rung in range(begun.rungs) if rung == last or forecast(begun, rung)]
    known = {key for rung in telling for key in begun.learned(rung)}
    return max(0, STARTUP_TRIALS - len(known))
