"""Candidates that a sampler considers: drawn from the space or mutated, with exact cost, features.

What is drawn depends on the given random generator alone; features and costs are kept by key.
"""

import random
from collections.abc import Mapping, Sequence
from functools import cached_property
from typing import Any, NamedTuple

from nas.objectives import Known, known_losses, known_of
from nas.sampling.even import spread_of
from nas.sampling.features import features
from nas.settings import Settings
from search_space.architecture import Candidate
from search_space.limits import within
from search_space.spread import TRIED, Spread
from studies.pareto import Floats

CHANGES = 3
"""Params of its parent that a mutation changes, at most."""


MOST_KEPT = 20_000
"""Candidates whose features are kept, at about 1.5 KB each."""


class Proposal(NamedTuple):
    """A candidate that may be proposed: its params, its known losses, and its features."""

    params: dict[str, Any]
    key: str
    known: Known
    losses: tuple[float, ...]
    row: Floats


class Proposals:
    """Makes proposals of the space, resolution and objectives of a study's settings."""

    def __init__(self, settings: Settings) -> None:
        self.settings = settings
        self._limits = settings.free_limits()
        self._seen: dict[str, tuple[Known, tuple[float, ...], Floats]] = {}

    @cached_property
    def _spread(self) -> Spread:
        return spread_of(self.settings)

    def drawn(
        self,
        rng: random.Random,
        tried: int = TRIED,
        between: tuple[float, float] | None = None,
    ) -> Proposal:
        """A random candidate of the space; of so many ``tried`` the nearest to a random size.

        That lies ``between`` two base-10 logarithms of parameters where these are given.
        """
        if self.settings.edition == 1:
            return self._completed({}, rng)
        found = self._spread.draw(rng, tried, between)
        return Proposal(found.params, found.candidate.key, *self._described(found.candidate))

    def mutated(self, parent: Mapping[str, Any], rng: random.Random) -> Proposal:
        """A candidate with a parent's params but for a few, which are drawn again.

        Params that don't apply any more are dropped, those that now do are drawn at random.
        """
        kept = dict(parent)
        changes = min(len(kept), 1 + rng.randrange(CHANGES))
        for name in rng.sample(sorted(kept), changes):
            del kept[name]
        return self._completed(kept, rng)

    def allowed(self, one: Proposal) -> bool:
        """Whether it is within the study's limits, as far as they are known before training."""
        return within(one.known, self._limits)

    def row(self, candidate: Candidate) -> Floats:
        """A candidate's features, [D]."""
        return self._described(candidate)[2]

    def _completed(self, fixed: Mapping[str, Any], rng: random.Random) -> Proposal:
        params: dict[str, Any] = {}

        def choose(name: str, options: Sequence[Any]) -> Any:
            given = fixed.get(name)
            params[name] = given if name in fixed and given in options else rng.choice(options)
            return params[name]

        candidate = self.settings.space.sample(choose, self.settings.resolution)
        return Proposal(params, candidate.key, *self._described(candidate))

    def _described(self, candidate: Candidate) -> tuple[Known, tuple[float, ...], Floats]:
        key, settings = candidate.key, self.settings
        if key not in self._seen:
            if len(self._seen) > MOST_KEPT:
                self._seen.clear()
            known = known_of(settings.cost(candidate))
            losses = known_losses(
                [name for name in settings.objectives if name != "latency"], known
            )
            self._seen[key] = (
                known,
                losses,
                features([candidate], settings.image, settings.classes, settings.edition)[0],
            )
        return self._seen[key]
