"""`nas run` on this machine's workers: nothing else can reach them, and they may be killed."""

import asyncio
import json
import os
import random
import re
import signal
import socket
import sqlite3
import ssl
import subprocess
import time
from pathlib import Path
from typing import Any

import psutil
import pytest

from nas.datasets import find
from nas.settings import Settings
from nas.short_run.evaluation import evaluate
from nas.workers import remote as joined
from search_space.architecture import Candidate
from studies.store import open_store

STARTING = 8.0
"""Seconds that a worker may take to import what it needs."""


class Running:
    """A study of ``trials`` on two workers in a directory of its own."""

    def __init__(self, nas: str, space: Path, directory: Path, trials: int, budget: int) -> None:
        self.directory = directory
        self.command = [nas, "run", "--trials", str(trials), "--sampler", "random", "--budget"]
        self.command += [f"{budget}", "--rungs", "1", "--resolution", "8", "--workers", "2"]
        self.command += ["--space", str(space)]

    def start(self) -> "subprocess.Popen[str]":
        return subprocess.Popen(
            self.command,
            cwd=self.directory,
            text=True,
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            start_new_session=True,
        )

    def trials(self) -> list[Any]:
        import optuna

        store = open_store(f"sqlite:///{self.directory / 'nas.db'}")
        study = optuna.load_study(study_name="inception", storage=store.storage())
        return study.get_trials()

    def evaluate_again(self, numbers: list[int]) -> None:
        """Whether those trials have the accuracy that a fresh evaluation has."""
        store = open_store(f"sqlite:///{self.directory / 'nas.db'}")
        settings = Settings.from_json(store.study("inception")["settings"])
        directory = find("fashion-mnist").directory
        trials = self.trials()
        for number in numbers:
            candidate = Candidate.from_json(store.candidate(trials[number].user_attrs["key"]))
            fresh = evaluate(settings.request(candidate, directory, 0))
            assert trials[number].values[0] == fresh.accuracy


def workers_of(process: "subprocess.Popen[str]") -> list[int]:
    """The worker processes of a run, and nothing else that it started."""
    found = []
    for path in Path("/proc").glob("[0-9]*/stat"):
        try:
            fields = path.read_text().rpartition(")")[2].split()
            words = (path.parent / "cmdline").read_bytes()
        except OSError:
            continue
        if int(fields[3]) == process.pid and b"spawn_main" in words and fields[0] != "Z":
            found.append(int(path.parent.name))
    return found


def age(pid: int) -> float:
    """Seconds since a process began; 0 where it has ended."""
    try:
        return time.time() - psutil.Process(pid).create_time()
    except psutil.NoSuchProcess:
        return 0.0


def _trials(path: Path) -> int:
    """Trials that have begun, as another process sees them."""
    connection = sqlite3.connect(f"file:{path}?mode=ro", uri=True, timeout=30)
    try:
        return len(connection.execute("SELECT 1 FROM trials").fetchall())
    except sqlite3.OperationalError:  # the tables aren't there yet
        return 0
    finally:
        connection.close()


def listening(session: int) -> list[str]:
    """Addresses on which processes of a session listen, as `ss` shows them."""
    shown = subprocess.run(["ss", "-tlnp"], capture_output=True, text=True, check=True).stdout
    pids = {
        int(path.parent.name)
        for path in Path("/proc").glob("[0-9]*/stat")
        if _session(path) == session
    }
    return [
        line.split()[3]
        for line in shown.splitlines()[1:]
        if pids & {int(pid) for pid in re.findall(r"pid=(\d+)", line)}
    ]


def _session(path: Path) -> int:
    try:
        return int(path.read_text().rpartition(")")[2].split()[3])
    except OSError:
        return -1


def test_nothing_listens_beyond_loopback_and_strangers_are_refused(
    nas: str, tiny_toml: Path, tmp_path: Path
) -> None:
    from distributed.comm import connect

    process = Running(nas, tiny_toml, tmp_path, trials=2, budget=5_000_000).start()
    try:
        until = time.monotonic() + 240
        while len(workers_of(process)) < 2 or len(listening(process.pid)) < 3:
            assert process.poll() is None, process.communicate()
            assert time.monotonic() < until
            time.sleep(0.2)
        addresses = listening(process.pid)
        for worker in workers_of(process):  # which would take the cores from this test
            os.kill(worker, signal.SIGSTOP)
        assert all(address.startswith("127.0.0.1:") for address in addresses), addresses
        stranger = ssl.create_default_context()
        stranger.check_hostname, stranger.verify_mode = False, ssl.CERT_NONE
        for address in addresses:
            port = int(address.rpartition(":")[2])
            with (
                socket.create_connection(("127.0.0.1", port), timeout=5) as plain,
                pytest.raises(OSError, match=r".*"),
            ):
                _greeted(stranger, plain)
        with pytest.raises(OSError, match=r".*"):
            # not a Client, whose own timeout doesn't always end its wait
            asyncio.run(asyncio.wait_for(connect(f"tcp://{addresses[0]}", timeout=5), 30))
        assert process.poll() is None, process.communicate()
    finally:
        os.killpg(process.pid, signal.SIGKILL)
        process.communicate()


