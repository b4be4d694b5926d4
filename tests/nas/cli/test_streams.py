"""Output that can't be written or shown, and ends that nobody foresaw: one line, an exit code."""

import os
import signal
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from nas import cli
from nas.settings import Settings
from studies.evaluation import Evaluation

ASCII = {
    "PYTHONIOENCODING=ascii": {"PYTHONIOENCODING": "ascii"},
    "PYTHONIOENCODING=latin-1": {"PYTHONIOENCODING": "latin-1"},
    "LC_ALL=C": {"LC_ALL": "C", "PYTHONUTF8": "0", "PYTHONCOERCECLOCALE": "0"},
}
COMMANDS = {
    "studies": ["studies"],
    "pareto": ["pareto", "--study", "s"],
    "json": ["studies", "--json"],
    "show": ["show", "inception-28"],
    "help": ["run", "--help"],
    "help of all": ["--help"],
}


@pytest.fixture(scope="module")
def database(make_database: Callable[..., Path], tiny_toml: Path) -> Path:
    from search_space.space import SearchSpace

    space = SearchSpace.from_toml(tiny_toml.read_text())
    settings = Settings(space=space, sampler="random", budgets=(256,), resolution=8)
    result = Evaluation(0.5, 1.0, (), 0.1, 10.0, "here", {})
    return make_database(settings, 3, lambda request: result)


Call = Callable[..., "subprocess.CompletedProcess[bytes]"]


@pytest.fixture(params=["buffered", "unbuffered"])
def call(request: pytest.FixtureRequest, nas: str, database: Path) -> Call:
    """`nas` beside the database, its output buffered as usual, or not at all."""
    unbuffered = {"PYTHONUNBUFFERED": "1" if request.param == "unbuffered" else ""}

    def call(*command: str, shell: str = "exec", **options: Any) -> Any:
        environment = os.environ | unbuffered | options.pop("env", {})
        options = {"stdout": subprocess.PIPE, "stderr": subprocess.PIPE} | options
        storage = () if "--help" in command or command[0] == "space" else storage_of(database)
        line = [*command, *storage]
        given = ["bash", "-c", f'{shell} "$@"', "bash", nas, *line]
        given = given if shell != "exec" else [nas, *line]
        return subprocess.run(given, env=environment, check=False, **options)

    return call


def storage_of(database: Path) -> tuple[str, str]:
    return "--storage", f"sqlite:///{database}"


@pytest.mark.parametrize("command", [COMMANDS["pareto"], COMMANDS["show"], COMMANDS["help"]])
def test_a_full_output_is_one_line(call: Call, command: list[str]) -> None:
    with open("/dev/full", "wb") as full:
        done = call(*command, stdout=full)
    words = "error: the output can't be written: No space left on device\n"
    assert (done.returncode, done.stderr.decode()) == (1, words)


def test_a_closed_output_is_one_line_and_no_other_file_takes_its_place(
    call: Call, database: Path
) -> None:
    before = database.read_bytes()
    done = call("studies", shell="exec >&-;")
    words = "error: the output can't be written: it is closed; send it to /dev/null\n"
    assert (done.returncode, done.stderr.decode()) == (1, words)
    assert database.read_bytes() == before


def test_a_pipe_that_nobody_reads_is_quiet(call: Call) -> None:
    read, write = os.pipe()
    os.close(read)
    with open(write, "wb") as pipe:
        done = call("pareto", "--study", "s", stdout=pipe)
    assert (done.returncode, done.stderr) == (141, b"")


@pytest.mark.parametrize("shell", ["exec 2>&-;", "exec 2>/dev/full;"])
def test_without_standard_error_the_output_and_the_code_are_there(call: Call, shell: str) -> None:
    assert call("studies", "--json", shell=shell).stdout.startswith(b"[")
    done = call("pareto", "--study", "none", shell=shell)
    assert (done.returncode, done.stdout) == (2, b"")


