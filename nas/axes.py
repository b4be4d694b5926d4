"""A study's objectives as axes, and the reference point from which on its front counts."""

from dataclasses import replace

from nas.metrics import ACCURACY, METRICS
from nas.objectives import OBJECTIVES
from nas.settings import Reference, Settings
from studies.axis import Axis

LEAST_ERROR = 1e-4
"""An error that can't be told from none where nobody knows how many validation images there are."""

LEAST_ERRORS = 5
"""Validation images that the reference must have wrong, so that there is something to be found."""


def axes_of(settings: Settings) -> tuple[Axis, ...]:
    """A study's objectives as axes, in the order of its trials' values, with its reference point.

    That is, from the second edition on, the accuracy that a network needs to be of use, and the
    study's limits, or where there is none the largest candidate of its space.
    """
    axes = [OBJECTIVES[name].axis for name in settings.objectives]
    if settings.edition == 1:
        return tuple(axes)
    return tuple(_measured(axis, settings) for axis in axes)


def _measured(axis: Axis, settings: Settings) -> Axis:
    if axis.name == "accuracy":
        known = settings.reference
        least = 0.5 / known.images if known else LEAST_ERROR
        measured = measured_words(settings.metric, settings.folds or 1)
        return replace(axis, reference=floor_of(settings), least_error=least, measured=measured)
    limit = settings.limits().get(axis.name)
    if limit is None and axis.name in settings.largest:
        limit = settings.largest[axis.name]
    # What is at the limit counts too.
    return axis if limit is None else replace(axis, reference=1.01 * limit)


def measured_words(metric: str, folds: int) -> str:
    """Of what accuracies are, where that isn't of the validation images of one split."""
    if (metric, folds) == (ACCURACY, 1):
        return ""
    return METRICS[metric].measured + (
        "of validation images" if folds == 1 else f"of the images of {folds} folds"
    )


def floor_of(settings: Settings) -> float:
    """The accuracy (0..1) that a network needs to be of use.

    What the reference has, or chance where there is none or where it leaves no room above it, or
    ``min_accuracy`` where that is more.
    """
    known = settings.reference
    found = known.accuracy if known and room_above(known) else 1 / settings.classes
    return max(found, settings.min_accuracy or 0.0)


def room_above(reference: Reference) -> bool:
    """Whether a network can be told from the reference: whether it has made enough errors."""
    return (1 - reference.accuracy) * reference.images >= LEAST_ERRORS
