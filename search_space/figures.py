"""Figures of a machine: dataclasses whose every entry has a unit, read from and written as TOML."""

import json
import tomllib
from collections.abc import Collection, Mapping
from dataclasses import Field, asdict, dataclass
from decimal import Decimal
from typing import Any, ClassVar, Protocol, TypeVar

LOW, HIGH = 1e-30, 1e30

TEXTS = ("name", "source")
"""Entries that are words; all others are positive numbers."""


class Described(Protocol):
    """A dataclass."""

    __dataclass_fields__: ClassVar[dict[str, Field[Any]]]


Machine = TypeVar("Machine", bound=Described)


@dataclass(frozen=True)
class Entries:
    """What a machine is described by: of each entry what it is, with its unit.

    ``of`` names the kind of machine for messages; those of ``whole`` are whole numbers.
    """

    of: str
    words: Mapping[str, str]
    whole: Collection[str] = ()

    def check(self, machine: Described) -> None:
        """Each entry of a frozen machine as its type; ValueError names entry, value and rule."""
        for entry in self.words:
            object.__setattr__(machine, entry, self._checked(entry, getattr(machine, entry)))

    def _checked(self, entry: str, value: object) -> str | int | float:
        said = self.words[entry]
        if entry in TEXTS:
            if not isinstance(value, str) or not value.strip():
                raise ValueError(f"{entry} is {value!r}; it must be a text that says {said}")
            return value
        whole = entry in self.whole
        if (
            isinstance(value, bool)
            or not isinstance(value, int | float)
            or not LOW <= value <= HIGH
            or (whole and value != int(value))
        ):
            rule = f"a positive {'whole number' if whole else 'number'}, at most {HIGH:g}"
            raise ValueError(f"{entry} is {value!r}; it must be {rule}: {said}")
        return int(value) if whole else float(value)

    def preset(self, name: str, presets: Mapping[str, Machine]) -> Machine:
        """The preset of that name; ValueError that lists them where there is none."""
        if name not in presets:
            raise ValueError(
                f"{name!r} is no known {self.of}; choose one of: {', '.join(presets)}, or give a "
                "file that ends with .toml"
            )
        return presets[name]

    def from_toml(self, kind: type[Machine], text: str) -> Machine:
        """What a TOML text describes.

        ValueError in one line where it is no TOML, or an entry is missing, unknown or impossible.
        """
        try:
            data = tomllib.loads(text)
        except (ValueError, RecursionError) as error:
            raise ValueError(f"it is not TOML: {error}") from None
        return self.from_entries(kind, data)

    def from_entries(self, kind: type[Machine], data: Mapping[str, Any]) -> Machine:
        """The machine of these entries; ValueError where one is missing, unknown or impossible."""
        listed = ", ".join(self.words)
        for entry in data:
            if entry not in self.words:
                raise ValueError(f"entry {entry!r} is unknown; the entries are: {listed}")
        if missing := [entry for entry in self.words if entry not in data]:
            raise ValueError(f"no {', '.join(missing)}; every one of these must be given: {listed}")
        return kind(**data)

    def to_toml(self, machine: Described) -> str:
        """A TOML text with every entry and its unit; ``from_toml`` of it gives an equal value."""
        lines = [
            f"{entry} = {_toml(value)}  # {self.words[entry]}"
            for entry, value in asdict(machine).items()
        ]
        return "\n".join(lines) + "\n"


def _toml(value: str | int | float) -> str:
    """Numbers as short as they can be exactly; texts as JSON's, which TOML's basic strings read."""
    if isinstance(value, str):
        return json.dumps(value, ensure_ascii=False).replace("\x7f", "\\u007f")
    if isinstance(value, int):
        return str(value)
    return str(Decimal(repr(value)).normalize()).lower()
