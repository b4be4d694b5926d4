"""Processes as they are told apart, on Linux and where it doesn't tell of them."""

import os
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path
from types import SimpleNamespace

import pytest

from studies import process


@pytest.fixture
def child() -> Iterator[subprocess.Popen[bytes]]:
    running = subprocess.Popen(["sleep", "60"])
    yield running
    running.kill()
    running.wait()


@pytest.fixture(params=["Linux", "Linux, hidden", "elsewhere"])
def system(request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch) -> str:
    """What this system tells of its processes; psutil itself is real, as on macOS."""
    if request.param != "Linux":
        monkeypatch.setattr(process, "PROC", Path("/nowhere"))
    if request.param == "elsewhere":
        monkeypatch.setattr(process, "sys", SimpleNamespace(platform="darwin"))
    name: str = request.param
    return name


def test_a_process_lives_until_it_has_ended(system: str, child: subprocess.Popen[bytes]) -> None:
    began = process.start(child.pid)
    assert (began is None) == (system == "Linux, hidden")
    assert process.alive(child.pid, began or 0)
    if began is not None:
        assert process.start(child.pid) == began
        assert not process.alive(child.pid, began - 1), "another one had its number before"
    child.kill()
    child.wait()
    assert process.start(child.pid) is None
    assert not process.alive(child.pid, began or 0)


def test_one_that_nobody_has_waited_for_is_gone(
    system: str, child: subprocess.Popen[bytes]
) -> None:
    if system == "Linux, hidden":
        pytest.skip("nobody can tell")
    child.kill()
    while process.start(child.pid) is not None:
        time.sleep(0.01)
    assert not process.alive(child.pid, 5)


def test_the_machine_is_the_same_in_every_process_of_it(system: str) -> None:
    found = process.machine()
    assert found
    assert process.machine() == found
    if system == "Linux":
        code = "from studies.process import machine; print(machine())"
        other = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True)
        assert other.stdout.strip() == found


def test_a_number_made_up_is_no_machine(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(process, "PROC", Path("/nowhere"))
    monkeypatch.setattr(process.uuid, "getnode", lambda: process.RANDOM | 5)
    assert process.machine() == ""


def test_this_process_is_alive(system: str) -> None:
    assert process.alive(os.getpid(), process.start(os.getpid()) or 0)
