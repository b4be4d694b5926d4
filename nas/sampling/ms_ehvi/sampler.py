"""The sampler ms-ehvi: the candidate of most expected hypervolume improvement at its exact cost.

Candidates are drawn from the space and mutated, from the front first and then from those of most
improvement. Each has its exact cost; accuracy alone is uncertain, so the expectation is in closed
form. A proposal is a pure function of the seed, the trial's number, and the study's history, which
has what it knew of earlier studies when it began.

.. [Izquierdo2021] S. Izquierdo et al., Bag of Baselines for Multi-objective Joint Neural
   Architecture Search and Hyperparameter Optimization, AutoML workshop, ICML 2021.
"""

import math
import random
from collections.abc import Callable, Container, Iterable, Iterator, Mapping, Sequence
from functools import cached_property
from typing import Any

import numpy as np
from optuna import Study
from optuna.distributions import BaseDistribution, CategoricalDistribution
from optuna.trial import FrozenTrial

from nas.axes import axes_of
from nas.objectives import OBJECTIVES
from nas.rungs.history import History, Promise
from nas.sampling.features import log_seconds
from nas.sampling.ms_ehvi.improvement import expected_improvement
from nas.sampling.ms_ehvi.proposals import Proposal, Proposals
from nas.sampling.ms_ehvi.surrogate import Scale, Surrogate, errors_at_the_end
from nas.sampling.ms_ehvi.windows import Turn, Window, next_turn, windows_of
from nas.sampling.one_by_one import OneByOne
from nas.seeds import derive
from nas.settings import Settings
from search_space.architecture import Candidate
from search_space.catalog import candidate as catalog_candidate
from studies.pareto import Floats, front_mask, losses, reference_point

STARTUP_TRIALS = 12
"""Trials before the surrogate has enough to learn from; fewer where it is known before."""

CHEAPEST_OF, COSTLIEST_OF = 4, 2
"""Each of these is the one that trains fastest among so many, or, where the most accurate is asked
for, the one that trains longest: else nobody would know what FLOPs are good for.
"""

POOL = 400
"""Random candidates that every proposal considers, besides fresh ones and mutations."""

FRESH, MUTATIONS = 10, 40
ROUNDS, PARENTS = 2, 8
"""How often the best proposals so far are mutated, and how many of them."""

EDGE = 0.005
"""How far beyond a window, as base-10 logarithm of the cost, what is at its end still counts."""

NEAR = 0.3
"""How far beyond it a member of the front is still a parent of what is wanted in it."""

Valued = Callable[[Sequence[Proposal]], Floats]
"""What proposals are worth, [N]."""


