"""The guide in docs/: every command and script of its pages, in order, with small budgets."""

import itertools
import re
import shlex
import shutil
import signal
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import pytest

from nas.model.export import asked

ROOT = Path(__file__).parents[2]
DOCS = ROOT / "docs"
BLOCK = re.compile(r"^```(\w+)\n(.*?)^```", re.MULTILINE | re.DOTALL)
ELSEWHERE = {
    "cluster": "tests/nas/workers/test_two_hosts.py",
    "extending": "tests/test_extending.py",
}
"""Pages that need more than one directory and one process, and where they are tried."""
LITTLE = {
    'weights="IMAGENET1K_V1"': "init_weights=False",  # a download
    "trials=30": "trials=2, workers=0, precision='float32', progress=False",
    "Settings(max": "Settings(budgets=(256,), max",
    "Settings(dataset=name, ": "Settings(dataset=name, max_params=3000, budgets=(128,), folds=1, ",
    "trials=20": "trials=2, workers=0, precision='float32', progress=False",
    '"googlenet-28", epochs=20': '"inception-28", epochs=1, train_size=300, resolution=8',
}
"""What scripts ask for, and what takes little time instead."""

PAGES = sorted({page.stem for page in DOCS.glob("*.md")} - ELSEWHERE.keys())

Run = Callable[..., tuple[int, str, str]]


@pytest.fixture
def small(
    nas_in: Run, tiny_toml: Path, request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch
) -> Run:
    """A line of the guide in little time: the end of a command line overrides what is before it."""
    monkeypatch.setattr(asked, "MOST_IMAGES", 1000)
    free = ["--sampler", "random", "--workers", "0", "--quiet", "--trials", "2"]
    short = [*free, "--budget", "256", "--rungs", "1", "--precision", "float32"]

    def run(command: str, *arguments: str) -> tuple[int, str, str]:
        more: list[str] = []
        if "--replay" in arguments:
            more = ["--trials", "4", "--quiet"]
        elif command == "run":
            more = [*short, *([] if "--space" in arguments else ["--space", str(tiny_toml)])]
        elif command == "train":
            more = ["--epochs", "1", "--train-size", "24" if "photos" in arguments else "300"]
        if command == "dashboard":
            return served(*arguments)
        server = "postgresql+psycopg://me@server/nas"
        arguments = tuple(
            request.getfixturevalue("server").new() if given == server else given
            for given in arguments
        )
        return nas_in(command, *arguments, *more)

    return run


def served(*arguments: str) -> tuple[int, str, str]:
    """`nas dashboard` in a process of its own until it says where it is."""
    program = Path(sys.executable).with_name("nas")
    command = [program, "dashboard", *arguments, "--port", "0"]
    with subprocess.Popen(
        command, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True
    ) as process:
        assert process.stdout
        try:
            said = process.stdout.readline()
            process.send_signal(signal.SIGINT)
            rest, _ = process.communicate(timeout=60)
        finally:
            process.kill()
    assert "http://127.0.0.1:" in said
    return process.returncode, said, said + rest


def tried(line: str, small: Run) -> None:
    """One line of a shell block."""
    program, *arguments = shlex.split(line)
    if program.endswith("pip"):  # the tests have all of it in their extra
        extra = re.fullmatch(r"\.\[(\w+)\]", arguments[-1])
        assert extra
        assert re.search(rf"^{extra[1]} = ", (ROOT / "pyproject.toml").read_text(), re.MULTILINE)
        return
    if program == "cc":
        if compiler := shutil.which("gcc") or shutil.which("clang") or shutil.which("cc"):
            subprocess.run([compiler, *arguments], check=True)
        return
    assert program == "nas", line
    into = None
    if ">" in arguments:
        *arguments, _, into = arguments
    if {"--png", "--svg"} <= set(arguments) and not shutil.which("chromium"):
        return
    code, output, errors = small(*arguments)
    assert code == 0, (line, errors)
    assert "Traceback" not in errors
    if into:
        Path(into).write_text(output)
    for option, file in itertools.pairwise(arguments):
        if option in ("--csv", "--png", "--svg", "--html", "--out", "--export"):
            assert Path(file).exists(), line


@pytest.mark.parametrize("page", PAGES)
def test_every_line_of_the_page_works(
    page: str, small: Run, shapes: Callable[[Path], Path]
) -> None:
    Path("benchmarks").symlink_to(ROOT / "benchmarks")
    shapes(Path("photos"))
    for name in ("new.png", "shirt.png"):
        shutil.copy(next(Path("photos").glob("*/*.png")), name)
    if page == "report":
        assert small("run")[0] == 0
    for language, block in BLOCK.findall((DOCS / f"{page}.md").read_text()):
        if language == "toml":
            Path("my.toml").write_text(block)
        elif language == "c":
            Path("main.c").write_text(block)
        elif language == "python":
            script = block
            for asked_for, little in LITTLE.items():
                script = script.replace(asked_for, little)
            exec(compile(script, f"{page}.md", "exec"), {"__name__": "__main__"})
        elif language != "text":
            assert language == "sh", language
            for line in block.replace("\\\n", " ").splitlines():
                tried(line, small)


@pytest.mark.parametrize("page", [*PAGES, *ELSEWHERE])
def test_links_lead_somewhere(page: str) -> None:
    for target in re.findall(r"\]\(([^)#]+)(?:#[^)]*)?\)", (DOCS / f"{page}.md").read_text()):
        if "://" not in target:
            assert (DOCS / target).exists(), target


def test_the_readme_and_the_guide_link_every_page() -> None:
    for page in {*PAGES, *ELSEWHERE} - {"README"}:
        assert f"(docs/{page}.md)" in (ROOT / "README.md").read_text()
        assert f"({page}.md)" in (DOCS / "README.md").read_text()
    assert all((ROOT / test).exists() for test in ELSEWHERE.values())
