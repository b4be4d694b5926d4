"""The driver's loop: asks the sampler, counts the cost, looks up or submits, stores, tells Optuna.

Every trial moves through the same steps whether it is new, resumed, over a limit or known before:
with one worker, a study killed anywhere and continued is the study that was never killed.
"""

import gc
import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any

from optuna.trial import Trial, TrialState

from nas.objectives import OBJECTIVES, known_losses, known_of
from nas.rungs.history import Completed, Promise, Size
from nas.rungs.names import PROMOTIONS
from nas.rungs.repeats import Training, next_repeat
from nas.sampling.one_by_one import OneByOne
from nas.settings import Request
from nas.study.opened import OpenStudy
from nas.study.tracker import Progress, Tracker
from nas.study.until import Until
from nas.workers.protocol import Outcome, Workers
from search_space import catalog
from search_space.architecture import Candidate
from search_space.expand import expand
from search_space.limits import over
from search_space.words import describe
from studies.evaluation import Evaluation
from studies.kept import Kept, keep
from studies.results import Results, of_trials, trial_from

POLL_SECONDS = 0.5


class FailingError(RuntimeError):
    """No evaluation goes well any more, or none is possible, which going on would not mend."""


def search(
    opened: OpenStudy,
    until: Until,
    workers: Workers,
    report: Callable[[Progress], None],
    check: Callable[[], None] = lambda: None,
    directory: str = "",
) -> Results:
    """Bring a study to ``until``; ``report`` hears of every trial that ends.

    Trials that an earlier run began and did not finish come first, under their own numbers.
    ``directory`` is where the images lie; ``check`` is called often and may raise, to stop.
    StoreError where the storage fails, FailingError where trials do.
    """
    gc.freeze()  # what is imported: to look through all of it again and again takes long
    try:
        with opened.store.guard():
            return _Loop(opened, until, workers, directory, report).run(check)
    finally:
        gc.unfreeze()


@dataclass
class _Begun:
    """A trial on its way through the rungs: its record so far, and the rung that it is at.

    ``params`` are those that it was asked for, ``losses`` those known before training.
    """

    trial: Trial
    kept: Kept
    candidate: Candidate
    params: Mapping[str, Any]
    losses: tuple[float, ...] = ()
    rung: int = 0
    seconds: float = 0.0