class MsEhvi(OneByOne):
    """See the module. ``settings`` are the study's; latency can't be among its objectives.

    ``history`` is the study's own, which the driver's loop adds to as it learns; ``per_second``
    divides what is expected by the predicted seconds of training.
    """

    def __init__(
        self,
        settings: Settings,
        seed: int,
        history: History,
        per_second: bool = False,
    ) -> None:
        if "latency" in settings.objectives:
            raise ValueError(
                "sampler is 'ms-ehvi' and latency is an objective; every candidate that it "
                "considers would have to be timed: choose another --sampler"
            )
        self.settings, self.seed, self.history = settings, seed, history
        self.per_second = per_second
        self._proposals = Proposals(settings)
        self.startup = startup_trials(History(history.rungs, earlier=history.earlier))
        self._rows: dict[str, Floats] = {}
        self._given = {one.key: one for one in map(catalog_candidate, settings.start_from)}
        self._pool: list[Proposal] = []
        self._plan: tuple[int, dict[str, Any]] = (-1, {})
        history.worth = self.worth

    def sample_independent(
        self,
        study: Study,
        trial: FrozenTrial,
        param_name: str,
        param_distribution: BaseDistribution,
    ) -> Any:
        """The proposed candidate's value of a parameter, or a random one where it has none."""
        assert isinstance(param_distribution, CategoricalDistribution)
        if self._plan[0] != trial.number:
            self._plan = trial.number, self.propose(trial.number)
        if param_name in self._plan[1]:
            return self._plan[1][param_name]
        rng = random.Random(derive(self.seed, trial.number, param_name))
        return rng.choice(param_distribution.choices)

    def propose(self, number: int) -> dict[str, Any]:
        """Params of the candidate that trial ``number`` should have.

        A random one within the limits where nothing new was found; in the first edition none.
        """
        rng = random.Random(derive(self.seed, number, "options"))
        found = self._proposed(number, rng)
        if found or self.settings.edition == 1:
            return found
        return self._proposals.drawn(rng).params

    def recall(self, number: int) -> None:
        """Propose again what trial ``number`` has, for what was expected of it."""
        self.propose(number)

    def worth(self, key: str) -> float:
        """The improvement expected now of a candidate that was proposed and isn't finished."""
        history, losses = self.history, self.history.known[key]
        number = next((one for one, its in history.pending.items() if its == key), -1)
        there = [window for window in self._windows if window.holds(losses)]
        turn = Turn(there[0], history.promises[key].most_accurate) if there else None
        value = self._value(number, turn)
        return float(value([Proposal({}, key, {}, losses, self._rows[key])])[0])

    def _proposed(self, number: int, rng: random.Random) -> dict[str, Any]:
        """Params of a candidate that no trial has had; none where none was found."""
        history = self.history
        if "accuracy" not in self.settings.objectives:
            return self._best(rng, self._certain_value())
        turn = next_turn(self._windows, self._trained())
        if number < self.startup or len(errors_at_the_end(history)) < 2:
            return self._begun(rng, turn)
        return self._best(rng, self._value(number, turn), turn)

    def _begun(self, rng: random.Random, turn: Turn | None) -> dict[str, Any]:
        """Params of a random candidate, of the window if one is drawn; none where all were trials.

        A cheap one, or a costly one where the most accurate is asked for, in a turn or at all.
        """
        between = turn.window.params if turn else None
        costly = turn.most_accurate if turn else self._accuracy_alone
        count = COSTLIEST_OF if costly else CHEAPEST_OF
        drawn = self._new(self._proposals.drawn(rng, between=between) for _ in range(count))
        if turn is not None:
            drawn = [one for one in drawn if turn.window.holds(one.losses)] or drawn
        pick = max if costly else min
        return pick(drawn, key=self._log_seconds).params if drawn else {}

    def _log_seconds(self, proposal: Proposal) -> float:
        """Natural logarithm of the seconds that its training takes, but for a constant."""
        return log_seconds(proposal.row, self.settings.edition)

    @property
    def _accuracy_alone(self) -> bool:
        """Whether no cost is an objective, so that whatever is within the limits is as good."""
        return self.settings.objectives == ("accuracy",) and self.settings.edition > 1

    @cached_property
    def _windows(self) -> list[Window]:
        """What trials are divided over; in the first edition nothing."""
        if self.settings.edition == 1:
            return []
        pool = self._pooled()
        costs = np.array([one.losses for one in pool]).reshape(len(pool), -1)
        seconds = np.exp([self._log_seconds(one) for one in pool])
        return windows_of(self.settings, costs, seconds)

    def _trained(self) -> Iterator[tuple[Sequence[float], float]]:
        """Known losses of what was proposed, and its seconds of training but for a constant."""
        self._describe()
        for key, known in self.history.known.items():
            yield known, math.exp(log_seconds(self._rows[key]))

    def _value(self, number: int, turn: Turn | None) -> Valued:
        """Expected improvement, accuracy being what the surrogate says of it.

        In a window that of the front up to its end, or of the highest accuracy up to there.
        """
        scale = Scale.of(np.array([one.row for one in self._pooled()]))
        self._describe()
        surrogate = Surrogate(self.history, self._rows, scale)
        front = np.vstack([self._front(), self._expected(number, surrogate)])
        reference = self._reference()
        if turn is not None:
            reference[1 + turn.window.column] = turn.window.high + EDGE
            if turn.most_accurate:
                front = front[np.all(front < reference, axis=1)][:, :1]
                reference = reference[:1]
        counted = len(reference) - 1

        def value(proposals: Sequence[Proposal]) -> Floats:
            inputs = np.array([one.row for one in proposals])
            mean, std = self._predicted(surrogate, inputs)
            costs = np.array([one.losses[:counted] for one in proposals])
            costs = costs.reshape(len(proposals), counted)
            found = expected_improvement(mean, std, costs, front, reference)
            if self.per_second:
                found = found / np.exp([self._log_seconds(one) for one in proposals])
            return found

        return value

    def _predicted(self, surrogate: Surrogate, rows: Floats) -> tuple[Floats, Floats]:
        """Mean and standard deviation of accuracy's loss, [N] each."""
        if self.settings.edition == 1:
            mean, std = surrogate.predict(rows)
            return -mean, std
        return surrogate.predict_error(rows)

    def _attained(self, accuracies: Floats) -> Floats:
        """Losses [N] of accuracies."""
        axis = next(axis for axis in axes_of(self.settings) if axis.name == "accuracy")
        found: Floats = losses(accuracies.reshape(-1, 1), [axis])[:, 0]
        return found

    def _certain_value(self) -> Valued:
        """Improvement where every objective is known before training."""
        front, reference = self._front(), self._reference()

        def value(proposals: Sequence[Proposal]) -> Floats:
            costs = np.array([one.losses for one in proposals])
            certain = np.zeros(len(proposals))
            return expected_improvement(costs[:, 0], certain, costs[:, 1:], front, reference)

        return value

    def _best(self, rng: random.Random, value: Valued, turn: Turn | None = None) -> dict[str, Any]:
        """Params of the most valuable proposal that is found; none if all have been trials.

        It is in the turn's window, if there is one and something new is found in it.
        """
        window = turn.window if turn else None
        between = window.params if window else None
        drawn = [self._proposals.drawn(rng, 2, between) for _ in range(FRESH)]
        parents = self._parents(turn)
        found = self._new([*self._pooled(), *drawn, *self._mutations(parents, rng)])
        if window is not None:
            inside = [one for one in found if window.holds(one.losses)]
            found, window = (inside, window) if inside else (found, None)
        if not found:
            return {}
        values = value(found)
        for _ in range(ROUNDS):
            best = np.argsort(-values, kind="stable")[:PARENTS]
            there = {one.key for one in found}
            better = self._new(self._mutations([found[place].params for place in best], rng), there)
            if window is not None:
                better = [one for one in better if window.holds(one.losses)]
            if better:
                found += better
                values = np.concatenate([values, value(better)])
        chosen = found[int(np.argmax(values))]
        most_accurate = turn is not None and turn.most_accurate
        self.history.promises[chosen.key] = Promise(float(values.max()), most_accurate)
        return chosen.params

    def _pooled(self) -> list[Proposal]:
        """Random candidates of the space, the same for every trial."""
        if not self._pool:
            rng = random.Random(derive(self.seed, "pool"))
            self._pool = [self._proposals.drawn(rng, 1) for _ in range(POOL)]
        return self._pool

    def _mutations(
        self, parents: Sequence[Mapping[str, Any]], rng: random.Random
    ) -> list[Proposal]:
        return [
            self._proposals.mutated(rng.choice(parents), rng)
            for _ in range(MUTATIONS if parents else 0)
        ]

    def _new(self, drawn: Iterable[Proposal], there: Container[str] = ()) -> list[Proposal]:
        """Proposals within the limits that no trial has had and that aren't ``there``, once."""
        seen = self.history.known
        unique = {one.key: one for one in drawn if one.key not in seen and one.key not in there}
        return [one for one in unique.values() if self._proposals.allowed(one)]

    def _describe(self) -> None:
        """Make the features of every candidate that the history knows of."""
        for key, data in self.history.candidates.items():
            if key not in self._rows:
                self._rows[key] = self._proposals.row(Candidate.from_json(data))
        for key in self.history.known:
            if key not in self._rows:
                self._rows[key] = self._proposals.row(self._candidate(key))

    def _candidate(self, key: str) -> Candidate:
        if key in self._given:
            return self._given[key]
        params = self.history.params[key]
        return self.settings.space.sample(lambda name, _: params[name], self.settings.resolution)

    def _front(self) -> Floats:
        """Losses of what is complete, the uncertain one first."""
        history, width = self.history, len(self.settings.objectives)
        if "accuracy" not in self.settings.objectives:
            return np.array(sorted(history.known.values())).reshape(-1, width)
        _, accuracies, known = history.attained(history.rungs - 1)
        if not len(accuracies):
            return np.empty((0, width))
        return np.column_stack([self._attained(accuracies), known])

    def _expected(self, number: int, surrogate: Surrogate) -> Floats:
        """What trials that still run are expected to reach, as if it were there already."""
        history = self.history
        keys = [key for other, key in sorted(history.pending.items()) if other != number]
        if not keys:
            return np.empty((0, len(self.settings.objectives)))
        mean, _ = self._predicted(surrogate, np.array([self._rows[key] for key in keys]))
        return np.column_stack([mean, np.array([history.known[key] for key in keys])])

    def _reference(self) -> Floats:
        """The study's reference point, the uncertain loss first."""
        axes = axes_of(self.settings)
        return reference_point(sorted(axes, key=lambda axis: OBJECTIVES[axis.name].known))

    def _parents(self, turn: Turn | None = None) -> list[Mapping[str, Any]]:
        """Params of the study's front, by its complete trials; near a window, if some are there.

        Where only accuracy is asked for, the front of it and the window's cost.
        """
        history = self.history
        complete = [one for _, one in sorted(history.completed.items()) if one.params]
        if not complete:
            return []
        last = history.accuracies[-1]
        losses = np.array(
            [
                (-last[key], *history.known[key]) if key in last else history.known[key]
                for key, _ in complete
            ]
        )
        if turn is not None and turn.most_accurate:
            losses = losses[:, [0, 1 + turn.window.column]]
        front = [complete[index] for index in np.flatnonzero(front_mask(losses))]
        if turn is not None:
            window = turn.window
            near = window._replace(low=window.low - NEAR, high=window.high + NEAR)
            front = [one for one in front if near.holds(history.known[one.key])] or front
        return [one.params for one in front]


def startup_trials(begun: History) -> int:
    """Cheap random trials of a study that has begun so: none where enough candidates are known.

    Known are those with an accuracy at the last rung, measured or forecast.
    """
    last = begun.rungs - 1
    telling = [
        rung for rung in range(begun.rungs) if rung == last or begun.foretold(rung, []) is not None
    ]
    known = {key for rung in telling for key in begun.learned(rung)}
    return max(0, STARTUP_TRIALS - len(known))
