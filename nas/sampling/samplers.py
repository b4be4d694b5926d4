"""SAMPLERS: who proposes the next candidate, each from (study seed, trial number) alone."""

import contextlib
import importlib
import inspect
import sys
import warnings
from collections.abc import Callable, Iterator
from typing import TYPE_CHECKING, NamedTuple

from nas.seeds import derive
from search_space.checks import check_choice
from studies.wording import counted

if TYPE_CHECKING:
    from optuna.samplers import BaseSampler

    from nas.rungs.history import History
    from nas.settings import Settings

STARTUP_TRIALS = 20
"""Random trials before a model-based sampler has enough to learn from."""


class Sampler(NamedTuple):
    """A sampler's words for the help text, and how to make it.

    ``make`` takes a seed, the study's settings, and its history: what its own trials and those of
    earlier studies told, which the driver's loop adds to as it learns. A ``pure`` one proposes by
    these, the trial's number and the study's trials alone. A ``kept`` one may
    remember what it likes, so a run has one for all its trials; what it proposes after an
    interruption is then its own business.
    """

    words: str
    make: "Callable[[int, Settings, History], BaseSampler]"
    pure: bool = False
    kept: bool = False


def _random(seed: int, settings: "Settings", _history: "History") -> "BaseSampler":
    if settings.edition == 1:
        from nas.sampling.uniform import Uniform

        return Uniform(seed)
    from nas.sampling.even import Even

    return Even(settings, seed)


def _tpe(seed: int, _settings: "Settings", _history: "History") -> "BaseSampler":
    from optuna.samplers import TPESampler

    return TPESampler(
        n_startup_trials=STARTUP_TRIALS,
        multivariate=True,
        group=True,
        # It rereads all trials from the database for every group of parameters.
        constant_liar=False,
        seed=seed,
    )


def _nsga2(seed: int, _settings: "Settings", _history: "History") -> "BaseSampler":
    from optuna.samplers import NSGAIISampler

    return NSGAIISampler(population_size=STARTUP_TRIALS, seed=seed)


def _nsga3(seed: int, _settings: "Settings", _history: "History") -> "BaseSampler":
    from optuna.samplers import NSGAIIISampler

    return NSGAIIISampler(population_size=STARTUP_TRIALS, seed=seed)


def _gp(seed: int, _settings: "Settings", _history: "History") -> "BaseSampler":
    from optuna.samplers import GPSampler

    return GPSampler(
        n_startup_trials=STARTUP_TRIALS,
        deterministic_objective=False,
        seed=seed,
    )


def _ms_ehvi_per_second(seed: int, settings: "Settings", history: "History") -> "BaseSampler":
    from nas.sampling.ms_ehvi.sampler import MsEhvi

    return MsEhvi(settings, seed, history, per_second=True)


def _ms_ehvi(seed: int, settings: "Settings", history: "History") -> "BaseSampler":
    from nas.sampling.ms_ehvi.sampler import MsEhvi

    return MsEhvi(settings, seed, history)


SAMPLERS: dict[str, Sampler] = {
    "random": Sampler("evenly over the logarithm of parameters", _random, pure=True),
    "tpe": Sampler("tree-structured Parzen estimator, multivariate and grouped", _tpe),
    "nsga2": Sampler("genetic, crowding distance", _nsga2),
    "nsga3": Sampler("genetic, reference points", _nsga3),
    "gp": Sampler("Gaussian process, hypervolume improvement; slow from 100 trials on", _gp),
    "ms-ehvi": Sampler(
        "expected hypervolume improvement at the exact cost, surrogate for accuracy",
        _ms_ehvi,
        pure=True,
    ),
    "ms-ehvi-per-second": Sampler(
        "the same, for every predicted second of training", _ms_ehvi_per_second, pure=True
    ),
}
"""Name to sampler."""


