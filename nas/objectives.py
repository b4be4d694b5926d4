"""OBJECTIVES: what a study optimizes; name, unit, direction, and whether training is needed."""

from collections.abc import Callable, Mapping, Sequence
from typing import Any, NamedTuple

from search_space.checks import check_choice
from search_space.cost import Cost
from studies.pareto import Axis


class Known(NamedTuple):
    """What is known of a candidate before training.

    Its exact cost, and the latency of one image in seconds where the study asks for it.
    """

    cost: Cost
    latency: float | None = None

    def values(self) -> dict[str, float]:
        """Everything that can be an objective or have a limit, by name."""
        values: dict[str, float] = {
            "params": self.cost.params,
            "flops": self.cost.flops,
            "activation_bytes": self.cost.activation_bytes,
        }
        return values if self.latency is None else values | {"latency": self.latency}


class Objective(NamedTuple):
    """An objective: its axis, whether it is known before training, and its value.

    ``value`` takes what is known of the candidate and, unless ``known``, its stored evaluation.
    """

    axis: Axis
    known: bool
    value: Callable[[Known, Mapping[str, Any] | None], float]


def _accuracy(_known: Known, evaluation: Mapping[str, Any] | None) -> float:
    assert evaluation is not None, "accuracy is not known before training"
    return float(evaluation["accuracy"])


def _before(name: str, unit: str, reference: float) -> Objective:
    """An objective that is known before training and minimized, on a logarithmic axis."""

    def value(known: Known, _evaluation: Mapping[str, Any] | None) -> float:
        return float(known.values()[name])

    return Objective(Axis(name, unit, False, True, reference), True, value)


OBJECTIVES: dict[str, Objective] = {
    "accuracy": Objective(Axis("accuracy", "fraction", True, False, 0.1), False, _accuracy),
    "params": _before("params", "parameters", 1e7),
    "flops": _before("flops", "FLOPs", 1e10),
    "activation_bytes": _before("activation_bytes", "bytes", 1e8),
    "latency": _before("latency", "seconds", 1.0),
}
"""Name to objective. The reference point stands at chance, ten million parameters, 10 GFLOPs,
100 MB of activations, one second an image.
"""


def chosen(names: Sequence[str]) -> tuple[str, ...]:
    """The objectives of those names, in the order of ``OBJECTIVES``.

    ValueError on an unknown one, on one that is given twice, and on none.
    """
    for name in names:
        check_choice("objective", name, OBJECTIVES)
    if not names or len(set(names)) < len(names):
        raise ValueError(
            f"objectives is {','.join(names)!r}; give at least one of "
            f"{', '.join(OBJECTIVES)}, each once"
        )
    return tuple(name for name in OBJECTIVES if name in names)