class _Loop:
    def __init__(
        self,
        opened: OpenStudy,
        until: Until,
        workers: Workers,
        directory: str,
        report: Callable[[Progress], None],
    ) -> None:
        self.opened, self.settings, self.store = opened, opened.settings, opened.store
        self.history, self.study = opened.history, opened.study
        self.until, self.workers, self.directory, self.report = until, workers, directory, report
        self.unfinished = [trial for trial in opened.trials if trial.state == "running"]
        self.begun = sum(trial.state != "waiting" for trial in opened.trials)
        self.training = Training()
        for trial in opened.trials:
            self.training.remember(trial, self.settings.budgets)
        done = of_trials(self.study.study_name, opened.axes, opened.trials)
        self.tracker = Tracker(done, until.trials)
        self.awaited: dict[Request, list[_Begun]] = {}
        self.latencies: dict[str, float] = {
            trial.key: trial.kept.latency
            for trial in opened.trials
            if trial.kept.latency is not None
        }
        self.started = time.monotonic()
        self.failures = 0

    def run(self, check: Callable[[], None]) -> Results:
        self.report(self.tracker.progress())
        while True:
            while len(self.awaited) < self.workers.slots and self._left():
                self._begin(*self._next_trial())
            self.store.flush()
            if not self.awaited:
                break
            self.workers.want(self._left())
            if outcome := self.workers.next(POLL_SECONDS):
                self._ended(outcome)
            if self.tracker.on(self.workers.words()):
                self.report(self.tracker.progress())
            check()
        return self.opened.results()

    def _left(self) -> int:
        """Trials that could begin now: those that were begun before, and new ones."""
        late = self.until.seconds is not None
        if late and time.monotonic() - self.started >= (self.until.seconds or 0):
            return len(self.unfinished)
        return len(self.unfinished) + max(0, self.until.trials - self.begun)

    def _next_trial(self) -> tuple[Trial, Kept]:
        """A trial and its record so far: one that was begun before, or a new one."""
        if self.unfinished:
            before = self.unfinished.pop(0)
            self._recall(before.number, before.kept)
            return self.opened.unfinished(before.number), before.kept
        self.begun += 1
        if self.training.repeated < self.settings.repeats * self.training.whole:
            self._repeat()
        trial = self.study.ask()
        return trial, Kept.from_attributes(trial.user_attrs)

    def _recall(self, number: int, kept: Kept) -> None:
        """Have what was expected of a trial's candidate known again, that an earlier run began."""
        if kept.promised is not None:
            self.history.promises[kept.key] = Promise(kept.promised, kept.most_accurate)
        elif not kept.key and not kept.repeat and number >= len(self.settings.start_from):
            sampler = self.study.sampler
            if isinstance(sampler, OneByOne):
                sampler.recall(number)

    def _repeat(self) -> None:
        """Have the next trial be one more training of a candidate, where its place is undecided."""
        if self.study.get_trials(deepcopy=False, states=(TrialState.WAITING,)):
            return  # one that is asked for already, by an earlier run that was killed just then
        again = next_repeat(self.opened.results(), self.training.of)
        if again is None:
            return
        names = {catalog.candidate(name).key: name for name in self.settings.start_from}
        about = {"repeat": self.training.of.get(again.key, 1), "key": again.key}
        if again.key in names:
            about["catalog"] = names[again.key]
        self.study.enqueue_trial(dict(self.history.params[again.key]), user_attrs=about)

    def _begin(self, trial: Trial, kept: Kept) -> None:
        """Ask for params, count the cost; then end the trial, or await its evaluation."""
        settings = self.settings
        candidate, params, name = self._candidate(trial, kept)
        total = settings.cost(candidate)
        text = describe(candidate)
        self.store.add_candidate(candidate.key, candidate.to_json(), text)
        known = known_of(total)
        given: dict[str, Any] = {} if name is None else {"catalog": name}
        promise = self.history.promises.get(candidate.key)
        if promise and settings.promotion == "improvement" and not kept.repeat:
            given |= {"promised": promise.improvement, "most_accurate": promise.most_accurate}
        kept = keep(trial, kept, **given, architecture=text, key=candidate.key, **known)
        begun = _Begun(trial, kept, candidate, params)
        self.training.begin(kept)
        if kept.repeat:
            begun.rung = len(settings.budgets) - 1
            self.training.add(kept, settings.budgets[-1])
        timed = "latency" in settings.objectives
        if not timed:
            self._know(begun, known)
        limits = settings.limits()
        if self._over(begun, over(known, settings.free_limits())):
            return
        if timed or "latency" in limits:
            known["latency"] = self._latency(begun)
            if timed:
                self._know(begun, known)
            if self._over(begun, over(known, limits)):
                return
        if all(OBJECTIVES[name].known for name in settings.objectives):
            self._complete(begun, None)
        else:
            self._enter(begun)

    def _know(self, begun: _Begun, known: Mapping[str, float]) -> None:
        """Let the sampler know of a candidate as soon as its costs are."""
        begun.losses = known_losses(self.settings.objectives, known)
        key = begun.candidate.key
        size = Size.of(known["params"], known["flops"])
        self.history.know(key, begun.losses, begun.params, size)
        self.history.pending[begun.trial.number] = key

    def _enter(self, begun: _Begun) -> None:
        """Have the candidate evaluated at its rung, unless that is stored or already awaited."""
        request = self.settings.request(
            begun.candidate, self.directory, begun.rung, begun.kept.repeat
        )
        if request in self.awaited:
            self.awaited[request].append(begun)
        elif stored := self.store.evaluation(request.identity()):
            self._evaluated(begun, stored)
        else:
            self.awaited[request] = [begun]
            self.workers.submit(request)

    def _evaluated(self, begun: _Begun, evaluation: Evaluation) -> None:
        """Take an evaluation in: promote the trial to its next rung, or end it."""
        begun.seconds += evaluation.seconds
        if evaluation.accuracy is None:
            self._fail(begun, evaluation.failure or "it has no accuracy")
            return
        settings, key = self.settings, begun.candidate.key
        if begun.kept.repeat:
            self.history.repeat(key, begun.kept.repeat, evaluation.accuracy)
            self._complete(begun, evaluation)
            return
        self.training.add(begun.kept, settings.budgets[begun.rung])
        self.history.add(key, begun.losses, begun.rung, evaluation.accuracy)
        reached = (*begun.kept.rungs[: begun.rung], evaluation.accuracy)
        begun.kept = keep(begun.trial, begun.kept, rungs=reached)
        if begun.rung == len(settings.budgets) - 1:
            self._complete(begun, evaluation)
            return
        rule = PROMOTIONS[settings.promotion]
        decision = rule.decide(self.history, key, begun.rung, settings.eta)
        if decision.go:
            begun.rung += 1
            self._enter(begun)
        else:
            images = f"{settings.budgets[begun.rung]:,} images"
            reason = f"at {images}: {decision.reason}"
            keep(begun.trial, begun.kept, seconds=begun.seconds, stopped=reason)
            self._tell(begun, TrialState.PRUNED)

    def _candidate(
        self, trial: Trial, kept: Kept
    ) -> tuple[Candidate, Mapping[str, Any], str | None]:
        """A trial's candidate with its params, and its name if it is one of the catalog.

        The first trials are the catalog's, the others the sampler's, or repeat one of either.
        """
        settings = self.settings
        starts = settings.start_from
        name = starts[trial.number] if trial.number < len(starts) else None
        if kept.repeat:
            name = kept.catalog
        if name is not None:
            return catalog.candidate(name), {}, name
        params: dict[str, Any] = {}

        def choose(name: str, options: Any) -> Any:
            params[name] = trial.suggest_categorical(name, options)
            return params[name]

        return settings.space.sample(choose, settings.resolution), params, None

    def _over(self, begun: _Begun, excess: Mapping[str, float]) -> bool:
        """Write down by how much limits are exceeded; whether that has ended the trial."""
        for name, value in excess.items():
            if name not in begun.trial.constraints:
                begun.trial.set_constraint(name, value)
        if any(value > 0 for value in excess.values()):
            self._tell(begun, TrialState.PRUNED)
            return True
        return False

    def _latency(self, begun: _Begun) -> float:
        """Seconds of one image: measured once for equal candidates, and kept with the trial."""
        key = begun.candidate.key
        if key not in self.latencies:
            from nas.short_run.latency import measure_latency

            settings = self.settings
            graph = expand(begun.candidate.architecture, settings.channels, settings.classes)
            self.latencies[key] = measure_latency(graph, settings.image).median
        begun.kept = keep(begun.trial, begun.kept, latency=self.latencies[key])
        return self.latencies[key]

    def _ended(self, outcome: Outcome) -> None:
        """Store an evaluation, and go on with every trial that waits for it."""
        request, result, lost = outcome
        if isinstance(result, Evaluation):
            self.store.add_evaluation(request.identity(), result)
            self.tracker.trained(request.budget)
        waiting = self.awaited.pop(request)
        if lost:  # over what the first of them asked for
            first = waiting[0]
            first.kept = keep(
                first.trial, first.kept, lost_workers=(*first.kept.lost_workers, *lost)
            )
        for begun in waiting:
            if isinstance(result, Evaluation):
                self._evaluated(begun, result)
            else:
                self._fail(begun, result)
        failure = result.failure if isinstance(result, Evaluation) else result
        self.failures = self.failures + 1 if failure else 0
        if self.failures and self.failures == self.until.failures:
            row = f"{self.failures} evaluations in a row failed, the last for this"
            one = "an evaluation failed, for this"
            raise FailingError(f"{row if self.failures > 1 else one}: {failure}")

    def _complete(self, begun: _Begun, evaluation: Evaluation | None) -> None:
        """Tell the objectives' values, accuracy as at the last rung."""
        begun.kept = keep(begun.trial, begun.kept, seconds=begun.seconds)
        costs = begun.kept.costs
        values = [OBJECTIVES[name].value(costs, evaluation) for name in self.settings.objectives]
        self._tell(begun, TrialState.COMPLETE, values)
        self.training.ended.add(begun.candidate.key)
        if not begun.kept.repeat:
            self.history.completed[begun.trial.number] = Completed(
                begun.candidate.key, begun.params
            )

    def _fail(self, begun: _Begun, reason: str) -> None:
        spent = {"seconds": begun.seconds} if begun.seconds else {}
        keep(begun.trial, begun.kept, **spent, failure=reason[:500])
        self._tell(begun, TrialState.FAIL)

    def _tell(self, begun: _Begun, state: TrialState, values: list[float] | None = None) -> None:
        """End a trial, for Optuna, the sampler and whoever looks on."""
        self.history.pending.pop(begun.trial.number, None)
        told = self.study.tell(begun.trial, values, state)
        self.tracker.ended(trial_from(told))
        self.report(self.tracker.progress())
