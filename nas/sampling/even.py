"""The sampler random: candidates of every size alike, whatever was found before."""

from functools import cached_property, lru_cache
from random import Random
from typing import Any

from optuna.study import Study
from optuna.trial import FrozenTrial

from nas.sampling.one_by_one import OneByOne
from nas.seeds import derive
from nas.settings import Settings
from search_space.cost import OnDevice
from search_space.graph import Shape
from search_space.space import SearchSpace
from search_space.spread import Drawn, Spread

SPREADS = 16
"""Spreads that are kept: to learn one takes most of a second."""


class Even(OneByOne):
    """Draws whole candidates evenly over the logarithm of parameters, and over FLOPs within them.

    Each from (seed, trial number) alone, and within the study's limits.
    """

    def __init__(self, settings: Settings, seed: int) -> None:
        self._settings, self._seed = settings, seed
        self._plan: tuple[int, dict[str, Any]] = (-1, {})

    def sample_independent(
        self, study: Study, trial: FrozenTrial, param_name: str, param_distribution: Any
    ) -> Any:
        """The trial's candidate's choice of that dimension."""
        if self._plan[0] != trial.number:
            self._plan = trial.number, self.draw(trial.number).params
        plan = self._plan[1]
        if param_name in plan and plan[param_name] in param_distribution.choices:
            return plan[param_name]
        # Somebody asked for a trial of which a part is fixed, and so other dimensions turn up.
        rng = Random(derive(self._seed, trial.number, param_name))
        return rng.choice(param_distribution.choices)

    @cached_property
    def _spread(self) -> Spread:
        return spread_of(self._settings)

    def draw(self, number: int) -> Drawn:
        """The candidate of trial ``number``."""
        return self._spread.draw(Random(derive(self._seed, number, "even")))


def spread_of(settings: Settings) -> Spread:
    """What draws candidates of a study's space, for its images, within its limits."""
    limits = tuple(sorted(settings.free_limits().items()))
    space, device = _Hashed(settings.space), settings.on_device
    return _spread(space, settings.image, settings.classes, limits, device)


class _Hashed:
    """A space that a cache can look up."""

    def __init__(self, space: SearchSpace) -> None:
        self.space, self._text = space, space.to_toml()

    def __hash__(self) -> int:
        return hash(self._text)

    def __eq__(self, other: object) -> bool:
        return isinstance(other, _Hashed) and other._text == self._text


@lru_cache(maxsize=SPREADS)
def _spread(
    hashed: _Hashed,
    image: Shape,
    classes: int,
    limits: tuple[tuple[str, float], ...],
    device: OnDevice,
) -> Spread:
    return Spread(hashed.space, image, classes, dict(limits), device)
