"""A file of any runtime's format that `nas export` wrote, as a classifier."""

import contextlib
from collections.abc import Iterator
from dataclasses import MISSING, fields
from pathlib import Path

from nas.model.classifier import Classifier, Run
from nas.model.export.formats import RUNTIMES
from nas.model.export.needed import need
from nas.model.metadata import Metadata
from nas.threads import threads


def runtime_classifier(path: Path, name: str) -> Classifier:
    """What `nas export` wrote in the format ``name``, run by that format's runtime.

    ValueError for any other file, and where the runtime isn't installed.
    """
    chosen = RUNTIMES[name]
    need(chosen.extra, *chosen.needs)
    if not path.is_file():
        raise ValueError(f"there is no file {path}; `nas export` writes one")
    try:
        found, run = chosen.read(path, {spec.name: "" for spec in fields(Metadata)})
        needed = {spec.name for spec in fields(Metadata) if spec.default is MISSING}
        known = Metadata.from_text({k: v for k, v in found.items() if v or k in needed})
    except Exception as error:  # the runtimes' errors have no class in common
        first = (str(error).strip().splitlines() or [type(error).__name__])[0]
        raise ValueError(f"{path} is no {name} file of `nas export`: {first}") from None

    @contextlib.contextmanager
    def on_threads(count: int | None) -> Iterator[Run]:
        with threads(count) if count else contextlib.nullcontext():
            yield run

    return Classifier(known, name, on_threads)
