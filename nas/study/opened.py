"""A study as the driver's loop has it: opened once, read once, and handed on."""

import logging
import warnings
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

import optuna
from optuna.trial import Trial as OptunaTrial

from nas.axes import axes_of, floor_of
from nas.objectives import known_losses
from nas.rungs.history import Completed, History, Size
from nas.sampling.samplers import seeded
from nas.settings import Settings
from nas.short_run.evaluation import versions
from nas.study.stored import StoredStudy, check_same, read_study, remember_images
from search_space.architecture import Candidate
from studies.earlier import find_earlier, load_earlier
from studies.evaluation import REPLAYED, Earlier
from studies.results import Results, of_trials, trial_from
from studies.store import Store
from studies.trials import Trial


def remember(history: History, settings: Settings, trial: Trial, params: Mapping[str, Any]) -> None:
    """Take a trial that has ended, with its ``params``, into what is known."""
    kept = trial.kept
    if not kept.key or kept.flops is None:
        return
    if "latency" in settings.objectives and kept.latency is None:
        return  # over a limit before that was measured
    losses = known_losses(settings.objectives, kept.costs)
    size = Size.of(kept.costs["params"], kept.costs["flops"])
    history.know(kept.key, losses, params, size)
    if kept.repeat:
        if trial.values:
            history.repeat(
                kept.key, kept.repeat, trial.values[settings.objectives.index("accuracy")]
            )
        return
    for rung, accuracy in enumerate(kept.rungs):
        history.add(kept.key, losses, rung, accuracy)
    if trial.values:
        history.completed[trial.number] = Completed(kept.key, params)


@dataclass
class OpenStudy:
    """A study, its database, and what was known of it as it was opened.

    ``history`` is shared with the sampler of ``study``, and takes in here what ``trials``, those
    that were there, have told; ``storage`` is Optuna's, where the study is in a database.
    """

    settings: Settings
    store: Store
    study: optuna.Study
    history: History
    storage: optuna.storages.BaseStorage | None = None
    trials: list[Trial] = field(init=False)

    def __post_init__(self) -> None:
        self.axes = axes_of(self.settings)
        found = self.study.get_trials(deepcopy=False)
        self.trials = [trial_from(trial) for trial in found]
        for trial, params in zip(self.trials, (one.params for one in found), strict=True):
            if trial.state not in ("running", "waiting"):
                remember(self.history, self.settings, trial, params)

    def results(self) -> Results:
        """Its trials as they are now."""
        found = map(trial_from, self.study.get_trials(deepcopy=False))
        replayed = self.settings.data.startswith(REPLAYED)
        return of_trials(self.study.study_name, self.axes, list(found), replayed)

    def unfinished(self, number: int) -> OptunaTrial:
        """A trial that an earlier run began and did not end, to be gone on with."""
        assert self.storage is not None, "a study in memory has no earlier run"
        of = self.storage.get_study_id_from_name(self.study.study_name)
        trial_id = self.storage.get_trial_id_from_study_id_trial_number(of, number)
        return OptunaTrial(self.study, trial_id)


def begun(settings: Settings, earlier: Sequence[Earlier]) -> History:
    """What a study knows that begins, if that is what earlier ones measured."""
    history = History.after(earlier, settings.budgets)
    if settings.edition == 1:
        return history
    history.at_cost = True
    if "accuracy" in settings.objectives:
        history.floor = floor_of(settings)
    for key, data in history.candidates.items():
        total = settings.cost(Candidate.from_json(data))
        history.sizes[key] = Size.of(total.params, total.flops)
    return history


def open_study(
    store: Store, name: str, settings: Settings, stored: StoredStudy | None = None
) -> OpenStudy:
    """The study of that name, made if it isn't there; StoreError if it is about something else.

    ``stored`` is its row where that was read before. What a new one learns from earlier ones is
    kept with it, so that it continues as it began.
    """
    optuna.logging.set_verbosity(logging.ERROR)
    stored = stored or read_study(store, name)
    if stored is not None:
        check_same(stored, settings)
        remember_images(store, stored, settings)
        earlier = load_earlier(store, name)
    else:
        earlier = find_earlier(store, settings.to_json()) if settings.warm_start else []
    history = begun(settings, earlier)
    sampler = seeded(settings, history)
    axes = axes_of(settings)
    if stored is None:
        store.add_study(name, settings.to_json(), axes, versions(), earlier)
    with store.guard():
        storage = store.driver_storage()
        study = optuna.create_study(
            study_name=name,
            storage=storage,
            sampler=sampler,
            pruner=optuna.pruners.NopPruner(),
            directions=["maximize" if axis.maximize else "minimize" for axis in axes],
            load_if_exists=True,
        )
        with warnings.catch_warnings():
            # experimental since Optuna 3.2; the dashboard shows these names
            warnings.simplefilter("ignore", optuna.exceptions.ExperimentalWarning)
            study.set_metric_names([axis.name for axis in axes])
        return OpenStudy(settings, store, study, history, storage)
