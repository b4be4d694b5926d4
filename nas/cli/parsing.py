"""Options of the command line as values: durations, counts, names, TOML files."""

import re
from pathlib import Path

from nas.datasets.found import PixelRange
from nas.objectives import OBJECTIVES
from nas.text import read_text
from search_space.checks import check_choice
from search_space.space import SearchSpace

UNITS = {"s": 1, "m": 60, "h": 3600, "d": 86400}
SUFFIXES = {"": 1, "k": 10**3, "m": 10**6, "g": 10**9}


def duration(text: str, name: str = "timeout") -> float:
    """Seconds of ``30m``, ``1h30m``, ``90s``, ``90``; ValueError on anything else, and on 0."""
    parts = re.findall(r"(\d+(?:\.\d+)?)([smhd]?)", text.lower())
    whole = "".join(number + unit for number, unit in parts) == text.lower()
    seconds = sum(float(number) * UNITS[unit or "s"] for number, unit in parts)
    if not text or not whole or seconds <= 0 or (len(parts) > 1 and any(not u for _, u in parts)):
        raise ValueError(f"{name} is {text!r}; give a time above 0 such as 90s, 30m or 1h30m")
    return seconds


def short_time(name: str, text: str) -> float:
    """Seconds of ``5ms``, ``200us``, ``0.01s``; ValueError on anything else, and on 0."""
    match = re.fullmatch(r"(\d+(?:\.\d+)?)(us|ms|s)", text.strip().lower())
    seconds = float(match[1]) * {"us": 1e-6, "ms": 1e-3, "s": 1.0}[match[2]] if match else 0.0
    if not 1e-9 <= seconds <= 3600:
        raise ValueError(
            f"{name} is {text!r}; give a time such as 500us, 2.5ms or 1s, up to an hour"
        )
    return seconds


def count(name: str, text: str) -> int:
    """A whole number above 0, also as ``200k``, ``1.5M``, ``2G``; ValueError on anything else."""
    match = re.fullmatch(r"(\d[\d_]*(?:\.\d+)?)([kmg]?)", text.strip().lower())
    value = float(match[1].replace("_", "")) * SUFFIXES[match[2]] if match else 0.0
    if value < 1 or value != int(value):
        raise ValueError(f"{name} is {text!r}; give a whole number above 0 such as 150000 or 150k")
    return int(value)


def pixel_range(text: str | None) -> PixelRange | None:
    """The values of black and white in a text such as ``0:4095``; ValueError on anything else."""
    if text is None:
        return None
    number = r"([+-]?\d+(?:\.\d+)?)"
    found = re.fullmatch(rf"\s*{number}\s*:\s*{number}\s*", text)
    low, high = (float(found[1]), float(found[2])) if found else (0.0, 0.0)
    if not low < high:
        raise ValueError(
            f"--pixel-range is {text!r}; give the values of black and white with a colon between, "
            "the smaller first, such as 0:4095 or 0:1"
        )
    return low, high


def limit(name: str, text: str | None) -> int | None:
    """A whole number above 0 from an option, None where the option isn't given."""
    return None if text is None else count(name, text)


def short_limit(name: str, text: str | None) -> float | None:
    """Seconds from an option such as 2ms, None where the option isn't given."""
    return None if text is None else short_time(name, text)


def budgets(text: str | None) -> tuple[int, ...]:
    """Training images, with commas between; none where nothing is given."""
    return () if text is None else tuple(count("budget", part) for part in names(text))


def sizes(text: str) -> tuple[str, tuple[int, ...]]:
    """A cost and sizes of it, of ``50k,200k`` parameters or ``flops:10M``; ValueError otherwise."""
    cost, colon, listed = text.rpartition(":")
    cost = cost.strip() if colon else "params"
    sized = [name for name, one in OBJECTIVES.items() if one.known and name != "latency"]
    check_choice("cost", cost, sized)
    return cost, tuple(sorted({count("size", part) for part in names(listed)}))


def names(text: str) -> tuple[str, ...]:
    """The parts of a list that is separated by commas, without blanks."""
    return tuple(name.strip() for name in text.split(","))


def read_space(path: Path) -> SearchSpace:
    """The space of a TOML file; ValueError that names the file."""
    text = read_text(path, "space")
    try:
        return SearchSpace.from_toml(text)
    except ValueError as error:
        raise ValueError(f"space {path}: {error}") from None
