"""A real study's process, really killed, with nothing lost; and stopped in order by signals."""

import os
import random
import signal
import sqlite3
import subprocess
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import optuna
import pytest

from nas.sampling.ms_ehvi.sampler import STARTUP_TRIALS
from studies.store import open_store

TRIALS = 8


class Runs:
    """`nas run` in a directory of its own, on the small space."""

    def __init__(
        self, nas: str, space: Path, directory: Path, *options: str, trials: int = TRIALS
    ) -> None:
        directory.mkdir()
        self.directory = directory
        self.trials = trials
        self.command = [nas, "run", "--trials", str(trials), "--seed", "3", "--budget", "1500"]
        self.command += ["--rungs", "2", "--resolution", "12", "--space", str(space), *options]

    def start(self) -> "subprocess.Popen[str]":
        return subprocess.Popen(
            self.command,
            cwd=self.directory,
            text=True,
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            start_new_session=True,
        )

    def finish(self) -> None:
        subprocess.run(self.command, cwd=self.directory, check=True, capture_output=True)

    def rows(self, query: str) -> list[Any]:
        """Rows of the database as another process sees them; none before there is one."""
        path = self.directory / "nas.db"
        if not path.exists():
            return []
        connection = sqlite3.connect(f"file:{path}?mode=ro", uri=True, timeout=30)
        try:
            return connection.execute(query).fetchall()
        except sqlite3.OperationalError:  # the tables aren't there yet
            return []
        finally:
            connection.close()

    def wait_for(self, trials: int, process: "subprocess.Popen[str]") -> None:
        """Until that many trials have begun."""
        while len(self.rows("SELECT 1 FROM trials")) < trials:
            assert process.poll() is None, process.communicate()
            time.sleep(0.02)

    def facts(self) -> list[tuple[Any, ...]]:
        """Each trial with all but its seconds, and its candidate's curve."""
        store = open_store(f"sqlite:///{self.directory / 'nas.db'}")
        study = optuna.load_study(study_name="inception", storage=store.storage())
        query = "SELECT key, budget, curve, accuracy, loss FROM nas_evaluations ORDER BY budget"
        stored: dict[str, list[Any]] = {}
        for key, *evaluation in self.rows(query):
            stored.setdefault(key, []).append(evaluation)
        assert all(len({budget for budget, *_ in each}) == len(each) for each in stored.values())
        return [
            (
                trial.number,
                trial.state,
                trial.values,
                trial.params,
                {k: v for k, v in trial.user_attrs.items() if k != "seconds"},
                stored[trial.user_attrs["key"]],
            )
            for trial in study.get_trials()
        ]


def kill_at_random(runs: Runs, kills: int, chance: random.Random) -> None:
    """Kill with SIGKILL at random moments, the start of a process included."""
    for number in range(kills):
        process = runs.start()
        if number % 3:
            more = runs.trials // kills
            begun = len(runs.rows("SELECT 1 FROM trials"))
            runs.wait_for(min(runs.trials, begun + more), process)
        time.sleep(chance.uniform(0, 1.5))
        os.killpg(process.pid, signal.SIGKILL)
        process.communicate()


@pytest.mark.parametrize(
    ("kills", "trials"),
    [
        # beyond the sampler's random beginning
        (2, STARTUP_TRIALS + 3),
        pytest.param(10, STARTUP_TRIALS + 20, marks=pytest.mark.slow),
        pytest.param(100, 200, marks=pytest.mark.slow),
    ],
)
def test_a_study_killed_at_random_is_the_study_never_killed(
    nas: str,
    nas_in: Callable[..., tuple[int, str, str]],
    tiny_toml: Path,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    kills: int,
    trials: int,
) -> None:
    whole = Runs(nas, tiny_toml, tmp_path / "whole", "--workers", "0", trials=trials)
    monkeypatch.chdir(whole.directory)
    assert nas_in(*whole.command[1:])[0] == 0
    killed = Runs(nas, tiny_toml, tmp_path / "killed", "--workers", "0", trials=trials)
    kill_at_random(killed, kills, random.Random(kills))
    monkeypatch.chdir(killed.directory)
    assert nas_in(*killed.command[1:])[0] == 0
    assert killed.facts() == whole.facts()
    assert [trial[0] for trial in whole.facts()] == list(range(trials))


