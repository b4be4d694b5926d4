"""OBJECTIVES: what a study optimizes; name, unit, direction, and whether training is needed."""

from collections.abc import Callable, Mapping, Sequence
from typing import NamedTuple

from search_space.checks import check_choice
from search_space.cost import Cost
from studies.axis import Axis
from studies.evaluation import Evaluation

Known = Mapping[str, float]
"""What is known of a candidate before training, by name: its exact cost, and its latency in seconds
for one image where the study asks for that.
"""


def known_of(cost: Cost) -> dict[str, float]:
    """What a cost tells, by the names of objectives and limits."""
    known = {name: value for name, value in cost._asdict().items() if name in OBJECTIVES}
    return {name: value for name, value in known.items() if value is not None}


def known_losses(names: Sequence[str], known: Known) -> tuple[float, ...]:
    """Losses of those of the objectives that are known before training, in their order."""
    chosen = [OBJECTIVES[name] for name in names if OBJECTIVES[name].known]
    if not chosen:
        return ()
    from studies.pareto import losses  # with NumPy, which help texts do without

    values = [objective.value(known, None) for objective in chosen]
    row: list[float] = losses([values], [objective.axis for objective in chosen])[0].tolist()
    return tuple(row)


class Objective(NamedTuple):
    """An objective: its axis, whether it is known before training, and its value.

    ``value`` takes what is known of the candidate and, unless ``known``, its stored evaluation.
    """

    axis: Axis
    known: bool
    value: Callable[[Known, Evaluation | None], float]


def _accuracy(_known: Known, evaluation: Evaluation | None) -> float:
    assert evaluation is not None, "accuracy is not known before training"
    assert evaluation.accuracy is not None, "a run that diverged has no values"
    return evaluation.accuracy


def _before(name: str, unit: str, reference: float) -> Objective:
    """An objective that is known before training and minimized, on a logarithmic axis."""

    def value(known: Known, _evaluation: Evaluation | None) -> float:
        return float(known[name])

    return Objective(Axis(name, unit, False, True, reference), True, value)


OBJECTIVES: dict[str, Objective] = {
    "accuracy": Objective(Axis("accuracy", "fraction", True, False, 0.1), False, _accuracy),
    "params": _before("params", "parameters", 1e7),
    "flops": _before("flops", "FLOPs", 1e10),
    "activation_bytes": _before("activation_bytes", "bytes", 1e8),
    "flash_bytes": _before("flash_bytes", "bytes", 1e8),
    "arena_bytes": _before("arena_bytes", "bytes", 1e8),
    "cycles": _before("cycles", "cycles", 1e10),
    "latency": _before("latency", "seconds", 1.0),
}
"""Name to objective. The reference point of a study of the first edition stands at chance among ten
classes, ten million parameters, 10 GFLOPs, 100 MB of activations, one second an image. ``cycles``
is an estimate for the study's device, the others are exact.
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
