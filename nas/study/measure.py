"""What a new study is measured against, found once as it begins and kept with its settings."""

from dataclasses import replace

from nas.axes import floor_of, room_above
from nas.sampling.even import spread_of
from nas.settings import Reference, Settings
from nas.study.workplace import Workplace
from studies.evaluation import REPLAYED

COSTS = ("params", "flops", "activation_bytes", "flash_bytes", "arena_bytes", "cycles")
"""Costs of which the space's largest candidate is the reference where there is no limit."""


def measured(settings: Settings, workplace: Workplace) -> tuple[Settings, Workplace]:
    """The settings of a study that begins, with the reference and the largest candidate.

    The workplace's lines on the images say so.
    """
    settings = with_largest(settings)
    if "accuracy" not in settings.objectives:
        return settings, workplace
    known = settings.reference
    if known is None and not settings.data.startswith(REPLAYED):
        from nas.short_run.reference import reference

        known = reference(
            settings.reading(workplace.directory),
            settings.data,
            settings.metric,
            settings.folds or 1,
        )
    if known is None:
        return settings, workplace
    settings = replace(settings, reference=known)
    counts = f"a network counts from {floor_of(settings):.2%} on"
    if not room_above(known):
        counts += (
            ", since so few errors leave nothing that could be told to be better: take it, or give "
            "more or harder images, or --min-accuracy"
        )
    return settings, workplace._replace(found=(*workplace.found, f"{_words(known)}: {counts}"))


def with_largest(settings: Settings) -> Settings:
    """The settings with the cost of the largest candidate within their limits."""
    largest = spread_of(settings).largest
    costs = {name: getattr(largest, name) for name in COSTS if name in settings.objectives}
    return replace(settings, largest=costs)


def _words(known: Reference) -> str:
    return (
        f"logistic regression on the pixels has {known.accuracy:.2%} on the {known.images:,} "
        f"validation images with {known.params:,} parameters"
    )
