"""Which package may import which: `search_space <- nas -> studies`, and nas/ from top to bottom."""

import ast
import json
import shutil
import subprocess
import sys
from collections.abc import Iterator, Mapping
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[1]
PACKAGES = ("search_space", "nas", "studies")

ROOMS = (
    ("cli",),
    ("api",),
    ("reporting",),
    ("full_training",),
    ("study",),
    ("workers",),
    ("short_run",),
    ("sampling",),
    ("model", "subjects", "axes", "machines"),
    ("settings",),
    ("rungs",),
    ("datasets",),
    (
        "metrics",
        "objectives",
        "tables",
        "progress",
        "text",
        "files",
        "seeds",
        "threads",
        "memory",
        "interrupt",
        "defaults",
    ),
)
"""What is in nas/, from top to bottom: each imports only from what stands below it."""

SEARCH = {"torch", "torchvision", "lightning", "optuna", "sqlalchemy", "dask", "nas", "studies"}
TRAINING = {"torch", "torchvision", "lightning", "dask", "distributed", "nas", "search_space"}
HEAVY = {
    *("torch", "torchvision", "lightning", "optuna", "sqlalchemy", "plotly", "dask"),
    *("numpy", "scipy", "sklearn", "PIL"),
}

IMPORT = """
import contextlib, importlib, io, json, sys
root, *modules = sys.argv[1:]
sys.path.insert(0, root)
for module in modules:
    importlib.import_module(module)
if "nas.cli" in modules:  # then every help text too
    from nas.cli import application
    app = application()
    with contextlib.redirect_stdout(io.StringIO()) as shown:
        for command in [None, *app.registered_commands]:
            words = [] if command is None else [command.name]
            app([*words, "--help"], standalone_mode=False)
    assert shown.getvalue().count("Usage:") == 1 + len(app.registered_commands)
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


def parsed(root: Path) -> dict[str, ast.Module]:
    """Every module of ours by its dotted name, a package by its own."""
    out = {}
    for package in PACKAGES:
        for path in (root / package).rglob("*.py"):
            parts = path.relative_to(root).with_suffix("").parts
            name = ".".join(parts[:-1] if parts[-1] == "__init__" else parts)
            out[name] = ast.parse(path.read_text(encoding="utf-8"))
    return out


@pytest.fixture(scope="session")
def trees() -> dict[str, ast.Module]:
    return parsed(ROOT)


def imported(tree: ast.Module) -> Iterator[str]:
    """The dotted names that a file imports anywhere, inside functions and for types alone too."""
    for node in ast.walk(tree):
        if isinstance(node, ast.Import):
            yield from (alias.name for alias in node.names)
        elif isinstance(node, ast.ImportFrom):
            assert not node.level, "imports are absolute"
            yield from (f"{node.module}.{alias.name}" for alias in node.names)


def graph(trees: Mapping[str, ast.Module]) -> dict[str, set[str]]:
    """The modules that each module imports."""
    out: dict[str, set[str]] = {}
    for name, tree in trees.items():
        found = set()
        for target in imported(tree):
            module = target if target in trees else target.rpartition(".")[0]
            if module in trees and module != name:
                found.add(module)
        out[name] = found
    return out


def circles(edges: Mapping[str, set[str]]) -> list[list[str]]:
    """Groups of modules that import each other, directly or through others (Tarjan 1972)."""
    index: dict[str, int] = {}
    low: dict[str, int] = {}
    stack: list[str] = []
    out: list[list[str]] = []

    def visit(one: str) -> None:
        index[one] = low[one] = len(index)
        stack.append(one)
        for other in sorted(edges[one]):
            if other not in index:
                visit(other)
                low[one] = min(low[one], low[other])
            elif other in stack:
                low[one] = min(low[one], index[other])
        if low[one] == index[one]:
            group = stack[stack.index(one) :]
            del stack[stack.index(one) :]
            if len(group) > 1:
                out.append(sorted(group))

    for one in sorted(edges):
        if one not in index:
            visit(one)
    return out


def climbing(edges: Mapping[str, set[str]]) -> list[str]:
    """Imports in nas/ that go up or sideways, as ``module imports module``."""
    floors = {f"nas.{name}": floor for floor, names in enumerate(ROOMS) for name in names}

    def room(module: str) -> str:
        return ".".join(module.split(".")[:2])

    inside = {one for one in edges if one.startswith("nas.") and one != "nas.__main__"}
    unknown = {room(one) for one in inside} - floors.keys()
    assert not unknown, f"not in ROOMS: {unknown}"
    return sorted(
        f"{one} imports {other}"
        for one in inside
        for other in edges[one] & inside
        if room(one) != room(other) and floors[room(one)] >= floors[room(other)]
    )


def written(trees: Mapping[str, ast.Module]) -> list[str]:
    """Imports in the leaves' files that must not be there, as ``module imports name``."""
    out = []
    for package, rule in (("search_space", SEARCH), ("studies", TRAINING)):
        for name, tree in sorted(trees.items()):
            if name.split(".")[0] == package:
                forbidden = rule - {"torch"} if name == "search_space.network" else rule
                found = {target.split(".")[0] for target in imported(tree)} & forbidden
                out += [f"{name} imports {target}" for target in sorted(found)]
    return out


