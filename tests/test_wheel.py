"""The package as somebody has it who has no checkout: built, and run in an empty directory."""

import json
import os
import subprocess
import sys
import tomllib
import zipfile
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[1]
PROJECT = tomllib.loads((ROOT / "pyproject.toml").read_text())
SOURCES = ("search_space", "nas", "studies", "pyproject.toml", "README.md", "LICENSE")


def test_every_package_is_packaged() -> None:
    found = {
        ".".join(path.parent.relative_to(ROOT).parts)
        for package in ("search_space", "nas", "studies")
        for path in (ROOT / package).rglob("__init__.py")
    }
    assert set(PROJECT["tool"]["setuptools"]["packages"]) == found


@pytest.fixture(scope="module")
def wheel(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Built from a copy, so that the checkout stays as it is."""
    import shutil

    copy = tmp_path_factory.mktemp("copy")
    for name in SOURCES:
        source = ROOT / name
        if source.is_dir():
            shutil.copytree(source, copy / name, ignore=shutil.ignore_patterns("__pycache__"))
        else:
            shutil.copy(source, copy / name)
    out = tmp_path_factory.mktemp("wheel")
    code = "import sys; from setuptools.build_meta import build_wheel; build_wheel(sys.argv[1])"
    subprocess.run(
        [sys.executable, "-c", code, str(out)], cwd=copy, check=True, capture_output=True
    )
    (built,) = out.glob("*.whl")
    return built


def test_it_holds_all_that_is_read_at_run_time(wheel: Path) -> None:
    names = set(zipfile.ZipFile(wheel).namelist())
    for path in ("nas/tables/fashion-mnist.jsonl", "studies/report/report.css", "nas/py.typed"):
        assert path in names
    assert not any(name.startswith(("tests", "benchmarks", "docs")) for name in names)


def test_the_main_job_runs_from_it_in_an_empty_directory(wheel: Path, tmp_path: Path) -> None:
    """On the table that it brings, and for real; with a page of each."""
    installed, empty = tmp_path / "installed", tmp_path / "empty"
    zipfile.ZipFile(wheel).extractall(installed)
    empty.mkdir()

    def run(*words: str) -> str:
        command = [sys.executable, "-m", "nas", *words]
        environment = os.environ | {"PYTHONPATH": str(installed)}
        done = subprocess.run(
            command, cwd=empty, env=environment, capture_output=True, text=True, check=False
        )
        assert done.returncode == 0, done.stderr
        return done.stdout

    where = "import nas, search_space, studies; print(nas.__file__, studies.__file__)"
    found = subprocess.run(
        [sys.executable, "-c", where],
        cwd=empty,
        env=os.environ | {"PYTHONPATH": str(installed)},
        capture_output=True,
        text=True,
        check=True,
    ).stdout
    assert found.count(str(installed)) == 2
    assert run("--version") == f"inception-nas {PROJECT['project']['version']}\n"
    replayed = run("run", "--trials", "3", "--replay", "fashion-mnist", "--quiet", "--json")
    assert json.loads(replayed)["replayed"]
    small = ("--budgets", "128", "--rungs", "1", "--max-params", "2k", "--resolution", "8")
    real = run("run", "--trials", "1", "--study", "real", "--workers", "1", "--quiet", *small)
    assert "Pareto front of real: 1 of 1 trial" in real
    assert {path.name for path in empty.iterdir()} >= {"nas.db", "real-pareto.html"}