def check_sampler(name: str, objectives: int) -> None:
    """ValueError unless that is a name of SAMPLERS, or the dotted path of an Optuna sampler.

    One that is imported is asked for a trial of so many objectives: some can't do several.
    """
    if "." not in name:
        check_choice("sampler", name, SAMPLERS)
        return
    import optuna

    found = _imported(name)
    optuna.logging.set_verbosity(optuna.logging.ERROR)
    try:
        study = optuna.create_study(directions=["minimize"] * objectives, sampler=_made(found, 0))
        study.ask().suggest_categorical("probe", (0, 1))
    except Exception as error:  # it is someone else's code
        raise ValueError(
            f"sampler {name!r} can't propose for {counted(objectives, 'objective')}: "
            f"{type(error).__name__}: {error}; {_way_out()}"
        ) from None


def sampler_of(name: str) -> Sampler:
    """The sampler of that name or dotted path; ValueError where there is none."""
    if "." not in name:
        return SAMPLERS[name]
    found = _imported(name)

    def make(seed: int, _settings: "Settings", _history: "History") -> "BaseSampler":
        return _made(found, seed)

    return Sampler("imported", make, kept=True)


def _made(found: "Callable[..., BaseSampler]", seed: int) -> "BaseSampler":
    """A sampler of a class, with the seed if it takes one."""
    takes_seed = "seed" in inspect.signature(found).parameters
    with _experimental():
        return found(seed=seed) if takes_seed else found()


@contextlib.contextmanager
def _experimental() -> Iterator[None]:
    """Without Optuna's warnings that a sampler, or an option of one, is experimental."""
    from optuna.exceptions import ExperimentalWarning

    with warnings.catch_warnings():
        warnings.simplefilter("ignore", ExperimentalWarning)
        yield


def _imported(path: str) -> "Callable[..., BaseSampler]":
    """The class at a dotted path, from the working directory too, as Python itself would."""
    from optuna.samplers import BaseSampler

    module, _, name = path.rpartition(".")
    if "" not in sys.path:
        sys.path.append("")
    try:
        if not all(part.isidentifier() for part in path.split(".")):
            raise ValueError("it is no dotted path")
        found = getattr(importlib.import_module(module), name)
    except Exception as error:  # importing runs someone else's code
        raise ValueError(
            f"sampler {path!r} can't be imported: {type(error).__name__}: {error}; {_way_out()}"
        ) from None
    if not (isinstance(found, type) and issubclass(found, BaseSampler)):
        raise ValueError(
            f"sampler {path!r} is not a subclass of Optuna's BaseSampler; {_way_out()}"
        )
    required = [
        parameter.name
        for parameter in inspect.signature(found).parameters.values()
        if parameter.default is parameter.empty
        and parameter.kind not in (parameter.VAR_POSITIONAL, parameter.VAR_KEYWORD)
    ]
    if inspect.isabstract(found) or set(required) - {"seed"}:
        lacks = ", ".join(required) or "what its base class leaves to it"
        raise ValueError(f"sampler {path!r} can't be made without {lacks}; {_way_out()}")
    return found


def _way_out() -> str:
    return f"give the dotted path of an Optuna sampler, or one of: {', '.join(SAMPLERS)}"


def seeded(settings: "Settings", history: "History") -> "BaseSampler":
    """A study's sampler as a pure function of the seed, the trial's number and the study.

    ``history`` is what the study knows, which only ms-ehvi learns from. Trials that begin from the
    catalog are not its own; Optuna's samplers learn nothing from them. None of SAMPLERS proposes
    what is over a limit that is known before training.
    """
    sampler, given = sampler_of(settings.sampler), len(settings.start_from)
    if sampler.pure:
        return sampler.make(settings.seed, settings, history)

    from nas.sampling.seeded import Seeded, Within

    def fresh(*parts: int | str) -> "BaseSampler":
        with _experimental():  # multivariate and group have been that since Optuna 2
            return sampler.make(derive(settings.seed, *parts), settings, history)

    if settings.edition > 1 and settings.free_limits() and not sampler.kept:
        return Within(fresh, given, settings)
    return Seeded(fresh, given, sampler.kept)