def test_no_file_of_a_leaf_imports_upwards_or_sideways(trees: dict[str, ast.Module]) -> None:
    assert written(trees) == []


def test_nothing_imports_in_a_circle(trees: dict[str, ast.Module]) -> None:
    assert circles(graph(trees)) == []


def test_every_import_in_nas_goes_down(trees: dict[str, ast.Module]) -> None:
    assert climbing(graph(trees)) == []


@pytest.mark.parametrize("package", PACKAGES)
def test_nothing_heavy_is_loaded(package: str) -> None:
    assert loaded(ROOT, package) == []


def test_only_network_needs_torch(trees: dict[str, ast.Module]) -> None:
    torch = {
        name for name, tree in trees.items() if "torch" in {i.split(".")[0] for i in imported(tree)}
    }
    assert {name for name in torch if name.startswith("search_space")} == {"search_space.network"}


@pytest.fixture(scope="session")
def whole(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """One copy of the packages, for all that put something into it."""
    root = tmp_path_factory.mktemp("copy")
    for package in PACKAGES:
        ignored = shutil.ignore_patterns("__pycache__")
        shutil.copytree(ROOT / package, root / package, ignore=ignored)
    return root


@pytest.fixture
def copy(whole: Path) -> Iterator[Path]:
    """That copy, as it was again afterwards."""
    before = {path: path.read_bytes() for path in whole.rglob("*.py")}
    yield whole
    for path, content in before.items():
        if path.read_bytes() != content:
            path.write_bytes(content)


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
def test_a_forbidden_import_is_seen(
    trees: dict[str, ast.Module], file: str, line: str, found: str
) -> None:
    name = file.removesuffix(".py").replace("/", ".")
    more = ast.Module([*trees[name].body, *ast.parse(line).body], [])
    assert written({**trees, name: more}) == [f"{name} imports {found}"]


@pytest.mark.parametrize(
    ("module", "line", "group"),
    [
        ("nas.seeds", "import nas.threads\nfrom nas import seeds", None),
        ("nas.threads", "if TYPE_CHECKING:\n    from nas.short_run import latency", "latency"),
        (
            "studies.store",
            "def f():\n    from studies.earlier import load_earlier",
            "studies.earlier",
        ),
        ("search_space.graph", "from search_space.cost import cost", "search_space.cost"),
    ],
)
def test_a_circle_is_seen(
    trees: dict[str, ast.Module], module: str, line: str, group: str | None
) -> None:
    more = ast.Module([*trees[module].body, *ast.parse(line).body], [])
    found = circles(graph({**trees, module: more}))
    assert bool(found) is (group is not None)
    if group:
        assert any(module in one and any(group in name for name in one) for one in found)


@pytest.mark.parametrize(
    ("module", "line", "found"),
    [
        ("nas.datasets.split", "from nas.settings import Settings", "nas.settings"),
        (
            "nas.rungs.history",
            "def f():\n    import nas.sampling.samplers",
            "nas.sampling.samplers",
        ),
        ("nas.workers.protocol", "from nas.study.until import Until", "nas.study.until"),
        ("nas.reporting.tables", "from nas.cli.options import Json", "nas.cli.options"),
    ],
)
def test_an_import_that_climbs_is_seen(
    trees: dict[str, ast.Module], module: str, line: str, found: str
) -> None:
    more = ast.Module([*trees[module].body, *ast.parse(line).body], [])
    assert f"{module} imports {found}" in climbing(graph({**trees, module: more}))


@pytest.mark.parametrize(
    ("file", "line", "found"),
    [
        ("search_space/graph.py", "import sqlalchemy", ["search_space loads sqlalchemy"]),
        ("search_space/graph.py", "from nas import seeds", ["search_space loads nas"]),
        ("search_space/source/bricks.py", "import sqlalchemy", ["search_space loads sqlalchemy"]),
        ("studies/pareto.py", "__import__('search_space')", ["studies loads search_space"]),
        ("nas/cli/show.py", "import plotly", ["nas loads plotly"]),
        ("nas/settings.py", "import numpy", ["nas loads numpy"]),
        ("nas/sampling/samplers.py", "import sqlalchemy", ["nas loads sqlalchemy"]),
    ],
)
def test_a_forbidden_load_is_seen(copy: Path, file: str, line: str, found: list[str]) -> None:
    add_line(copy / file, line)
    assert loaded(copy, file.split("/")[0]) == found
