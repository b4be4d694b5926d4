"""Objectives as axes, and on them dominance, the Pareto front and the hypervolume, in NumPy.

Values are what a study stores: user units, either direction. `losses` converts them once, and
everything after it works on losses: arrays [N, M] of N trials by M objectives, all minimised.

NaN marks a failed or pruned trial. A row with any NaN becomes a row of NaN; it is never on the
front, dominates nothing and adds nothing to a hypervolume. No other value that is not finite may
enter: `losses` refuses it, so that one broken trial cannot fake an endless hypervolume.

.. [Zitzler1999] Zitzler and Thiele. Multiobjective evolutionary algorithms: a comparative case
   study and the strength Pareto approach. IEEE Trans. Evolutionary Computation 3(4), 1999.
.. [Beume2009] Beume, Fonseca, Lopez-Ibanez, Paquete and Vahrenhold. On the complexity of
   computing the hypervolume indicator. IEEE Trans. Evolutionary Computation 13(5), 2009.
.. [While2006] While, Hingston, Barone and Huband. A faster algorithm for calculating
   hypervolume. IEEE Trans. Evolutionary Computation 10(1), 2006.
.. [While2012] While, Bradstreet and Barone. A fast way of calculating exact hypervolumes.
   IEEE Trans. Evolutionary Computation 16(1), 2012.
"""

import math
from bisect import bisect_right
from collections.abc import Sequence
from typing import TYPE_CHECKING

import numpy as np

from studies.axis import Axis, check_value
from studies.wording import counted

if TYPE_CHECKING:
    from numpy.typing import ArrayLike, NDArray

    Floats = NDArray[np.float64]
else:  # a short command shouldn't wait for numpy.typing
    ArrayLike, NDArray, Floats = object, np.ndarray, np.ndarray


def losses(values: ArrayLike, axes: Sequence[Axis]) -> Floats:
    """Values [N, M] in user units, as losses [N, M]: log10 where `log`, negated where `maximize`.

    Where an axis has a `least_error`, log10 of the error.

    A row with any NaN comes back as a row of NaN, and the rest of it is not looked at. Raises
    ValueError on an infinite value, on a value <= 0 of a log axis, and on a wrong shape.
    """
    if not axes:
        raise ValueError("axes is empty: give at least one objective")
    rows = np.asarray(values, dtype=np.float64)
    if rows.size == 0:
        rows = rows.reshape(0, len(axes))
    if rows.ndim != 2 or rows.shape[1] != len(axes):
        names = ", ".join(axis.name for axis in axes)
        raise ValueError(
            f"values has shape {rows.shape}: give [trials, {len(axes)}], one column for each of "
            f"{names}"
        )
    result = np.full(rows.shape, np.nan)
    complete = ~np.isnan(rows).any(axis=1)
    for column, axis in enumerate(axes):
        stored = rows[complete, column]
        wrong = ~np.isfinite(stored) | (stored <= 0 if axis.log else False)
        if wrong.any():
            first = int(np.argmax(wrong))
            row = int(np.flatnonzero(complete)[first])
            check_value(axis, float(stored[first]), f"row {row}")
        if axis.least_error:
            result[complete, column] = np.log10(np.maximum(1.0 - stored, axis.least_error))
            continue
        scaled = np.log10(stored) if axis.log else stored
        result[complete, column] = -scaled if axis.maximize else scaled
    return result


def reference_point(axes: Sequence[Axis]) -> Floats:
    """The study's reference point [M], as losses."""
    return losses([[axis.reference for axis in axes]], axes).reshape(-1)


def front_mask(losses: ArrayLike) -> NDArray[np.bool_]:
    """Which rows of losses [N, M] no other row dominates, as a mask [N].

    A row dominates another if it is nowhere worse and somewhere better. Equal rows do not
    dominate each other: all of them are on the front. Raises ValueError unless M >= 1.
    """
    rows = np.asarray(losses, dtype=np.float64)
    if rows.ndim != 2 or rows.shape[1] == 0:
        raise ValueError(f"losses has shape {rows.shape}: give [trials, objectives >= 1]")
    mask = np.zeros(len(rows), dtype=np.bool_)
    complete = np.flatnonzero(~np.isnan(rows).any(axis=1))
    if len(complete) == 0:
        return mask
    unique, place = np.unique(rows[complete], axis=0, return_inverse=True)
    # Unique rows come in lexicographic order, so a row that no earlier one dominates is on the
    # front, and it dominates each later row that is nowhere better in the other columns.
    on_front = np.ones(len(unique), dtype=np.bool_)
    others = np.ascontiguousarray(unique[:, 1:].T)
    for row in range(len(unique)):
        if on_front[row]:
            later = others[:, row + 1 :]
            on_front[row + 1 :] &= (later < others[:, row : row + 1]).any(axis=0)
    mask[complete] = on_front[place.reshape(-1)]
    return mask


