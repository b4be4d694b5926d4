"""run_study(): what `nas run` does, from Python, and StudyResult: what it has found."""

import contextlib
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

from nas.api.model import TrainedModel
from nas.api.network import Network, network
from nas.api.training import train
from nas.datasets import Found
from nas.defaults import DEFAULT_STORAGE, DEFAULT_STUDY
from nas.interrupt import Interrupted
from nas.settings import Settings, check_study_name
from nas.study.run import bring
from nas.study.stored import read_study
from nas.study.until import MAX_FAILURES, Until
from nas.subjects import best_of
from nas.workers.place import CLUSTER_SECONDS, Place
from search_space.architecture import Candidate
from studies.best import Best, best_up_to
from studies.interval import Estimates
from studies.results import Results
from studies.store import open_store

if TYPE_CHECKING:
    import optuna
    import plotly.graph_objects as go

    from nas.workers.place import Address
    from studies.trials import Trial


@dataclass(frozen=True)
class StudyResult:
    """What a study has found: its trials and their Pareto front, and the database that has all."""

    name: str
    storage: str
    results: Results

    @property
    def front(self) -> list[dict[str, Any]]:
        """The Pareto front, cheapest first: a dictionary a member, for ``pandas.DataFrame``.

        Of each its trial's number, its objectives (accuracy is 0..1), its parameters and FLOPs
        (2 x multiply-adds), its key, and its architecture in words.
        """
        axes = self.results.axes
        return [
            {"trial": member.number}
            | {a.name: a.number(value) for a, value in zip(axes, member.values, strict=True)}
            | {"params": member.params, "flops": member.flops}
            | {"key": member.key, "architecture": member.text}
            for member in self.results.front()
        ]

    @property
    def trials(self) -> list[dict[str, Any]]:
        """All trials in order: a dictionary each, for ``pandas.DataFrame``.

        ``state`` is complete, pruned (stopped early, or over a limit), fail or running. Objectives
        of a trial that didn't complete are None where they aren't known before training; ``rungs``
        has the accuracy at each rung that it has been at. ``repeat`` is 0, or counts the trainings
        of its candidate before this one; ``seconds`` are what its evaluations took; ``stopped`` and
        ``failure`` say why it was.
        """
        from studies.trials import load_trials

        with contextlib.closing(open_store(self.storage)) as store:
            return [self._row(trial) for trial in load_trials(store, self.name)]

    def _row(self, trial: "Trial") -> dict[str, Any]:
        kept = trial.kept
        values: dict[str, Any] = {}
        for place, axis in enumerate(self.results.axes):
            known = kept.costs.get(axis.name)
            value = trial.values[place] if place < len(trial.values) else known
            values[axis.name] = None if value is None else axis.number(value)
        return (
            {"trial": trial.number, "state": trial.state}
            | values
            | {"params": kept.params, "flops": kept.flops, "rungs": list(kept.rungs)}
            | {"repeat": kept.repeat, "seconds": kept.seconds, "stopped": kept.stopped}
            | {"failure": kept.failure, "key": kept.key, "architecture": kept.architecture}
        )

    def best(
        self,
        *,
        params: int | None = None,
        flops: int | None = None,
        activation_bytes: int | None = None,
        flash_bytes: int | None = None,
        arena_bytes: int | None = None,
        cycles: int | None = None,
    ) -> dict[str, Any]:
        """The most accurate network within limits of its cost, as far as accuracies are known.

        A dictionary with its ``trial``, its measured ``accuracy`` (0..1), ``low`` to ``high``,
        which hold 95 % where the noise is known, ``params`` and ``flops``. Bytes of flash and of
        memory, and cycles, are known in studies that asked for them. ValueError where no completed
        trial is within the limits, or accuracy is no objective.
        """
        limits = {
            "params": params,
            "flops": flops,
            "activation_bytes": activation_bytes,
            "flash_bytes": flash_bytes,
            "arena_bytes": arena_bytes,
            "cycles": cycles,
        }
        within = {name: limit for name, limit in limits.items() if limit is not None}
        found = best_of(self.results, within)
        row = self._best(Best("params", found.params, found, Estimates(self.results).of(found)))
        return row | {"params": found.params, "flops": found.flops}

    def best_up_to(self, cost: str = "params", sizes: Sequence[int] = ()) -> list[dict[str, Any]]:
        """The most accurate network up to each size of a cost, a dictionary each.

        ``cost`` is params, flops, activation_bytes, or flash_bytes, arena_bytes or cycles where the
        study asked for them; ``sizes`` in its unit, by default from 3,000 to 1,000,000 parameters
        and the like. ``accuracy`` is as measured, ``low`` to ``high`` hold 95 %, where the noise is
        known; ``useful`` says whether it beats the study's reference.
        """
        rows = best_up_to(self.results, Estimates(self.results), cost, sizes)
        return [{"up_to": one.limit, "useful": one.useful} | self._best(one) for one in rows]

    def _best(self, one: Best) -> dict[str, Any]:
        known = one.estimate
        return (
            {"trial": one.result.number if one.result else None}
            | {"accuracy": one.accuracy(self.results)}
            | ({"low": known.low, "high": known.high} if known else {})
        )

    @property
    def states(self) -> dict[str, int]:
        """How many trials are in which state."""
        return dict(self.results.states)

    @property
    def failures(self) -> dict[str, int]:
        """Why trials failed, and how many did for each reason."""
        return dict(self.results.failures)

    @property
    def hypervolume(self) -> float:
        """Hypervolume of the front over log error and log cost, against the study's reference.

        More is better; 0 where no network is of use.
        """
        return self.results.hypervolume()

    @property
    def study(self) -> "optuna.Study":
        """The study as Optuna has it, read from the database anew."""
        import optuna

        return optuna.load_study(study_name=self.name, storage=open_store(self.storage).storage())

    def plot(self) -> "go.Figure":
        """The front as a Plotly figure: a view for each pair of objectives."""
        from studies.plots import pareto_figure

        title = f"Pareto front of {self.name}"
        return pareto_figure(self.results.points(), self.results.axes, title)

    def report(self, path: str | Path) -> Path:
        """Write one page that explains the study, as `nas report` does; where it is.

        ValueError where it can't be written.
        """
        from nas.reporting.report import write_report

        with contextlib.closing(open_store(self.storage)) as store:
            write_report(store, self.name, Path(path))
        return Path(path)

    def network(self, trial: int) -> Network:
        """The network of a trial, untrained: its cost, drawing, source, torch module."""
        return network(trial, study=self.name, storage=self.storage)

    def candidate(self, trial: int) -> Candidate:
        """The candidate of a trial; ValueError where there is no such trial."""
        found = self.network(trial).candidate
        assert found is not None, "a trial is of a candidate"
        return found

    def train(self, trial: int, **options: Any) -> TrainedModel:
        """Train the network of a trial to the end, and test it once: `nas.train`, which see."""
        return train(trial, study=self.name, storage=self.storage, **options)

    def _repr_html_(self) -> str:
        """The best network up to each size, and the front, in a notebook."""
        from nas.reporting.front import best_rows, front_rows
        from nas.reporting.tables import tables_html
        from studies.wording import REPLAY_WORDS

        known = Estimates(self.results)
        tables = [front_rows(self.results, known)]
        if best := best_up_to(self.results, known):
            tables.insert(0, best_rows(self.results, best))
        said = f"<p>{REPLAY_WORDS}</p>\n" if self.results.replayed else ""
        return said + tables_html(tables)


