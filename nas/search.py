"""The driver's loop: asks the sampler, counts the cost, looks up or submits, stores, tells Optuna.

Every trial moves through the same steps whether it is new, resumed, over a limit or known before:
with one worker, a study killed anywhere and continued is the study that was never killed.
"""

import gc
import logging
import time
import warnings
from collections.abc import Callable, Mapping
from dataclasses import asdict, dataclass, replace
from typing import Any

import optuna
from optuna.trial import FrozenTrial, Trial, TrialState

from nas.cluster.workers import Outcome, Workers
from nas.evaluation import Evaluation, versions
from nas.objectives import OBJECTIVES, Known, known_losses, known_of
from nas.progress import Progress, Tracker
from nas.rungs.history import History, by_rung
from nas.rungs.promotion import PROMOTIONS
from nas.samplers import seeded
from nas.settings import PLACE_OF_IMAGES, Request, Settings, differences
from search_space import catalog
from search_space.architecture import Candidate
from search_space.cost import cost
from search_space.expand import expand
from search_space.limits import over
from search_space.words import describe
from studies.earlier import find_earlier, load_earlier
from studies.results import Results, collect
from studies.store import Store, StoreError

POLL_SECONDS = 0.5


@dataclass(frozen=True)
class Until:
    """When a run ends: the number of trials that the study should have, and seconds from now.

    After ``seconds`` no new trial is begun; those that run, and those that an earlier run left, are
    finished. So many ``failures`` in a row end it with FailingError.
    """

    trials: int
    seconds: float | None = None
    failures: int | None = None


class FailingError(RuntimeError):
    """No evaluation goes well any more, or none is possible, which going on would not mend."""


def check_study(store: Store, name: str, settings: Settings) -> bool:
    """Whether there is a study of that name; StoreError if it is about something else.

    ValueError where its sampler can't search it.
    """
    seeded(settings)
    if name not in store.study_names():
        if store.exists() and store.has_foreign_study(name):
            raise StoreError(
                f"study {name!r} in {store.shown} was not made by this tool; give another --study"
            )
        return False
    known = store.study(name)
    # What an earlier version stored, in this version's words.
    stored = Settings.from_json(known["settings"])
    if "warm_start" not in known["settings"]:  # then it began cold, whatever is asked for now
        settings = replace(settings, warm_start=False)
    differing = differences(stored.moved(settings).to_json(), settings.to_json())
    now = {name: versions().get(name) for name in known["versions"]}
    differing += differences(known["versions"], now, "version of ")
    if differing:
        raise StoreError(
            f"study {name!r} was made with other settings: {'; '.join(differing)}; "
            "run with the study's settings, or give another --study"
        )
    return True


def images_moved(store: Store, name: str, settings: Settings) -> bool:
    """Whether the images of a study, the same ones, are elsewhere now than when it was begun."""
    stored = Settings.from_json(store.study(name)["settings"])
    return stored.moved(settings) != stored


def remember_images(store: Store, name: str, settings: Settings) -> None:
    """Keep where the images of a study are now, where they were moved since it was begun."""
    if images_moved(store, name, settings):
        now = settings.to_json()
        known = store.study(name)["settings"]
        store.update_settings(name, known | {spec: now[spec] for spec in PLACE_OF_IMAGES})


def open_study(store: Store, name: str, settings: Settings) -> optuna.Study:
    """The study of that name, made if it isn't there; StoreError if it is about something else.

    What a new one learns from earlier ones is kept with it, so that it continues as it began.
    """
    optuna.logging.set_verbosity(logging.ERROR)
    axes = tuple(OBJECTIVES[objective].axis for objective in settings.objectives)
    begun = check_study(store, name, settings)
    if begun:
        remember_images(store, name, settings)
        earlier = load_earlier(store, name)
    else:
        earlier = find_earlier(store, settings.to_json()) if settings.warm_start else []
    sampler = seeded(settings, earlier)
    if not begun:
        store.add_study(name, settings.to_json(), axes, versions(), earlier)
    with store.guard():
        study = optuna.create_study(
            study_name=name,
            storage=store.driver_storage(),
            sampler=sampler,
            pruner=optuna.pruners.NopPruner(),
            directions=["maximize" if axis.maximize else "minimize" for axis in axes],
            load_if_exists=True,
        )
        with warnings.catch_warnings():
            # experimental since Optuna 3.2; the dashboard shows these names
            warnings.simplefilter("ignore", optuna.exceptions.ExperimentalWarning)
            study.set_metric_names([axis.name for axis in axes])
    return study


