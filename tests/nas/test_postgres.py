"""`nas run` on PostgreSQL: the study that SQLite would hold, through kills and through outages."""

import contextlib
import os
import signal
import subprocess
import threading
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import optuna
import pytest

from nas.commands import run as command
from studies.results import load_results
from studies.store import StoreError, open_store

Run = Callable[..., tuple[int, str, str]]
FREE = ["--objectives", "params,flops", "--sampler", "random", "--precision", "float32"]
"""Trials that need no training."""
SMALL = ["run", "--resolution", "12", "--seed", str(2**63 - 1), "--space"]


def facts(url: str, study: str = "inception") -> list[tuple[Any, ...]]:
    """Each trial with all but its seconds."""
    with contextlib.closing(open_store(url)) as store:
        return [
            (
                trial.number,
                trial.state,
                trial.values,
                trial.params,
                trial.constraints,
                {k: v for k, v in trial.user_attrs.items() if k != "seconds"},
            )
            for trial in optuna.load_study(study_name=study, storage=store.storage()).trials
        ]


def begun(url: str) -> int:
    """How many trials there are; 0 while that can't be asked."""
    with contextlib.suppress(StoreError), contextlib.closing(open_store(url)) as store:
        return sum(load_results(store, "inception").states.values())
    return 0


def test_commands_say_the_same_of_a_study_in_postgresql(
    nas_in: Run, server: Any, tiny_toml: Path
) -> None:
    where = {"sqlite": "sqlite:///nas.db", "postgresql": server.new()}
    said = {}
    for kind, url in where.items():
        storage = ("--storage", url)
        trained = [*SMALL, str(tiny_toml), "--budget", "600", "--rungs", "2", "--workers", "0"]
        assert nas_in(*trained, *storage, "--trials", "2", "--max-flops", "90k")[0] == 0
        code, out, err = nas_in(*trained, *storage, "--trials", "3", "--study", "a second one")
        assert code == 0
        assert server.password not in out + err
        assert nas_in("studies", *storage, "--no-timed", "--export", f"{kind}.jsonl")[0] == 0
        assert nas_in("show", "1", *storage)[0] == 0
        both = [facts(url), facts(url, "a second one")]
        said[kind] = nas_in("pareto", *storage, "--json"), both, Path(f"{kind}.jsonl").read_text()
    assert said["sqlite"] == said["postgresql"]


def test_a_killed_study_in_postgresql_is_the_study_never_killed(
    nas: str, nas_in: Run, server: Any, tiny_toml: Path
) -> None:
    whole, killed = "sqlite:///nas.db", server.new()
    options = [*SMALL, str(tiny_toml), *FREE, "--trials", "40", "--storage"]
    process = subprocess.Popen(
        [nas, *options, killed], stdout=subprocess.PIPE, stderr=subprocess.PIPE
    )
    while begun(killed) < 5:
        assert process.poll() is None, process.communicate()
        time.sleep(0.02)
    os.kill(process.pid, signal.SIGKILL)
    process.communicate()
    assert begun(killed) < 40
    for url in (killed, whole):
        assert nas_in(*options, url)[0] == 0
    assert facts(killed) == facts(whole)


@pytest.mark.parametrize("mode", ["fast", "immediate"])
def test_a_server_that_stops_in_a_run_is_waited_for(
    nas_in: Run, server: Any, tiny_toml: Path, mode: str
) -> None:
    whole, stopped = "sqlite:///nas.db", server.new()
    options = [*SMALL, str(tiny_toml), *FREE, "--trials", "40", "--storage"]

    def restart() -> None:
        while begun(stopped) < 5:
            time.sleep(0.02)
        server.stop(mode)
        seen.append(begun(stopped))
        time.sleep(1)
        server.start()

    seen: list[int] = []
    thread = threading.Thread(target=restart)
    thread.start()
    code, _, err = nas_in(*options, stopped)
    thread.join()
    assert (code, seen) == (0, [0]), err
    assert " is away: waiting for it (" in err
    assert " is back" in err
    assert server.password not in err
    assert nas_in(*options, whole)[0] == 0
    assert facts(stopped) == facts(whole)


def test_a_server_that_stays_away_ends_the_run_and_the_same_command_continues(
    nas_in: Run, server: Any, tiny_toml: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(command, "OUTAGE_SECONDS", 1.0)
    whole, stopped = "sqlite:///nas.db", server.new()
    options = [*SMALL, str(tiny_toml), *FREE, "--trials", "40", "--quiet", "--storage"]

    def stop() -> None:
        while begun(stopped) < 5:
            time.sleep(0.02)
        server.stop()

    thread = threading.Thread(target=stop)
    thread.start()
    code, out, err = nas_in(*options, stopped)
    thread.join()
    server.start()
    assert (code, out) == (2, "")
    assert "/postgres?options=*** has been away for 1 s (" in err.splitlines()[-1]
    assert err.endswith(
        "everything finished before is kept: mend that and run the same command again\n"
    )
    for url in (stopped, whole):
        assert nas_in(*options, url)[0] == 0
    assert facts(stopped) == facts(whole)


@pytest.mark.parametrize("trials", [30, pytest.param(400, marks=pytest.mark.slow)])
def test_connections_cut_at_random_lose_and_double_nothing(
    nas_in: Run, server: Any, tiny_toml: Path, trials: int
) -> None:
    whole, cut = "sqlite:///nas.db", server.new()
    options = [*SMALL, str(tiny_toml), *FREE, "--trials", str(trials), "--storage"]
    done = threading.Event()
    cuts = 0

    def cutting() -> None:
        nonlocal cuts
        while begun(cut) < 3:
            time.sleep(0.02)
        while not done.wait(0.25):
            server.execute(
                "SELECT pg_terminate_backend(pid) FROM pg_stat_activity "
                "WHERE pid <> pg_backend_pid() AND backend_type = 'client backend'"
            )
            cuts += 1

    thread = threading.Thread(target=cutting)
    thread.start()
    code, _, err = nas_in(*options, cut)
    done.set()
    thread.join()
    assert code == 0, err
    assert cuts > 3
    assert nas_in(*options, whole)[0] == 0
    assert facts(cut) == facts(whole)
