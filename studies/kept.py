"""What a trial keeps of its candidate and of its course: one record, written and read here alone.

It is stored as Optuna's user attributes of the trial, under the names of the fields.
"""

from collections.abc import Mapping
from dataclasses import dataclass, field, fields, replace
from typing import TYPE_CHECKING, Any, Self

if TYPE_CHECKING:
    import optuna

COSTS = (
    *("params", "flops", "activation_bytes"),
    *("flash_bytes", "arena_bytes", "cycles", "latency"),
)
"""What is known of a candidate before it is trained."""


@dataclass(frozen=True)
class Kept:
    """A trial's record; what isn't known yet, or does not apply, has its default.

    ``key`` and ``architecture`` are the candidate's, the latter in words; ``params``, ``flops`` (2
    x multiply-adds) and ``activation_bytes`` are its exact cost, ``flash_bytes`` and
    ``arena_bytes`` that of its C file, ``cycles`` an estimate for a device's core, ``latency`` its
    measured seconds for one image. ``catalog`` names the network that the trial began from.
    ``rungs`` are validation accuracies (0..1), one a rung; ``seconds`` is what its evaluations took
    together. ``repeat`` counts the trainings of the candidate with other seeds before this one,
    which then has no rungs: it is at the last alone. ``stopped`` says why it was not promoted,
    ``failure`` why it failed,
    ``lost_workers`` how the workers ended that died over it. ``others`` are attributes of other
    programs.
    """

    architecture: str = ""
    key: str = ""
    params: int | None = None
    flops: int | None = None
    activation_bytes: int | None = None
    flash_bytes: int | None = None
    arena_bytes: int | None = None
    cycles: int | None = None
    latency: float | None = None
    catalog: str | None = None
    promised: float | None = None
    most_accurate: bool = False
    rungs: tuple[float, ...] = ()
    seconds: float | None = None
    repeat: int = 0
    stopped: str | None = None
    failure: str | None = None
    lost_workers: tuple[str, ...] = ()
    others: Mapping[str, Any] = field(default_factory=dict)

    @property
    def costs(self) -> dict[str, float]:
        """What is known of the candidate before training, by its name."""
        found = {name: getattr(self, name) for name in COSTS}
        return {name: value for name, value in found.items() if value is not None}

    def to_attributes(self) -> dict[str, Any]:
        """Plain JSON data, without what has its default: as it is stored."""
        out: dict[str, Any] = {}
        for name in NAMES:
            value = getattr(self, name)
            if value != DEFAULTS[name]:
                out[name] = list(value) if isinstance(value, tuple) else value
        return {**out, **self.others}

    @classmethod
    def from_attributes(cls, attributes: Mapping[str, Any]) -> Self:
        """What ``to_attributes`` gave, or what an earlier version stored."""
        known: dict[str, Any] = {}
        others: dict[str, Any] = {}
        for name, value in attributes.items():
            if name in NAMES:
                known[name] = tuple(value) if isinstance(value, list) else value
            else:
                others[name] = value
        return cls(**known, others=others)


NAMES = tuple(spec.name for spec in fields(Kept) if spec.name != "others")
DEFAULTS = {spec.name: spec.default for spec in fields(Kept)}


def keep(trial: "optuna.Trial", before: Kept, **changes: Any) -> Kept:
    """Store what has changed of a running trial's record; the record as it is now."""
    after = replace(before, **changes)
    stored = after.to_attributes()
    for name in changes:
        if name in stored:
            trial.set_user_attr(name, stored[name])
    return after