def search(
    settings: Settings,
    store: Store,
    study: optuna.Study,
    until: Until,
    workers: Workers,
    directory: str,
    report: Callable[[Progress], None],
    check: Callable[[], None] = lambda: None,
) -> Results:
    """Bring ``study`` to ``until``; ``report`` hears of every trial that ends.

    Trials that an earlier run began and did not finish come first, under their own numbers.
    ``directory`` is where the images lie; ``check`` is called often and may raise, to stop.
    StoreError where the storage fails, FailingError where trials do.
    """
    gc.freeze()  # what is imported: to look through all of it again and again takes long
    try:
        with store.guard():
            return _Run(settings, store, study, until, workers, directory, report).loop(check)
    finally:
        gc.unfreeze()


@dataclass
class _Begun:
    """A trial on its way through the rungs: the one that it is at, and its seconds so far."""

    trial: Trial
    candidate: Candidate
    known: Known
    losses: tuple[float, ...]
    rung: int = 0
    seconds: float = 0.0


class _Run:
    def __init__(
        self,
        settings: Settings,
        store: Store,
        study: optuna.Study,
        until: Until,
        workers: Workers,
        directory: str,
        report: Callable[[Progress], None],
    ) -> None:
        self.settings, self.store, self.study = settings, store, study
        self.until, self.workers, self.directory, self.report = until, workers, directory, report
        trials = study.get_trials(deepcopy=False)
        self.unfinished = [trial for trial in trials if trial.state == TrialState.RUNNING]
        self.begun = len(trials)
        self.axes = tuple(OBJECTIVES[name].axis for name in settings.objectives)
        done = collect(study.study_name, self.axes, trials)
        self.tracker = Tracker(done, until.trials)
        self.awaited: dict[Request, list[_Begun]] = {}
        self.latencies: dict[str, float] = {
            trial.user_attrs["key"]: trial.user_attrs["latency"]
            for trial in trials
            if "latency" in trial.user_attrs
        }
        known = load_earlier(store, study.study_name) if settings.warm_start else []
        earlier = by_rung(known, settings.budgets)
        self.history = History(len(settings.budgets), earlier=earlier)
        for trial in trials:
            self._remember(trial)
        self.started = time.monotonic()
        self.failures = 0

    def loop(self, check: Callable[[], None]) -> Results:
        self.report(self.tracker.progress())
        while True:
            while len(self.awaited) < self.workers.slots and self._left():
                self._begin(self._next_trial())
            self.store.flush()
            if not self.awaited:
                break
            self.workers.want(self._left())
            if outcome := self.workers.next(POLL_SECONDS):
                self._ended(outcome)
            if self.tracker.on(self.workers.words()):
                self.report(self.tracker.progress())
            check()
        return collect(self.study.study_name, self.axes, self.study.get_trials(deepcopy=False))

    def _left(self) -> int:
        """Trials that could begin now: those that were begun before, and new ones."""
        late = self.until.seconds is not None
        if late and time.monotonic() - self.started >= (self.until.seconds or 0):
            return len(self.unfinished)
        return len(self.unfinished) + max(0, self.until.trials - self.begun)

    def _next_trial(self) -> Trial:
        if self.unfinished:
            return Trial(self.study, self.unfinished.pop(0)._trial_id)
        self.begun += 1
        return self.study.ask()

    def _begin(self, trial: Trial) -> None:
        """Parameters, candidate, cost; then the end of the trial, or its evaluation awaited."""
        settings = self.settings
        candidate = self._candidate(trial)
        total = cost(
            candidate.architecture, settings.resolution, settings.channels, settings.classes
        )
        text = describe(candidate)
        self.store.add_candidate(candidate.key, candidate.to_json(), text)
        known = known_of(total)
        for name, value in {"architecture": text, "key": candidate.key, **known}.items():
            trial.set_user_attr(name, value)
        limits = settings.limits()
        free = {name: limit for name, limit in limits.items() if name in known}
        if self._over(trial, over(known, free)):
            return
        if "latency" in settings.objectives or "latency" in limits:
            known["latency"] = self._latency(trial, candidate)
            if self._over(trial, over(known, limits)):
                return
        begun = _Begun(trial, candidate, known, known_losses(settings.objectives, known))
        if all(OBJECTIVES[name].known for name in settings.objectives):
            self._complete(begun, None)
        else:
            self._enter(begun)

    def _enter(self, begun: _Begun) -> None:
        """Evaluate the trial's candidate at its rung, or look that up, or wait for who does."""
        request = self.settings.request(begun.candidate, self.directory, begun.rung)
        if request in self.awaited:
            self.awaited[request].append(begun)
        elif stored := self.store.evaluation(request.identity()):
            self._evaluated(begun, stored)
        else:
            self.awaited[request] = [begun]
            self.workers.submit(request)

    def _evaluated(self, begun: _Begun, evaluation: Mapping[str, Any]) -> None:
        """On to the next rung, or the trial's end; a run that diverged has no accuracy."""
        if evaluation["failure"]:
            self._fail(begun.trial, evaluation["failure"])
            return
        settings, trial, key = self.settings, begun.trial, begun.candidate.key
        accuracy = float(evaluation["accuracy"])
        begun.seconds += evaluation["seconds"]
        self.history.add(key, begun.losses, begun.rung, accuracy)
        reached = [*trial.user_attrs.get("rungs", [])[: begun.rung], accuracy]
        trial.set_user_attr("rungs", reached)
        if begun.rung == len(settings.budgets) - 1:
            self._complete(begun, evaluation)
            return
        rule = PROMOTIONS[settings.promotion]
        decision = rule.decide(self.history, key, begun.rung, settings.eta)
        if decision.go:
            begun.rung += 1
            self._enter(begun)
        else:
            trial.set_user_attr("seconds", begun.seconds)
            images = f"{settings.budgets[begun.rung]:,} images"
            trial.set_user_attr("stopped", f"at {images}: {decision.reason}")
            self._tell(trial, TrialState.PRUNED)

    def _remember(self, trial: FrozenTrial) -> None:
        """Take the rungs of a trial that has ended into what is known."""
        known = trial.user_attrs
        if not trial.state.is_finished() or "rungs" not in known:
            return
        before = known_losses(self.settings.objectives, known)
        for rung, accuracy in enumerate(known["rungs"]):
            self.history.add(known["key"], before, rung, accuracy)

    def _candidate(self, trial: Trial) -> Candidate:
        """The first trials are the catalog's, the others the sampler's."""
        settings = self.settings
        if trial.number < len(settings.start_from):
            name = settings.start_from[trial.number]
            trial.set_user_attr("catalog", name)
            return catalog.candidate(name)
        return settings.space.sample(trial.suggest_categorical, settings.resolution)

    def _over(self, trial: Trial, excess: Mapping[str, float]) -> bool:
        """Write down by how much limits are exceeded; whether that has ended the trial."""
        for name, value in excess.items():
            if name not in trial.constraints:
                trial.set_constraint(name, value)
        if any(value > 0 for value in excess.values()):
            self._tell(trial, TrialState.PRUNED)
            return True
        return False

    def _latency(self, trial: Trial, candidate: Candidate) -> float:
        """Seconds of one image: measured once for equal candidates, and kept with the trial."""
        if candidate.key not in self.latencies:
            from nas.latency import measure_latency

            graph = expand(candidate.architecture, self.settings.channels, self.settings.classes)
            self.latencies[candidate.key] = measure_latency(graph, self.settings.image).median
        trial.set_user_attr("latency", self.latencies[candidate.key])
        return self.latencies[candidate.key]

    def _ended(self, outcome: Outcome) -> None:
        request, result, lost = outcome
        evaluation = asdict(result) if isinstance(result, Evaluation) else None
        if evaluation is not None:
            self.store.add_evaluation(request.identity(), evaluation)
            self.tracker.trained(request.budget)
        waiting = self.awaited.pop(request)
        if lost:  # over what the first of them asked for
            known = waiting[0].trial.user_attrs.get("lost_workers", [])
            waiting[0].trial.set_user_attr("lost_workers", [*known, *lost])
        for begun in waiting:
            if evaluation is not None:
                self._evaluated(begun, evaluation)
            else:
                self._fail(begun.trial, str(result))
        failure = result.failure if isinstance(result, Evaluation) else result
        self.failures = self.failures + 1 if failure else 0
        if self.failures and self.failures == self.until.failures:
            row = f"{self.failures} evaluations in a row failed, the last for this"
            one = "an evaluation failed, for this"
            raise FailingError(f"{row if self.failures > 1 else one}: {failure}")

    def _complete(self, begun: _Begun, evaluation: Mapping[str, Any] | None) -> None:
        """Tell the objectives' values, accuracy as at the last rung."""
        begun.trial.set_user_attr("seconds", begun.seconds)
        values = [
            OBJECTIVES[name].value(begun.known, evaluation) for name in self.settings.objectives
        ]
        self._tell(begun.trial, TrialState.COMPLETE, values)

    def _fail(self, trial: Trial, reason: str) -> None:
        trial.set_user_attr("failure", reason[:500])
        self._tell(trial, TrialState.FAIL)

    def _tell(self, trial: Trial, state: TrialState, values: list[float] | None = None) -> None:
        told = self.study.tell(trial, values, state)
        self.tracker.ended(told)
        self.report(self.tracker.progress())
