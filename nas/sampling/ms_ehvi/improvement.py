"""Expected hypervolume improvement where all objectives but one are known exactly, in closed form.

Everything is a loss, as ``studies.pareto.losses`` makes it. Seen from a candidate, the improvement
is a volume of slices, one for every value of the uncertain loss: the slice at t is what the known
losses c leave undominated by the front's points of uncertain loss below t. It is constant between
two of these points, so the expectation is a sum over them ([Izquierdo2021]_ section 4 estimates the
same by sampling).

.. [Izquierdo2021] S. Izquierdo et al., Bag of Baselines for Multi-objective Joint Neural
   Architecture Search and Hyperparameter Optimization, AutoML workshop, ICML 2021.
"""

import numpy as np
from scipy.special import ndtr

from studies.pareto import Floats, front_mask


def expected_improvement(
    mean: Floats, std: Floats, known: Floats, front: Floats, reference: Floats
) -> Floats:
    """Expected hypervolume improvement of N candidates over a front of F points, [N].

    ``mean`` and ``std`` [N] are of the uncertain loss, normally distributed; a ``std`` of 0 is
    certainty. ``known`` [N, K] are the other losses. ``front`` [F, 1 + K] has the uncertain loss
    first, as has ``reference`` [1 + K]; points that aren't better than it everywhere count nothing.
    """
    front = front[np.all(front < reference, axis=1)]
    front = front[front_mask(front)]  # what is dominated bounds nothing
    front = front[np.argsort(front[:, 0], kind="stable")]
    edges = np.concatenate([[-np.inf], front[:, 0], reference[:1]])
    below = _expected_excess(mean, std, edges)
    total = np.zeros(len(mean))
    for count in range(len(front) + 1):
        slab = below[:, count + 1] - below[:, count]
        total += slab * undominated(known, front[:count, 1:], reference[1:])
    return total


def undominated(corners: Floats, points: Floats, reference: Floats) -> Floats:
    """Volume between each corner [N, K] and the reference that none of ``points`` [F, K] dominates.

    For K = 0 it is 1 where there is no point, else 0.
    """
    dimensions = len(reference)
    if dimensions == 0:
        return np.full(len(corners), 0.0 if len(points) else 1.0)
    if dimensions == 1:
        edge = min(reference[0], points.min()) if len(points) else reference[0]
        length: Floats = np.maximum(edge - corners[:, 0], 0.0)
        return length
    points = points[np.argsort(points[:, 0], kind="stable")]
    starts = np.concatenate([[-np.inf], points[:, 0]])
    ends = np.concatenate([points[:, 0], reference[:1]]).clip(max=reference[0])
    widths = np.maximum(ends - np.maximum(starts, corners[:, :1]), 0.0)
    if dimensions == 2:
        heights = np.minimum.accumulate(np.concatenate([reference[1:], points[:, 1]]))
        area: Floats = (widths * np.maximum(heights - corners[:, 1:], 0.0)).sum(axis=1)
        return area
    total = np.zeros(len(corners))
    for count in range(len(points) + 1):
        reached = np.flatnonzero(widths[:, count])
        if len(reached):
            slices = undominated(corners[reached, 1:], points[:count, 1:], reference[1:])
            total[reached] += widths[reached, count] * slices
    return total


def _expected_excess(mean: Floats, std: Floats, edges: Floats) -> Floats:
    """E[max(edge - loss, 0)] for every loss and every edge, [N, E]; edges may be -inf."""
    gap = np.broadcast_to(edges, (len(mean), len(edges))) - mean[:, None]
    excess = np.maximum(gap, 0.0)
    unsure = std > 0
    scaled = gap[unsure] / std[unsure, None]
    with np.errstate(invalid="ignore"):  # the lowest edge is at minus infinity
        smooth = gap[unsure] * ndtr(scaled)
        smooth += std[unsure, None] * np.exp(-0.5 * scaled**2) / np.sqrt(2 * np.pi)
    excess[unsure] = np.where(np.isneginf(edges), 0.0, smooth)
    return excess
