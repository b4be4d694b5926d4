"""Scripts that can't start worker processes: one line, and nothing written."""

import os
import subprocess
import sys
from pathlib import Path

import pytest
from PIL import Image

MADE = Path(__file__).parents[1] / "made_by_0_1"

BODY = f"""
from pathlib import Path
from nas import SearchSpace, Settings, run_study

def go(_=None):
    space = SearchSpace.from_toml(Path({str(MADE / "tiny.toml")!r}).read_text())
    settings = Settings(
        space=space, sampler="random", budgets=(256,), resolution=8, dataset="folder:images"
    )
    result = run_study(settings, trials=1, storage="sqlite:///x.db", workers=1, progress=False)
    return result.trials
"""
GUARD = 'if __name__ == "__main__":\n    '


@pytest.fixture
def images(tmp_path: Path) -> Path:
    """A directory with a folder of images."""
    for name in ("dark", "light"):
        (tmp_path / "images" / name).mkdir(parents=True)
        for number in range(6):
            level = number if name == "dark" else 255 - number
            Image.new("L", (8, 8), level).save(tmp_path / "images" / name / f"{number}.png")
    return tmp_path


def run(
    directory: Path, code: str, file: str | None = "script.py", **environment: str
) -> subprocess.CompletedProcess[str]:
    """A script in a process of its own; from standard input where it has no file."""
    if file is not None:
        (directory / file).write_text(code)
    return subprocess.run(
        [sys.executable, file or "-"],
        cwd=directory,
        input=None if file else code,
        env=os.environ | {"INCEPTION_NAS_CACHE": str(directory / "cache")} | environment,
        capture_output=True,
        text=True,
    )


def test_a_script_from_standard_input(images: Path) -> None:
    done = run(images, f"{BODY}\ngo()\n", None)
    assert done.returncode == 1
    assert done.stderr.count("\n") == 1
    assert done.stderr.startswith("error: workers import the script that starts them, and ")
    assert done.stderr.endswith("save it in a file, or give workers=0\n")
    assert not (images / "x.db").exists()


def test_a_script_without_a_guard(images: Path) -> None:
    done = run(images, f"{BODY}\ngo()\n")
    assert done.returncode == 1
    assert done.stderr.count("\n") == 1
    assert 'put the call below `if __name__ == "__main__":`, or give workers=0' in done.stderr
    assert not (images / "x.db").exists()


def test_a_child_that_may_have_no_children(images: Path) -> None:
    pool = "import multiprocessing\n    with multiprocessing.Pool(1) as p: p.map(go, [1])"
    done = run(images, f"{BODY}\n{GUARD}{pool}\n")
    assert done.stderr.splitlines()[-1] == (
        "ValueError: workers can't be started by a daemonic process, such as a Pool's child; give "
        "workers=0, or call from the main process"
    )
    assert not (images / "x.db").exists()


def test_no_temporary_directory(images: Path) -> None:
    done = run(images, f"{BODY}\n{GUARD}go()\n", TMPDIR=str(images / "nowhere"))
    assert "nowhere can't be written: No such file" in done.stderr.splitlines()[-1]
    assert "set TMPDIR to one that can, or give --workers 0" in done.stderr.splitlines()[-1]
    assert not (images / "x.db").exists()


def test_a_script_that_only_workers_cannot_import(images: Path) -> None:
    broken = 'if __name__ != "__main__":\n    raise OSError("not here")\n'
    done = run(images, f"{BODY}\n{broken}\n{GUARD}go()\n")
    assert "ValueError: workers can't import the script that starts them" in done.stderr
    assert not (images / "x.db").exists()


@pytest.mark.slow  # test_run_study has a guarded one that is stopped
def test_a_guarded_script_and_one_of_the_command_line_run(images: Path) -> None:
    done = run(images, f"{BODY}\n{GUARD}print(go())\n")
    assert (done.returncode, done.stdout) == (0, "{'complete': 1}\n"), done.stderr
