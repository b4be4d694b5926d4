"""What other systems than Linux lack is used nowhere, or where it is looked for first."""

import ast
from collections.abc import Iterator
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[1]

MISSING_MODULES = {"fcntl", "grp", "pty", "pwd", "resource", "syslog", "termios", "tty"}

MISSING = {
    "os": {
        *("fork", "forkpty", "getpgid", "getuid", "geteuid", "getgid", "killpg", "mkfifo", "nice"),
        *(
            "sched_getaffinity",
            "setsid",
            "statvfs",
            "sysconf",
            "uname",
            "wait",
            "chown",
            "ST_RDONLY",
        ),
    },
    "signal": {"SIGKILL", "SIGHUP", "SIGALRM", "SIGUSR1", "SIGUSR2", "SIGCHLD", "alarm", "pause"},
}
"""Names that Windows' Python doesn't have."""

GUARDED = {
    ("nas/datasets/download.py", "killpg"),
    ("nas/datasets/download.py", "SIGKILL"),
    ("studies/address.py", "statvfs"),
    ("studies/address.py", "ST_RDONLY"),
}
"""Behind a ``hasattr`` in the same function."""


def used(tree: ast.Module) -> Iterator[str]:
    """The modules and names of a file that aren't everywhere."""
    for node in ast.walk(tree):
        if isinstance(node, ast.Import):
            yield from (one.name for one in node.names if one.name in MISSING_MODULES)
        elif isinstance(node, ast.ImportFrom) and node.module:
            names = MISSING.get(node.module, set())
            yield from (one.name for one in node.names if one.name in names)
            if node.module in MISSING_MODULES:
                yield node.module
        elif (
            isinstance(node, ast.Attribute)
            and isinstance(node.value, ast.Name)
            and node.attr in MISSING.get(node.value.id, set())
        ):
            yield node.attr


def test_nothing_is_used_that_other_systems_lack() -> None:
    found = {
        (str(path.relative_to(ROOT)), name)
        for package in ("nas", "studies", "search_space")
        for path in (ROOT / package).rglob("*.py")
        for name in used(ast.parse(path.read_text(encoding="utf-8")))
    }
    assert found == GUARDED
    for file, _ in GUARDED:
        assert "hasattr(os, " in (ROOT / file).read_text()


@pytest.mark.parametrize(
    "code",
    [
        "import fcntl",
        "from pwd import getpwnam",
        "import os\nos.fork()",
        "from signal import SIGKILL",
        "def f():\n    import signal\n    signal.alarm(1)",
    ],
)
def test_what_they_lack_is_seen(code: str) -> None:
    assert list(used(ast.parse(code)))


def test_processes_are_spawned_everywhere() -> None:
    for package in ("nas", "studies"):
        for path in (ROOT / package).rglob("*.py"):
            text = path.read_text()
            assert 'get_context("fork' not in text
            assert "multiprocessing.Process(" not in text