def front(values: ArrayLike, axes: Sequence[Axis]) -> list[int]:
    """Row indices of the front of values [N, M] in user units; rows of equal values all stay.

    Ordered from best to worst along the first minimised axis (the cheapest first), or along the
    first axis where all are maximised; ties in row order. Raises as `losses` does.
    """
    minimised = losses(values, axes)
    members = np.flatnonzero(front_mask(minimised))
    key = next((column for column, axis in enumerate(axes) if not axis.maximize), 0)
    order = np.argsort(minimised[members, key], kind="stable")
    return [int(index) for index in members[order]]


def hypervolume(losses: ArrayLike, reference: ArrayLike) -> float:
    """The exact volume that losses [N, M] dominate, up to the reference point [M].

    The indicator of [Zitzler1999]_. Its unit is the product of the losses' units (log10 counts
    in decades), larger is better, 0 where no row is better than the reference in every
    objective: such rows add nothing, nor do rows with NaN. N log N for M <= 3; each further
    objective costs a factor N. Raises ValueError on shapes that disagree, on an infinite
    reference and on a loss of -inf.
    """
    return _volume(*_inside(losses, reference))


def hypervolume_trace(losses: ArrayLike, reference: ArrayLike) -> Floats:
    """The hypervolume [N] after each row of losses [N, M]: it never falls. Raises likewise.

    A row adds its own box less what the front already dominates of that box, which is the
    hypervolume of the front moved into the box ([While2012]_, eqs. 6 and 7). Rows that do not
    enter the front cost one comparison.
    """
    rows, corner = _inside(losses, reference, keep_all=True)
    members = np.empty((0, len(corner)))
    trace = np.zeros(len(rows))
    total = 0.0
    for index, row in enumerate(rows):
        if (row < corner).all() and not (members <= row).all(axis=1).any():
            overlap = _volume(np.maximum(members, row), corner)
            # Rounding alone could make the difference negative; the trace must not fall.
            total += max(0.0, float(np.prod(corner - row)) - overlap)
            members = np.vstack([members[(members < row).any(axis=1)], row])
        trace[index] = total
    return trace


def _inside(
    losses: ArrayLike, reference: ArrayLike, keep_all: bool = False
) -> tuple[Floats, Floats]:
    """The rows that are better than the reference in every objective, and the reference."""
    corner = np.asarray(reference, dtype=np.float64)
    rows = np.asarray(losses, dtype=np.float64)
    if corner.ndim != 1 or len(corner) == 0 or not np.isfinite(corner).all():
        raise ValueError(f"reference is {corner.tolist()}: give one finite loss per objective")
    if rows.size == 0:
        rows = rows.reshape(0, len(corner))
    if rows.ndim != 2 or rows.shape[1] != len(corner):
        raise ValueError(
            f"losses has shape {rows.shape}: the reference has "
            f"{counted(len(corner), 'objective')}, give [trials, {len(corner)}]"
        )
    if np.isneginf(rows).any():
        raise ValueError("losses holds -inf: its hypervolume has no end; give finite losses")
    # A comparison with NaN is false, which is how such rows come to add nothing.
    return (rows if keep_all else rows[(rows < corner).all(axis=1)]), corner


def _volume(points: Floats, corner: Floats) -> float:
    """The volume dominated by points [N, M] that are all inside the corner [M]."""
    missing = 3 - len(corner)
    if missing < 0:
        return _sliced_volume(points, corner)
    # Fewer than three objectives are a solid of thickness 1 in those that are missing.
    solid = np.pad(points, ((0, 0), (0, missing)))
    return _swept_volume(solid, np.pad(corner, (0, missing), constant_values=1.0))


def _swept_volume(points: Floats, corner: Floats) -> float:
    """Three objectives: sweep along the third, keep the staircase of the others ([Beume2009]_).

    `xs` rises and `ys` falls along the staircase; a sentinel at either end stands for the
    corner's two edges.
    """
    right, top, end = corner.tolist()
    xs, ys = [-math.inf, right], [top, -math.inf]
    area = volume = 0.0
    depth = end
    for x, y, z in points[np.argsort(points[:, 2], kind="stable")].tolist():
        volume += area * (z - depth)
        depth = z
        first = last = bisect_right(xs, x)
        edge, height = x, ys[first - 1]
        if height <= y:
            continue
        while ys[last] >= y:
            area += (xs[last] - edge) * (height - y)
            edge, height = xs[last], ys[last]
            last += 1
        area += (xs[last] - edge) * (height - y)
        xs[first:last], ys[first:last] = [x], [y]
    return float(volume + area * (end - depth))


def _sliced_volume(points: Floats, corner: Floats) -> float:
    """More objectives: slices along the last, each of one objective fewer ([While2006]_)."""
    points = points[front_mask(points)]
    points = points[np.argsort(points[:, -1], kind="stable")]
    thickness = np.diff(points[:, -1], append=corner[-1])
    return math.fsum(
        _volume(points[: index + 1, :-1], corner[:-1]) * float(thick)
        for index, thick in enumerate(thickness)
        if thick > 0
    )