@pytest.mark.parametrize(
    ("number", "workers"),
    [
        # test_run_study has SIGINT, with a worker
        (signal.SIGTERM, "0"),
        pytest.param(signal.SIGINT, "2", marks=pytest.mark.slow),
        pytest.param(signal.SIGINT, "0", marks=pytest.mark.slow),
        pytest.param(signal.SIGTERM, "2", marks=pytest.mark.slow),
    ],
)
def test_a_signal_stops_at_once_and_keeps_what_is_finished(
    nas: str, tiny_toml: Path, tmp_path: Path, number: signal.Signals, workers: str
) -> None:
    runs = Runs(nas, tiny_toml, tmp_path / "runs", "--workers", workers, "--budget", "200k")
    done = "SELECT 1 FROM trials WHERE state = 'COMPLETE'"
    process = runs.start()
    runs.wait_for(1, process)
    time.sleep(2)
    if number == signal.SIGINT:
        os.killpg(process.pid, number)  # as a terminal does, to the workers as well
    else:
        process.send_signal(number)
    try:
        out, err = process.communicate(timeout=60)
    except subprocess.TimeoutExpired:
        os.killpg(process.pid, signal.SIGKILL)
        pytest.fail(f"still runs after a minute: {process.communicate()}")
    assert process.returncode == 128 + number, err
    assert "Traceback" not in err
    assert runs.rows("SELECT 1 FROM trials WHERE state = 'RUNNING'"), "it waited for a trial's end"
    kept = len(runs.rows(done))
    assert f"stopped: {kept} of {TRIALS} trials are kept; the same command continues" in err
    assert "Pareto front of inception" in out
    # Python's own helper of multiprocessing ends on its own, when it sees that the others have.
    until = time.monotonic() + 60
    while running(process.pid) and time.monotonic() < until:
        time.sleep(0.1)
    assert not running(process.pid)


def test_a_second_driver_of_a_study_is_refused(
    nas: str,
    nas_in: Callable[..., tuple[int, str, str]],
    tiny_toml: Path,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    runs = Runs(nas, tiny_toml, tmp_path / "runs", "--workers", "0", "--budget", "5M")
    process = runs.start()
    runs.wait_for(1, process)
    monkeypatch.chdir(runs.directory)
    code, _, words = nas_in(*runs.command[1:])
    assert process.poll() is None
    os.killpg(process.pid, signal.SIGKILL)
    process.communicate()
    assert code == 2
    assert f"error: study 'inception' is being run by process {process.pid} on " in words
    assert words.count("\n") == 1
    assert len(runs.rows("SELECT 1 FROM trials")) == 1


@pytest.mark.slow  # one worker is killed at random above, and workers die in test_local
def test_two_workers_lose_nothing_to_a_kill(nas: str, tiny_toml: Path, tmp_path: Path) -> None:
    runs = Runs(nas, tiny_toml, tmp_path / "runs", "--workers", "2")
    process = runs.start()
    runs.wait_for(4, process)
    process.kill()
    process.communicate()
    finished = runs.rows("SELECT number FROM trials WHERE state = 'COMPLETE'")
    runs.finish()
    facts = runs.facts()
    assert [trial[0] for trial in facts] == list(range(TRIALS))
    assert {trial[1].name for trial in facts} <= {"COMPLETE", "PRUNED"}
    assert {number for (number,) in finished} <= {trial[0] for trial in facts}
    until = time.monotonic() + 60
    while running(process.pid) and time.monotonic() < until:
        time.sleep(0.2)
    assert not running(process.pid), "worker processes outlived their driver"


def running(session: int) -> list[int]:
    """Processes of a session that still run."""
    found = []
    for path in Path("/proc").glob("[0-9]*/stat"):
        try:
            fields = path.read_text().rpartition(")")[2].split()
        except OSError:
            continue
        if int(fields[3]) == session and fields[0] != "Z":
            found.append(int(path.parent.name))
    return found