def _greeted(stranger: ssl.SSLContext, plain: socket.socket) -> bytes:
    """What a server says to who has no certificate. OSError where it hangs up."""
    with stranger.wrap_socket(plain) as secret:
        if said := secret.recv(1):
            return said
        raise OSError("closed without a word")


@pytest.mark.parametrize(
    ("kills", "trials", "budget"),
    [(1, 6, 10_000), (50, 400, 20_000)],
)
@pytest.mark.slow  # test_local has one worker that dies, test_kill two that are killed with all
def test_workers_killed_at_random_cost_no_trial(
    nas: str, tiny_toml: Path, tmp_path: Path, kills: int, trials: int, budget: int
) -> None:
    chance = random.Random(kills)
    runs = Running(nas, tiny_toml, tmp_path, trials, budget)
    process = runs.start()
    begun = Path(tmp_path / "nas.db")
    while not (begun.exists() and _trials(begun)):
        assert process.poll() is None, process.communicate()
        time.sleep(0.1)
    killed = 0
    while process.poll() is None and killed < kills:
        time.sleep(chance.uniform(0.5, 4))
        # Most of them at work; one in ten at any moment, such as while it starts.
        grown = [pid for pid in workers_of(process) if age(pid) > STARTING or not killed % 10]
        if grown:
            os.kill(chance.choice(grown), signal.SIGKILL)
            killed += 1
    _, err = process.communicate()
    assert process.returncode == 0, err
    assert killed == kills, "the study ended before"
    found = runs.trials()
    assert len(found) == trials
    assert all(trial.state.is_finished() for trial in found)
    for trial in found:
        if trial.state.name == "FAIL":
            assert trial.user_attrs["failure"].count("killed by signal 9 (SIGKILL)") == 2
    lost = [how for trial in found for how in trial.user_attrs.get("lost_workers", ())]
    assert kills // 2 <= len(lost) <= kills  # a worker may have been idle, or still starting
    assert all("killed by signal 9 (SIGKILL)" in how for how in lost)
    shown = subprocess.run(
        [nas, "studies", "--json"], cwd=tmp_path, capture_output=True, text=True, check=True
    )
    assert json.loads(shown.stdout)[0]["lost_workers"] == len(lost)
    complete = [trial.number for trial in found if trial.state.name == "COMPLETE"]
    runs.evaluate_again(complete[:: max(2, len(complete) // 5)])


@pytest.mark.slow
def test_driver_with_two_workers_killed_a_hundred_times(
    nas: str, tiny_toml: Path, tmp_path: Path
) -> None:
    chance = random.Random(100)
    runs = Running(nas, tiny_toml, tmp_path, trials=200, budget=10_000)
    for number in range(100):
        process = runs.start()
        time.sleep(chance.uniform(0, 9))
        ended = process.poll() is not None
        if not ended:
            os.killpg(process.pid, signal.SIGKILL)
        process.communicate()
        assert not ended or number > 50, "the study is too short for so many kills"
    subprocess.run(runs.command, cwd=tmp_path, check=True, capture_output=True)
    found = runs.trials()
    assert [trial.number for trial in found] == list(range(200))
    assert {trial.state.name for trial in found} == {"COMPLETE"}
    runs.evaluate_again(list(range(200)))


@pytest.mark.parametrize(
    ("options", "words"),
    [
        (["--cluster", "tcp://10.1.1.1:8786"], "--insecure"),
        (["--cluster", "tcp://localhost:8786", "--workers", "2"], "exclude each other"),
        (["--cluster", "tls://localhost:8786"], "give --tls-ca, --tls-cert, --tls-key"),
        (["--tls-ca", "a.pem"], "without --cluster"),
        (["--insecure"], "without --cluster"),
        (["--workers", "0", "--memory-limit", "2G"], "--workers 0 has none"),
        (["--gpus-per-trial", "0"], "gpus per trial is 0"),
        (["--memory-limit", "1k"], "memory limit is 1000"),
        (["--max-failures", "0"], "max failures is 0"),
        (["--cluster-timeout", "soon"], "cluster timeout is 'soon'"),
        (["--cluster", "tcp://localhost:1"], "is `dask scheduler` running there"),
    ],
)
def test_options_that_cannot_be(
    nas_in: Any,
    tmp_path: Path,
    options: list[str],
    words: str,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(joined, "CONNECT_SECONDS", 1.0)
    code, _, err = nas_in("run", "--trials", "2", *options)
    assert code == 2
    assert words in err
    assert err.count("\n") == 1
    assert list(tmp_path.iterdir()) == []
