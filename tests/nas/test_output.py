"""What the system refuses, and terminals and files of every kind: one line, and an exit code."""

import os
import shutil
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import pytest

from search_space.analysis.hardware import PRESETS, to_toml
from search_space.space import SearchSpace

Run = Callable[..., tuple[int, str, str]]
MADE = Path(__file__).parent / "made_by_0_1"


def run(
    *arguments: str, cwd: Path, shell: str = "", **environment: str
) -> subprocess.CompletedProcess[str]:
    """The installed command in a process of its own; ``shell`` goes on after it."""
    command = " ".join([f"{Path(sys.executable).parent}/nas", *arguments, shell])
    return subprocess.run(
        ["/bin/sh", "-c", command],
        cwd=cwd,
        env=os.environ | environment,
        capture_output=True,
        text=True,
    )


@pytest.fixture
def studied(tmp_path: Path) -> Path:
    """A directory with a study in nas.db."""
    shutil.copy(MADE / "study.sqlite", tmp_path / "nas.db")
    return tmp_path


@pytest.mark.parametrize("command", ["pareto", "studies", "studies --json", "space", "--help"])
def test_a_full_disk_is_one_line(studied: Path, command: str) -> None:
    done = run(command, cwd=studied, shell="> /dev/full")
    assert done.returncode == 1
    assert done.stderr.count("\n") == 1
    assert done.stderr.startswith("error: the output can't be written: No space left on device; ")


def test_a_reader_that_has_gone_away_is_no_news(studied: Path) -> None:
    done = run("space", cwd=studied, shell="| true")
    assert done.stderr == ""


@pytest.mark.parametrize("encoding", ["ascii", "latin-1", "cp1252"])
def test_what_a_terminal_cannot_show_is_replaced(studied: Path, encoding: str) -> None:
    for command in ("pareto", "studies", "show 0"):
        done = run(command, cwd=studied, PYTHONIOENCODING=encoding)
        assert (done.returncode, done.stderr) == (0, "")
        assert done.stdout
    done = run("show", "'\N{SNOWMAN}'", cwd=studied, PYTHONIOENCODING=encoding)
    assert done.returncode == 2
    assert "\\u2603" in done.stderr
    assert done.stderr.count("\n") == 1


def test_a_directory_that_is_gone_is_one_line(studied: Path) -> None:
    (studied / "gone").mkdir()
    done = run("studies", cwd=studied / "gone", shell="; true")
    assert done.stderr.startswith("error: storage sqlite:///nas.db does not exist")
    script = "cd gone; rmdir ../gone; exec nas pareto"
    path = f"{Path(sys.executable).parent}:{os.environ['PATH']}"
    done = subprocess.run(
        ["/bin/sh", "-c", script],
        cwd=studied,
        env=os.environ | {"PATH": path},
        capture_output=True,
        text=True,
    )
    assert done.returncode in (1, 2)
    assert done.stderr.count("\n") == 1
    assert done.stderr.startswith("error: ")


def test_the_module_is_the_command(studied: Path) -> None:
    done = subprocess.run(
        [sys.executable, "-m", "nas", "pareto", "--json"], cwd=studied, capture_output=True
    )
    assert done.returncode == 0
    assert done.stdout == run("pareto", "--json", cwd=studied).stdout.encode()
    helped = subprocess.run([sys.executable, "-m", "nas", "--help"], capture_output=True, text=True)
    assert helped.stdout.startswith("Usage: nas [OPTIONS]") or "Usage: nas [" in helped.stdout


ENCODINGS = ["utf-8", "utf-8-sig", "utf-16", "utf-16-le", "utf-32"]


@pytest.mark.parametrize("encoding", ENCODINGS)
@pytest.mark.parametrize("ends", ["\n", "\r\n"])
def test_text_of_any_unicode_is_read(nas_in: Run, tmp_path: Path, encoding: str, ends: str) -> None:
    def write(name: str, text: str) -> None:
        (tmp_path / name).write_bytes(text.replace("\n", ends).encode(encoding))

    space = SearchSpace().to_toml()
    write("space.toml", space)
    write("mine.toml", to_toml(PRESETS["a100"]))
    write("network.json", nas_in("show", "inception-28", "--json")[1])
    for command in (
        ("space", "--space", "space.toml", "--toml"),
        ("compare", "network.json", "--hardware", "mine.toml"),
        ("shapes", "network.json"),
    ):
        code, out, err = nas_in(*command)
        assert (code, err) == (0, "")
        if "--toml" in command:
            assert out == space


@pytest.mark.parametrize("encoding", ENCODINGS)
def test_a_table_of_any_unicode_is_read_and_added_to(
    nas_in: Run, studied: Path, encoding: str
) -> None:
    assert nas_in("studies", "--export", "t.jsonl")[0] == 0
    plain = Path("t.jsonl").read_bytes()
    Path("t.jsonl").write_bytes(plain.decode().encode(encoding))
    code, _, err = nas_in("studies", "--export", "t.jsonl")
    assert code == 0
    assert ", 0 of them new" in err
    assert Path("t.jsonl").read_bytes() == plain


@pytest.mark.parametrize("content", [b"caf\xe9 = 1", bytes(range(128, 256)), b"\xfe\xff\xd8\x00"])
def test_what_is_no_unicode_is_one_line(nas_in: Run, tmp_path: Path, content: bytes) -> None:
    for name in ("x.toml", "x.json"):
        (tmp_path / name).write_bytes(content)
    for command in (
        ("space", "--space", "x.toml"),
        ("compare", "inception-28", "--hardware", "x.toml"),
        ("show", "x.json"),
    ):
        code, out, err = nas_in(*command)
        assert (code, out) == (2, "")
        assert "save it as UTF-8" in err
        assert err.count("\n") == 1
