"""A piece of hardware, or a microcontroller's core, by its name or from a TOML file."""

from collections.abc import Mapping
from pathlib import Path

from nas.text import read_text
from search_space.analysis.hardware import ENTRIES as HARDWARE_ENTRIES
from search_space.analysis.hardware import PRESETS, Hardware
from search_space.device.cores import CORES, Core
from search_space.device.cores import ENTRIES as CORE_ENTRIES
from search_space.figures import Entries, Machine


def read_hardware(text: str) -> Hardware:
    """The preset of that name, or what the TOML file of that path (it ends in .toml) describes."""
    return _read(text, Hardware, HARDWARE_ENTRIES, PRESETS)


def read_core(text: str) -> Core:
    """The core of that name, or what the TOML file of that path (it ends in .toml) describes."""
    return _read(text, Core, CORE_ENTRIES, CORES)


def _read(
    text: str, kind: type[Machine], entries: Entries, presets: Mapping[str, Machine]
) -> Machine:
    """ValueError that lists the presets, or names the file and what is wrong with it."""
    if not text.endswith(".toml"):
        return entries.preset(text, presets)
    content = read_text(Path(text), entries.of)
    try:
        return entries.from_toml(kind, content)
    except ValueError as error:
        raise ValueError(f"{entries.of} {text}: {error}") from None
