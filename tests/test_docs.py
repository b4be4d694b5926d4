"""README, CONTRIBUTING and .ci/run say what is there: commands, options, the tree, the tests."""

import ast
import re
import subprocess
import sys
from pathlib import Path

import pytest
from typer.main import get_command

from nas import cli
from search_space.space import SearchSpace

ROOT = Path(__file__).parent.parent
README = (ROOT / "README.md").read_text()
PAGES = sorted((ROOT / "docs").glob("*.md"))
CONTRIBUTING = (ROOT / "CONTRIBUTING.md").read_text()
DIRECTORIES = ("search_space", "nas", "studies", "tests", "benchmarks")
COMMANDS = get_command(cli.app).commands  # type: ignore[attr-defined]


def blocks(text: str, language: str) -> list[str]:
    return re.findall(rf"^```{language}\n(.*?)^```", text, re.MULTILINE | re.DOTALL)


@pytest.mark.parametrize("name", COMMANDS)
def test_every_command_is_documented(name: str) -> None:
    assert re.search(rf"^\| `nas {name}\b", README, re.MULTILINE)


@pytest.mark.parametrize("option", ["sampler", "objectives"])
def test_the_choices_of_an_option_are_documented(option: str) -> None:
    from nas.objectives import OBJECTIVES
    from nas.samplers import SAMPLERS

    table = {"sampler": SAMPLERS, "objectives": OBJECTIVES}[option]
    said = re.search(rf"`--{option}` (?:is )?(?:one of|any of)\s+([^;`]+?)[;.]\s", README)
    assert said
    assert set(re.split(r",\s+|\s+and\s+", said[1])) == set(table)


def test_options_that_are_documented_exist() -> None:
    parameters = [p for command in COMMANDS.values() for p in command.params]
    known = {option for p in parameters for option in (*p.opts, *p.secondary_opts)}
    known |= {"--help", "--port"}
    ours = "".join(page.read_text() for page in PAGES if page.stem != "cluster")  # of Dask too
    said = set(re.findall(r"(?<![\w-])--[a-z][a-z0-9-]+", README + ours))
    assert said - {"--check"} <= known


def test_ci_calls_exactly_the_test_command_of_the_readme() -> None:
    commands = [line for block in blocks(README, "sh") for line in block.splitlines()]
    tests = [line for line in commands if "pytest" in line]
    assert len(tests) == 1
    assert (ROOT / ".ci" / "run").read_text().splitlines().count(tests[0]) == 1
    for tool in ("ruff check", "ruff format --check", "mypy"):
        assert tool in tests[0]


def test_both_commands_make_the_environment_themselves() -> None:
    first, second = (block.strip() for block in blocks(README, "sh")[:2])
    for command in (first, second):
        assert command.startswith("python3 -m venv .venv && .venv/bin/pip install ")
        assert "-c constraints.txt" in command
    assert "nas run --trials 200 --resolution 28" in first


def test_the_api_can_be_read(tmp_path: Path) -> None:
    """Every module of every package, without a warning."""
    command = [sys.executable, "docs/api.py", str(tmp_path)]
    done = subprocess.run(command, cwd=ROOT, capture_output=True, text=True)
    assert done.returncode == 0, done.stderr
    assert "run_study" in (tmp_path / "nas.html").read_text()
    modules = {path.relative_to(ROOT).with_suffix("") for path in ROOT.glob("nas/**/*.py")}
    pages = {path.relative_to(tmp_path).with_suffix("") for path in tmp_path.rglob("*.html")}
    assert {module for module in modules if module.name != "__init__"} <= pages


def test_the_slow_tests_have_their_command() -> None:
    assert "pytest -n 2 -m slow" in CONTRIBUTING


def test_the_guides_space_is_one() -> None:
    (text,) = blocks((ROOT / "docs" / "space.md").read_text(), "toml")
    assert SearchSpace.from_toml(text).choices("stage1.width") == (16, 32)


def test_the_tree_is_the_disk() -> None:
    """Every directory, and below it every module with the first line of its docstring."""
    (tree,) = blocks(README, "text")
    said: dict[str, str] = {}
    above: list[str] = []
    for line in tree.splitlines():
        name, words = line.split(maxsplit=1)
        depth = (len(line) - len(line.lstrip())) // 2
        above = [*above[:depth], name]
        said["".join(above)] = words
    packages = ("search_space", "nas", "studies", "benchmarks")
    files = [path for package in packages for path in (ROOT / package).rglob("*.py")]
    there = {
        str(path.relative_to(ROOT)): first_line(path) for path in files if path.stem != "__init__"
    }
    assert {name: words for name, words in said.items() if name.endswith(".py")} == there
    below = {f"{path.parent.relative_to(ROOT)}/" for path in files} - {f"{p}/" for p in packages}
    directories = {name for name in said if name.endswith("/")}
    assert directories == {f"{p}/" for p in DIRECTORIES} | below
    for directory in below:
        assert said[directory] == first_line(ROOT / directory / "__init__.py")


def first_line(path: Path) -> str:
    doc = ast.get_docstring(ast.parse(path.read_text()))
    assert doc, path
    return doc.splitlines()[0].rstrip(".")


@pytest.mark.parametrize("path", sorted((ROOT / "benchmarks").glob("*.py")), ids=lambda p: p.name)
def test_every_benchmark_has_its_line(path: Path) -> None:
    if path.name != "machine.py":
        assert f"`{path.name}" in (ROOT / "benchmarks" / "README.md").read_text()


@pytest.mark.parametrize("directory", DIRECTORIES)
def test_every_file_says_what_is_in_it_and_is_short(directory: str) -> None:
    for path in (ROOT / directory).rglob("*.py"):
        lines = path.read_text().splitlines()
        assert lines[0].startswith('"""'), path
        assert len(lines) <= 350, path


@pytest.mark.parametrize("name", ["README.md", "benchmarks/README.md"])
def test_nothing_waits_to_be_filled_in(name: str) -> None:
    assert not re.search(r"^[A-Z]{5,}$|\| [A-Z]{5,} \|", (ROOT / name).read_text(), re.MULTILINE)
