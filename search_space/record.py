"""Frozen dataclasses with a JSON round trip and a canonical key."""

import dataclasses
import hashlib
import json
from collections.abc import Mapping
from functools import cached_property
from typing import Any, Self

from search_space.checks import check_choice


class Record:
    """A frozen dataclass with a JSON form, in which fields that have their default are left out.

    A field that holds records, or a tuple of them, names their class in its metadata as ``of``.
    """

    def to_json(self) -> dict[str, Any]:
        """Plain JSON data; ``from_json`` gives an equal value back."""
        out: dict[str, Any] = {}
        for spec in dataclasses.fields(self):  # type: ignore[arg-type]
            value = getattr(self, spec.name)
            if value == spec.default:
                continue
            if spec.type is float:
                value = float(value)  # 1 and 1.0 are equal, so they must read the same
            if isinstance(value, Record):
                value = value.to_json()
            elif isinstance(value, tuple):
                value = [item.to_json() if isinstance(item, Record) else item for item in value]
            out[spec.name] = value
        return out

    @classmethod
    def from_json(cls, data: Mapping[str, Any]) -> Self:
        """The value that ``to_json`` described; ValueError on anything else."""
        if not isinstance(data, Mapping):
            raise ValueError(f"{cls.__name__} is {data!r}; it must be a JSON object")
        specs = {spec.name: spec for spec in dataclasses.fields(cls)}  # type: ignore[arg-type]
        for name in data:
            check_choice(f"field of {cls.__name__}", name, specs)
        values: dict[str, Any] = {}
        for name, spec in specs.items():
            if name not in data:
                if spec.default is dataclasses.MISSING:
                    raise ValueError(f"{cls.__name__} has no {name!r}; it must be given")
                continue
            part = spec.metadata.get("of")
            value = data[name]
            if part and isinstance(value, list):
                value = tuple(part.from_json(item) for item in value)
            elif part:
                value = part.from_json(value)
            elif isinstance(value, list):
                value = tuple(value)
            values[name] = value
        return cls(**values)

    @cached_property
    def key(self) -> str:
        """16 hexadecimal digits: equal exactly for equal values."""
        text = json.dumps(self.to_json(), sort_keys=True, separators=(",", ":"))
        return hashlib.sha256(text.encode()).hexdigest()[:16]
