"""One objective as a study stores it: its unit, its direction, its scale; nothing heavy."""

import math
from dataclasses import dataclass


@dataclass(frozen=True)
class Axis:
    """One objective as a study stores it; `dataclasses.asdict` and `Axis(**...)` are its JSON.

    `unit` is the unit of the stored values in words; the unit "fraction" (0..1) is shown in
    percent. `log` says that losses and plots use log10. `reference` is the axis's coordinate of
    the study's fixed reference point, in the same unit: a trial must be better than it on every
    axis to count in the hypervolume. Of a fraction with a `least_error` above 0 the loss is log10
    of the error, 1 - value, or of `least_error` where the error is less and can't be told from
    none. `measured` says of what its values are, where that isn't of the validation images.
    Raises ValueError on a reference that has no loss.
    """

    name: str
    unit: str
    maximize: bool
    log: bool
    reference: float
    least_error: float = 0.0
    measured: str = ""

    def __post_init__(self) -> None:
        check_value(self, self.reference, "the reference")

    def number(self, value: float) -> float:
        """A value as programs read it: a count is a whole number."""
        return int(value) if self.unit in ("parameters", "FLOPs", "bytes") else value

    def shown(self, value: float) -> str:
        """A value as a table shows it, whose heading says the unit."""
        if self.unit == "seconds":
            return f"{1000 * value:,.3f} ms"
        return f"{value:.2%}" if self.unit == "fraction" else f"{value:,.0f}"


def check_value(axis: Axis, value: float, where: str) -> None:
    """ValueError where a value has no loss on an axis; ``where`` says where it stands."""
    if not math.isfinite(value):
        raise ValueError(
            f"{axis.name} is {value} in {where}: it must be a finite number; "
            "a trial that failed is a row of NaN"
        )
    if axis.log and value <= 0:
        raise ValueError(
            f"{axis.name} is {value} in {where}: it is on a log axis, so it must be above 0; "
            "set log=False for an objective that can be 0"
        )
