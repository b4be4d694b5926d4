"""What a study was begun with, as its row says: read once, and compared with what is asked now."""

import contextlib
from collections.abc import Mapping
from dataclasses import dataclass, replace

from nas.settings import MEASURED, PLACE_OF_IMAGES, Settings, differences
from nas.short_run.evaluation import versions
from studies.store import Store, StoreError

DEFAULT_OF_0_1 = "ms-ehvi-per-second"
"""The sampler that version 0.1 took where none was asked for."""


@dataclass(frozen=True)
class StoredStudy:
    """The settings and versions that a study was begun with.

    ``cold``: an earlier version made it, which knew of no warm start; ``once``: one that knew of no
    repeats.
    """

    name: str
    settings: Settings
    versions: Mapping[str, str]
    cold: bool = False
    once: bool = False

    def continued(self, settings: Settings) -> Settings:
        """The settings that are asked for, with what was found as the study began.

        A space that was given in words of version 0.1, or not at all, is what it was then, and the
        default sampler the one that was the default; what had no repeats goes on without.
        """
        begun = self.settings
        found = {name: getattr(begun, name) for name in MEASURED}
        settings = replace(settings, **found)
        if self.once and settings.repeats == Settings.repeats:
            settings = replace(settings, repeats=begun.repeats)
        if begun.edition > 1:
            return settings
        space = settings.space
        if space != begun.space:
            with contextlib.suppress(ValueError):
                space = space.of_0_1()
        if space == begun.space:
            settings = replace(settings, space=space)
        if (settings.sampler, begun.sampler) == (Settings.sampler, DEFAULT_OF_0_1):
            settings = replace(settings, sampler=begun.sampler)
        return settings

    def moved(self, settings: Settings) -> bool:
        """Whether its images, the same ones, are elsewhere now than when it was begun."""
        return self.settings.moved(settings) != self.settings


def read_study(store: Store, name: str) -> StoredStudy | None:
    """The study of that name, None where there is none; StoreError where another tool made it."""
    if name not in store.study_names():
        if store.exists() and store.has_foreign_study(name):
            raise StoreError(
                f"study {name!r} in {store.shown} was not made by this tool; give another --study"
            )
        return None
    row = store.study(name)
    settings = Settings.from_json(row["settings"])
    cold, once = (spec not in row["settings"] for spec in ("warm_start", "repeats"))
    return StoredStudy(name, settings, row["versions"], cold, once)


def check_same(stored: StoredStudy, settings: Settings) -> None:
    """StoreError with what differs, where a study is about something else than is asked for."""
    if stored.cold:  # then it goes on so, whatever is asked for now
        settings = replace(settings, warm_start=False)
    differing = differences(stored.settings.moved(settings).to_json(), settings.to_json())
    now = {name: versions().get(name) for name in stored.versions}
    differing += differences(dict(stored.versions), now, "version of ")
    if differing:
        raise StoreError(
            f"study {stored.name!r} was made with other settings: {'; '.join(differing)}; "
            "run with the study's settings, or give another --study"
        )


def remember_images(store: Store, stored: StoredStudy, settings: Settings) -> None:
    """Keep where the images of a study are now, where they were moved since it was begun."""
    if stored.moved(settings):
        now = settings.to_json()
        known = store.study(stored.name)["settings"]
        store.update_settings(stored.name, known | {spec: now[spec] for spec in PLACE_OF_IMAGES})
