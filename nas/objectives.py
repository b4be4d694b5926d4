"""OBJECTIVES: what a study optimizes; name, unit, direction, and whether training is needed."""

from collections.abc import Callable, Mapping, Sequence
from typing import Any, NamedTuple

from search_space.checks import check_choice
from search_space.cost import Cost
from studies.pareto import Axis


class Objective(NamedTuple):
    """An objective: its axis, whether it is known before training, and its value.

    ``value`` takes the candidate's exact cost and, unless ``known``, its stored evaluation.
    """

    axis: Axis
    known: bool
    value: Callable[[Cost, Mapping[str, Any] | None], float]


def _accuracy(_cost: Cost, evaluation: Mapping[str, Any] | None) -> float:
    assert evaluation is not None, "accuracy is not known before training"
    return float(evaluation["accuracy"])


OBJECTIVES: dict[str, Objective] = {
    "accuracy": Objective(Axis("accuracy", "fraction", True, False, 0.1), False, _accuracy),
    "params": Objective(
        Axis("params", "parameters", False, True, 1e7), True, lambda cost, _: float(cost.params)
    ),
    "flops": Objective(
        Axis("flops", "FLOPs", False, True, 1e10), True, lambda cost, _: float(cost.flops)
    ),
}
"""Name to objective. The reference point stands at chance, ten million parameters, 10 GFLOPs."""


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
