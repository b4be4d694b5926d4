"""README, CONTRIBUTING and .ci/run say what is there: commands, options, the map, the tests."""

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
COMMANDS = get_command(cli.application()).commands  # type: ignore[attr-defined]


def blocks(text: str, language: str) -> list[str]:
    return re.findall(rf"^```{language}\n(.*?)^```", text, re.MULTILINE | re.DOTALL)


@pytest.mark.parametrize("name", COMMANDS)
def test_every_command_is_documented(name: str) -> None:
    assert re.search(rf"^\| `nas {name}\b", README, re.MULTILINE)


@pytest.mark.parametrize("option", ["sampler", "objectives"])
def test_the_choices_of_an_option_are_documented(option: str) -> None:
    from nas.objectives import OBJECTIVES
    from nas.sampling.samplers import SAMPLERS

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


def test_the_map_is_the_disk() -> None:
    """Every directory and module, with the first line of its docstring."""
    made = subprocess.run(
        [sys.executable, "-c", "import map; print(map.text(), end='')"],
        cwd=ROOT / "docs",
        capture_output=True,
        text=True,
        check=True,
    )
    said = (ROOT / "docs" / "files.md").read_text()
    assert made.stdout == said, "run `python docs/map.py`"
    assert "  trainer.py " in said


@pytest.mark.parametrize("directory", DIRECTORIES)
def test_every_file_says_what_is_in_it(directory: str) -> None:
    for path in (ROOT / directory).rglob("*.py"):
        assert path.read_text().startswith('"""'), path


def test_links_and_pictures_of_the_readme_are_there() -> None:
    targets = set(re.findall(r"\]\(([^)#]+)", README)) | set(re.findall(r'src="([^"]+)"', README))
    assert {"docs/front.png", "docs/network.svg"} <= targets
    for target in targets:
        assert "://" in target or (ROOT / target).exists(), target


@pytest.mark.parametrize("name", ["README.md", "benchmarks/README.md"])
def test_nothing_waits_to_be_filled_in(name: str) -> None:
    assert not re.search(r"^[A-Z]{5,}$|\| [A-Z]{5,} \|", (ROOT / name).read_text(), re.MULTILINE)
