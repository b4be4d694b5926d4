"""Nothing is told to anybody: no connection beyond this machine, no file in the home directory."""

import json
import os
import subprocess
import sys
from pathlib import Path

import pytest
from PIL import Image

from nas.full_training.loggers import LOGGERS

MADE = Path(__file__).parents[1] / "made_by_0_1"

GUARD = """
import os, sys
def guard(event, arguments):
    if event == "socket.connect":
        address = arguments[1]
        host = address[0] if isinstance(address, tuple) else ""
        if host not in ("", "127.0.0.1", "::1", "localhost"):
            os.write(2, f"PHONES HOME: {address}".encode())
            os._exit(99)
    elif event == "socket.getaddrinfo":
        if arguments[0] not in (None, "127.0.0.1", "::1", "localhost", ""):
            os.write(2, f"PHONES HOME: {arguments[0]}".encode())
            os._exit(99)
sys.addaudithook(guard)
"""


@pytest.fixture
def alone(tmp_path: Path) -> Path:
    """A working directory beside an empty home; images of two shades are there."""
    (tmp_path / "guard").mkdir()
    (tmp_path / "guard" / "sitecustomize.py").write_text(GUARD)
    (tmp_path / "home").mkdir()
    (tmp_path / "work").mkdir()
    for name, darkest in (("dark", 0), ("light", 128)):
        (tmp_path / "work" / "moved" / name).mkdir(parents=True)
        for number in range(12):
            image = Image.new("L", (8, 8), darkest + 10 * number)
            image.save(tmp_path / "work" / "moved" / name / f"{number}.pgm")
    return tmp_path


def run(alone: Path, *command: str) -> subprocess.CompletedProcess[str]:
    environment = {
        name: value
        for name, value in os.environ.items()
        if not name.endswith(("TELEMETRY", "_TRACK")) and not name.startswith(("XDG_", "PYTHON"))
    }
    environment |= {
        "HOME": str(alone / "home"),
        "INCEPTION_NAS_CACHE": str(alone / "cache"),
        "PYTHONPATH": str(alone / "guard"),
        "MPLCONFIGDIR": str(alone / "cache"),
    }
    done = subprocess.run(
        command, cwd=alone / "work", env=environment, capture_output=True, text=True
    )
    assert done.returncode == 0, done.stderr
    return done


def written(alone: Path) -> list[str]:
    """The files in the home directory, by their paths there."""
    home = alone / "home"
    return sorted(str(path.relative_to(home)) for path in home.rglob("*") if not path.is_dir())


COMMANDS = """
import json, sys
from nas import cli
for line in json.loads(sys.argv[1]):
    sys.argv = ["nas", *line]
    try:
        cli.main()
    except SystemExit as ended:
        assert ended.code == 0, line
"""


def commands(alone: Path, *lines: tuple[str, ...]) -> None:
    """Several command lines in one process, which imports what is heavy once."""
    run(alone, sys.executable, "-c", COMMANDS, json.dumps(lines))


def test_the_guard_sees_what_is_told(alone: Path) -> None:
    code = "import socket; socket.getaddrinfo('example.org', 80)"
    with pytest.raises(AssertionError, match=r"PHONES HOME: example\.org"):
        run(alone, sys.executable, "-c", code)


def test_onnx_runtime_writes_no_identity(alone: Path) -> None:
    commands(
        alone,
        ("predict", str(MADE / "model.onnx"), "moved"),
        ("evaluate", str(MADE / "model.onnx"), "--dataset", "folder:moved"),
        ("export", str(MADE / "model.safetensors"), "--out", "again.onnx"),
    )
    assert written(alone) == []
    script = "import nas, onnxruntime, os; print(os.environ['ORT_DISABLE_TELEMETRY'])"
    assert run(alone, sys.executable, "-c", script).stdout == "1\n"
    assert written(alone) == []


def test_who_wants_it_has_it(alone: Path) -> None:
    script = (
        "import os; os.environ['ORT_DISABLE_TELEMETRY'] = '0'; import nas; "
        "print(os.environ['ORT_DISABLE_TELEMETRY'])"
    )
    assert run(alone, sys.executable, "-c", script).stdout == "0\n"


def test_loggers_tell_nobody(alone: Path) -> None:
    network = '{"stem": {"width": 4, "stride": 2}, "stages": [{"blocks": [{"width_1x1": 8}]}]}'
    (alone / "work" / "network.json").write_text(network)
    short = ("--dataset", "folder:moved", "--resolution", "8", "--epochs", "1")
    train = ("train", "network.json", *short)
    commands(alone, *((*train, "--out", f"by-{name}", "--logger", name) for name in LOGGERS))
    assert written(alone) == []
    assert all((alone / "work" / f"by-{name}" / "card.json").exists() for name in LOGGERS)


def test_a_study_its_worker_and_its_pages_tell_nobody(alone: Path) -> None:
    options = ("--dataset", "folder:moved", "--resolution", "8", "--space", str(MADE / "tiny.toml"))
    short = ("--budget", "128", "--rungs", "1", "--trials", "2", "--workers", "1")
    # its worker imports the script that started it
    run(alone, sys.executable, "-m", "nas", "run", *options, *short)
    commands(alone, ("report", "--out", "report.html"))
    assert written(alone) == []
