"""compare(): networks side by side, what `nas compare` does, from Python."""

import html
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from nas.api.network import Named, subject_of
from nas.defaults import DEFAULT_STORAGE, DEFAULT_STUDY
from nas.machines import read_core, read_hardware
from nas.reporting import comparison
from nas.reporting.tables import tables_html
from nas.subjects import views
from search_space.analysis.hardware import Hardware
from search_space.device.cores import Core


@dataclass(frozen=True, repr=False)
class Comparison:
    """Networks side by side; ``networks`` holds what was measured of each."""

    networks: tuple[comparison.Compared, ...]
    hardware: Hardware | None

    @property
    def rows(self) -> list[dict[str, Any]]:
        """A dictionary a network, for ``pandas.DataFrame``: numbers and words alone.

        Bytes are of float32, ``macs`` multiply-adds and ``flops`` twice as many, times seconds.
        """
        return comparison.flat_rows(self.networks)

    @property
    def sentences(self) -> Sequence[str]:
        """What the figures say: how these networks compare, and what they mean for hardware."""
        return comparison.sentences(self.networks, self.hardware)

    def save(self, path: str | Path) -> None:
        """Write it as one page of plots and tables, which works offline."""
        comparison.write_page(self.networks, self.hardware, Path(path))

    def __repr__(self) -> str:
        return f"<Comparison of {', '.join(one.name for one in self.networks)}>"

    def _repr_html_(self) -> str:
        """Its tables and sentences, in a notebook."""
        said = [f"<p>{html.escape(sentence)}</p>" for sentence in self.sentences]
        shown = tables_html(comparison.tables(self.networks, self.hardware))
        return "\n".join([shown, *said])


def compare(
    *networks: Named,
    resolution: int | None = None,
    channels: int | None = None,
    classes: int | None = None,
    latency: bool = False,
    hardware: str | Hardware | None = None,
    device: str | Core | None = None,
    study: str = DEFAULT_STUDY,
    storage: str = DEFAULT_STORAGE,
) -> Comparison:
    """Compare networks: parameters, computation, memory, latency, on a chip or a microcontroller.

    Parameters are named as the options of `nas compare`, and mean the same; ``networks`` are what
    `nas.network` takes. Each is looked at on the images that it is for, or all on those of
    ``resolution``. ValueError where one can't run on them, or is given twice.
    """
    subjects = [subject_of(one, study, storage) for one in networks]
    if not subjects:
        raise ValueError("networks is empty; give at least one, such as 'googlenet'")
    machine = read_hardware(hardware) if isinstance(hardware, str) else hardware
    core = read_core(device) if isinstance(device, str) else device
    at = views(subjects, resolution, channels, classes)
    found = comparison.compare(subjects, at, machine, latency, core)
    return Comparison(tuple(found), machine)
