"""The map of the files: `python docs/map.py` writes docs/files.md from their first lines."""

import ast
from collections.abc import Iterator
from pathlib import Path

ROOT = Path(__file__).parent.parent
PACKAGES = ("search_space", "nas", "studies", "benchmarks", "tests", "docs")

HEAD = """\
# The map of the files

Every directory and module with the first line of its docstring. `search_space` and `studies` never
import each other; `nas` stands on both, and a test checks it. Made by `python docs/map.py`; a test
holds it against the disk.

```text
"""


def first_line(path: Path) -> str:
    """The first line of a module's docstring, without its full stop; empty if it has none."""
    doc = ast.get_docstring(ast.parse(path.read_text(encoding="utf-8"))) or ""
    return doc.partition("\n")[0].removesuffix(".")


def rows(directory: Path, depth: int) -> Iterator[tuple[str, str]]:
    """A directory's modules and directories, each with what is in it, and indented."""
    for path in sorted(directory.iterdir(), key=lambda path: (path.is_dir(), path.name)):
        indent = "  " * depth
        if path.suffix == ".py" and path.stem != "__init__":
            yield f"{indent}{path.name}", first_line(path)
        elif path.is_dir() and any(path.rglob("*.py")):
            init = path / "__init__.py"
            yield f"{indent}{path.name}/", first_line(init) if init.exists() else ""
            yield from rows(path, depth + 1)


def text() -> str:
    """The whole page."""
    lines = []
    for package in PACKAGES:
        init = ROOT / package / "__init__.py"
        found = [(f"{package}/", first_line(init) if init.exists() else "")]
        for name, words in [*found, *rows(ROOT / package, 1)]:
            lines.append(f"{name:30}  {words}".rstrip())
    return HEAD + "\n".join(lines) + "\n```\n"


if __name__ == "__main__":
    (ROOT / "docs" / "files.md").write_text(text(), encoding="utf-8")