@pytest.mark.parametrize("command", COMMANDS.values(), ids=COMMANDS)
@pytest.mark.parametrize("terminal", ["PYTHONIOENCODING=ascii", "LC_ALL=C"])
def test_what_a_terminal_cannot_show_is_replaced(
    nas: str, database: Path, command: list[str], terminal: str
) -> None:
    storage = () if "--help" in command or command[0] == "show" else storage_of(database)
    environment = os.environ | ASCII[terminal]
    done = subprocess.run(
        [nas, *command, *storage], env=environment, capture_output=True, check=False
    )
    assert (done.returncode, done.stderr) == (0, b"")
    assert done.stdout.decode("latin-1")


@pytest.mark.parametrize("terminal", ASCII)
def test_names_are_readable_in_whatever_a_terminal_can_show(
    nas: str, terminal: str, tmp_path: Path
) -> None:
    name = "é→…中\udcff.toml"
    done = subprocess.run(
        [nas, "space", "--space", os.fsencode(name)],
        env=os.environ | ASCII[terminal] | {"PYTHONUTF8": "1"},
        cwd=tmp_path,
        capture_output=True,
        check=False,
    )
    letter = "é" if "latin" in terminal else "e"
    assert done.returncode == 2
    if "IOENCODING" in terminal:
        assert f"error: space {letter}->...??.toml" in done.stderr.decode("latin-1")
    else:
        assert "error: space é→…中?.toml" in done.stderr.decode()


def test_ctrl_c_is_one_line(nas: str, tmp_path: Path) -> None:
    """While a command waits for somebody to write into a named pipe, which is its space."""
    os.mkfifo(tmp_path / "pipe")
    process = subprocess.Popen(
        [nas, "space", "--space", "pipe"], cwd=tmp_path, stderr=subprocess.PIPE, text=True
    )
    with (tmp_path / "pipe").open("wb"):  # waits until it reads there
        process.send_signal(signal.SIGINT)
        _, words = process.communicate()
    assert (process.returncode, words) == (130, "stopped\n")


def test_a_working_directory_that_is_gone_is_said(nas: str, tmp_path: Path) -> None:
    place = tmp_path / "place"
    for command in ("studies", "train inception-28 --epochs 1", "predict model image"):
        place.mkdir()
        gone = f"rmdir {place}; exec {nas} {command}"
        done = subprocess.run(
            ["bash", "-c", gone], cwd=place, capture_output=True, text=True, check=False
        )
        words = "error: the working directory is gone; change to one that is there\n"
        assert (done.returncode, done.stderr) == (2, words)


@pytest.mark.parametrize(
    ("error", "code", "words"),
    [
        (MemoryError(), 1, "error: not enough memory; end other programs, or ask for less at once"),
        (OSError(28, "No space left on device", "/x/y"), 2, "error: /x/y: No space left on device"),
        (OSError(24, "Too many open files"), 2, "error: Too many open files"),
        (OSError("a reason"), 2, "error: a reason"),
        (BrokenPipeError(32, "Broken pipe"), 2, "error: Broken pipe"),
        (KeyboardInterrupt(), 130, "stopped"),
    ],
)
def test_what_nobody_foresaw_is_one_line(
    error: BaseException,
    code: int,
    words: str,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    def failing(_: object) -> None:
        raise error

    monkeypatch.setattr("nas.cli.parsing.read_space", failing)
    monkeypatch.setattr(sys, "argv", ["nas", "space", "--space", "mine.toml"])
    with pytest.raises(SystemExit) as ended:
        cli.main()
    assert ended.value.code == code
    assert capsys.readouterr() == ("", f"{words}\n")


def test_a_home_that_is_not_there_is_no_hindrance(nas: str, database: Path) -> None:
    done = subprocess.run(
        [nas, "studies", *storage_of(database)],
        env=os.environ | {"HOME": "/none"},
        capture_output=True,
        check=False,
    )
    assert (done.returncode, done.stderr) == (0, b"")


def test_python_m_nas_is_nas(nas: str) -> None:
    for arguments in (["--help"], ["run", "--help"], ["show"], ["nothing"]):
        script, module = (
            subprocess.run([*command, *arguments], capture_output=True, check=False)
            for command in ([nas], [sys.executable, "-m", "nas"])
        )
        assert (script.returncode, script.stdout, script.stderr) == (
            module.returncode,
            module.stdout,
            module.stderr,
        )
    assert b"Usage: nas " in subprocess.run([nas, "show", "--help"], capture_output=True).stdout
