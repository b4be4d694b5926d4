"""What a measurement says of where it was made, and the table that every script prints."""

import os
import platform
import statistics
from collections.abc import Sequence
from importlib.metadata import version
from pathlib import Path


def machine() -> str:
    """Processor, cores, and the versions that matter."""
    info = Path("/proc/cpuinfo")
    names = [line for line in info.read_text().splitlines() if "model name" in line]
    name = names[0].split(":")[1].strip() if names else platform.machine()
    packages = ("torch", "lightning", "optuna", "sqlalchemy")
    versions = ", ".join(f"{package} {version(package)}" for package in packages)
    return f"{name}, {os.cpu_count()} cores; Python {platform.python_version()}, {versions}"


def row(what: str, values: Sequence[float], unit: str) -> str:
    """A line of the table: n, median, least and greatest."""
    middle = statistics.median(values)
    return (
        f"| {what} | {len(values)} | {middle:.4g} | {min(values):.4g}..{max(values):.4g} | {unit} |"
    )


def table(rows: Sequence[str]) -> None:
    """Print the rows below their header, and the machine."""
    print("| what | n | median | least..greatest | unit |\n| --- | --- | --- | --- | --- |")
    print("\n".join(rows))
    print(f"\n{machine()}")
