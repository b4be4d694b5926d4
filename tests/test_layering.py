"""Tests of the direction of imports, `search_space <- nas -> studies`, and of these tests."""

import ast
import json
import shutil
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[1]
PACKAGES = ("search_space", "nas", "studies")

SEARCH = {"torch", "torchvision", "lightning", "optuna", "sqlalchemy", "dask", "nas", "studies"}
TRAINING = {"torch", "torchvision", "lightning", "dask", "distributed", "nas", "search_space"}
HEAVY = {
    *("torch", "torchvision", "lightning", "optuna", "sqlalchemy", "plotly", "dask"),
    *("numpy", "scipy", "sklearn", "PIL"),
}

IMPORT = """
import importlib, json, sys
root, *modules = sys.argv[1:]
sys.path.insert(0, root)
for module in modules:
    importlib.import_module(module)
elsewhere = [
    name
    for name, module in sys.modules.items()
    if name.split(".")[0] in {"search_space", "nas", "studies"}
    and not module.__file__.startswith(root)
]
assert not elsewhere, elsewhere
print(json.dumps(sorted({name.split(".")[0] for name in sys.modules})))
"""


def modules(root: Path, package: str) -> list[str]:
    """Every module of a package, by its dotted name."""
    files = (path.relative_to(root) for path in (root / package).rglob("[!_]*.py"))
    return sorted(".".join(path.with_suffix("").parts) for path in files)


def without(root: Path, package: str) -> tuple[list[str], set[str]]:
    """The modules of a package that a rule is about, and what they must not load."""
    if package == "nas":
        return ["nas.cli"], HEAVY
    if package == "studies":
        return modules(root, "studies"), TRAINING
    return [name for name in modules(root, package) if name != "search_space.network"], SEARCH


def loaded(root: Path, package: str) -> list[str]:
    """What a fresh interpreter loads that it must not, as ``package loads x``."""
    names, forbidden = without(root, package)
    # -I: neither the directory that the tests run in nor PYTHONPATH
    command = [sys.executable, "-I", "-c", IMPORT, str(root), *names]
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
    return [f"{package} loads {name}" for name in json.loads(done.stdout) if name in forbidden]


def imported(path: Path) -> Iterator[str]:
    """Top-level names that a file imports anywhere, inside functions too."""
    for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
        if isinstance(node, ast.Import):
            yield from (alias.name.split(".")[0] for alias in node.names)
        elif isinstance(node, ast.ImportFrom):
            yield path.parent.name if node.level else str(node.module).split(".")[0]


def written(root: Path) -> list[str]:
    """Imports in the leaves' files that must not be there, as ``file imports x``."""
    out = []
    for package, rule in (("search_space", SEARCH), ("studies", TRAINING)):
        for path in sorted((root / package).rglob("*.py")):
            network = path.relative_to(root) == Path("search_space/network.py")
            forbidden = rule - {"torch"} if network else rule
            found = sorted(set(imported(path)) & forbidden)
            out += [f"{path.relative_to(root).as_posix()} imports {name}" for name in found]
    return out


def test_no_file_of_a_leaf_imports_upwards_or_sideways() -> None:
    assert written(ROOT) == []


@pytest.mark.parametrize("package", PACKAGES)
def test_nothing_heavy_is_loaded(package: str) -> None:
    assert loaded(ROOT, package) == []


def test_only_network_needs_torch() -> None:
    files = (ROOT / "search_space").rglob("*.py")
    assert [path.name for path in files if "torch" in imported(path)] == ["network.py"]


@pytest.fixture
def copy(tmp_path: Path) -> Path:
    for package in PACKAGES:
        ignored = shutil.ignore_patterns("__pycache__")
        shutil.copytree(ROOT / package, tmp_path / package, ignore=ignored)
    return tmp_path


def add_line(path: Path, line: str) -> None:
    path.write_text(path.read_text(encoding="utf-8") + line + "\n", encoding="utf-8")


@pytest.mark.parametrize(
    ("file", "line", "found"),
    [
        ("search_space/graph.py", "import torch.nn", "torch"),
        ("search_space/size.py", "def f():\n    from torch import nn", "torch"),
        ("search_space/network.py", "import lightning", "lightning"),
        ("search_space/cost.py", "from studies.pareto import front", "studies"),
        ("search_space/words.py", "from nas import seeds", "nas"),
        ("search_space/drawing/svg.py", "import torch", "torch"),
        ("studies/pareto.py", "import search_space.cost as c", "search_space"),
        ("studies/plots.py", "if False:\n    import numpy, nas.cli", "nas"),
        ("studies/schema.py", "import torch", "torch"),
    ],
)
def test_a_forbidden_import_is_seen(copy: Path, file: str, line: str, found: str) -> None:
    assert written(copy) == []
    add_line(copy / file, line)
    assert written(copy) == [f"{file} imports {found}"]


@pytest.mark.parametrize(
    ("file", "line", "found"),
    [
        ("search_space/graph.py", "import sqlalchemy", ["search_space loads sqlalchemy"]),
        ("search_space/graph.py", "from nas import seeds", ["search_space loads nas"]),
        ("search_space/source/bricks.py", "import sqlalchemy", ["search_space loads sqlalchemy"]),
        ("studies/pareto.py", "__import__('search_space')", ["studies loads search_space"]),
        ("nas/cli/networks.py", "import plotly", ["nas loads plotly"]),
        ("nas/sampling/samplers.py", "import sqlalchemy", ["nas loads sqlalchemy"]),
    ],
)
def test_a_forbidden_load_is_seen(copy: Path, file: str, line: str, found: list[str]) -> None:
    package = file.split("/")[0]
    assert loaded(copy, package) == []
    add_line(copy / file, line)
    assert loaded(copy, package) == found