def run_study(
    settings: Settings | None = None,
    *,
    trials: int = 200,
    study: str = DEFAULT_STUDY,
    storage: str = DEFAULT_STORAGE,
    timeout: float | None = None,
    max_failures: int = MAX_FAILURES,
    workers: int | None = None,
    memory_limit: int | None = None,
    gpus_per_trial: float | None = None,
    cluster: "Address | None" = None,
    cluster_timeout: float = CLUSTER_SECONDS,
    replay: str | Path | None = None,
    images: Found | str | Path | None = None,
    precision: str = "auto",
    progress: bool = True,
) -> StudyResult:
    """Bring a study to so many trials in all: make it, continue it, or read it if it has them.

    A study that was killed is continued by the same call, under the same trial numbers. Parameters
    are named as the options of `nas run`, which does the same, and mean the same.

    settings: what the study is about; default `Settings()`. The digest and the classes of its
        images, and the precision of its recipe, are filled in here.
    study, storage: its name, and its database as an SQLAlchemy URL.
    timeout: seconds after which no new trial is begun.
    max_failures: evaluations that may fail in a row.
    workers, memory_limit, gpus_per_trial, cluster, cluster_timeout, replay, images, precision: of
        the place where it runs, `nas.workers.place.Place`.
    progress: shown on standard error.

    Workers are processes, so a script that calls this must be importable: begin it with
    ``if __name__ == "__main__":``, or give ``workers=0``.

    Raises ValueError where anything asked for can't be, before anything is written; its subclass
    `studies.store.StoreError` where the storage fails; `nas.study.loop.FailingError`, a
    RuntimeError, where the trials do; `nas.Interrupted`, a KeyboardInterrupt, on Ctrl-C and
    SIGTERM. Whatever had ended by then is kept.
    """
    place = Place(
        workers,
        memory_limit,
        gpus_per_trial,
        cluster,
        cluster_timeout,
        Path(replay) if isinstance(replay, str) else replay,
        Path(images) if isinstance(images, str) else images,
        precision,
    )
    until = Until(trials, timeout, max_failures)
    check_study_name(study)
    with contextlib.closing(open_store(storage, create=True)) as store:
        stored = read_study(store, study)
        asked = settings or Settings()
        ended = bring(store, study, stored, asked, place, until, quiet=not progress)
    if ended.failing is not None:
        raise ended.failing
    if ended.signal:
        raise Interrupted(ended.signal)
    return StudyResult(study, storage, ended.results)
