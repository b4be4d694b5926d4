"""Tables of real evaluations that come with the package, for `nas run --replay NAME`."""

from pathlib import Path

HERE = Path(__file__).parent


def names() -> list[str]:
    """The names of the tables."""
    return sorted(path.stem for path in HERE.glob("*.jsonl"))


def table_path(asked: str | Path) -> Path:
    """The file of a table: of one that comes with the package by its name, else as it is given."""
    path = Path(asked)
    if str(asked) in names() and not path.is_file():
        return HERE / f"{asked}.jsonl"
    return path
