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

from nas.settings import Recipe, Settings
from nas.short_run.evaluation import evaluate
from nas.study import drive
from nas.study.loop import search
from nas.study.opened import open_study
from nas.study.until import Until
from nas.workers.protocol import InDriver
from search_space.space import SearchSpace
from studies.connection import Patience
from studies.results import load_results
from studies.store import StoreError, open_store

Run = Callable[..., tuple[int, str, str]]
FREE = ["--objectives", "params,flops", "--sampler", "random", "--precision", "float32"]
"""Trials that need no training."""
TRIALS = 60
"""Enough that the run is still going when a test that saw its first trials acts."""
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


@pytest.fixture(scope="module")
def whole(tmp_path_factory: pytest.TempPathFactory, tiny_toml: Path) -> list[tuple[Any, ...]]:
    """The trials of a study in SQLite that nothing disturbed."""
    directory = tmp_path_factory.mktemp("whole")
    settings = Settings(
        space=SearchSpace.from_toml(tiny_toml.read_text()),
        objectives=("params", "flops"),
        sampler="random",
        resolution=12,
        seed=2**63 - 1,
        recipe=Recipe(precision="float32"),
        classes=10,
    )
    url = f"sqlite:///{directory}/whole.db"
    with contextlib.closing(open_store(url, create=True)) as store:
        study = open_study(store, "inception", settings)
        search(study, Until(TRIALS), InDriver(evaluate), lambda _: None)
    return facts(url)


def test_commands_say_the_same_of_a_study_in_postgresql(
    nas_in: Run, server: Any, tiny_toml: Path
) -> None:
    where = {"sqlite": "sqlite:///nas.db", "postgresql": server.new()}
    said = {}
    for kind, url in where.items():
        storage = ("--storage", url)
        trained = [*SMALL, str(tiny_toml), "--budget", "256", "--rungs", "1", "--workers", "0"]
        assert nas_in(*trained, *storage, "--trials", "2")[0] == 0
        code, out, err = nas_in(*trained, *storage, "--trials", "2", "--study", "a second one")
        assert code == 0
        assert server.password not in out + err
        assert nas_in("studies", *storage, "--no-timed", "--export", f"{kind}.jsonl")[0] == 0
        assert nas_in("show", "1", *storage)[0] == 0
        both = [facts(url), facts(url, "a second one")]
        said[kind] = nas_in("pareto", *storage, "--json"), both, Path(f"{kind}.jsonl").read_text()
    assert said["sqlite"] == said["postgresql"]


@pytest.mark.slow
def test_a_killed_study_in_postgresql_is_the_study_never_killed(
    nas: str, nas_in: Run, server: Any, tiny_toml: Path, whole: list[Any]
) -> None:
    killed = server.new()
    options = [*SMALL, str(tiny_toml), *FREE, "--trials", str(TRIALS), "--storage"]
    process = subprocess.Popen(
        [nas, *options, killed], stdout=subprocess.PIPE, stderr=subprocess.PIPE
    )
    while begun(killed) < 5:
        assert process.poll() is None, process.communicate()
        time.sleep(0.02)
    os.kill(process.pid, signal.SIGKILL)
    process.communicate()
    assert begun(killed) < TRIALS
    assert nas_in(*options, killed)[0] == 0
    assert facts(killed) == whole


@pytest.mark.parametrize("mode", ["fast", pytest.param("immediate", marks=pytest.mark.slow)])
def test_a_server_that_stops_in_a_run_is_waited_for(
    nas_in: Run,
    server: Any,
    tiny_toml: Path,
    whole: list[Any],
    mode: str,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    stopped = server.new()
    missed = threading.Event()

    def patience(seconds: float, tell: Callable[[str], None]) -> Patience:
        def told(words: str) -> None:
            tell(words)
            missed.set()

        return Patience(seconds, told)

    monkeypatch.setattr(drive, "Patience", patience)
    options = [*SMALL, str(tiny_toml), *FREE, "--trials", str(TRIALS), "--storage"]

    def restart() -> None:
        while begun(stopped) < 5:
            time.sleep(0.02)
        server.stop(mode)
        seen.append(begun(stopped))
        missed.wait(60)
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
    assert facts(stopped) == whole


@pytest.mark.slow
def test_a_server_that_stays_away_ends_the_run_and_the_same_command_continues(
    nas_in: Run,
    server: Any,
    tiny_toml: Path,
    whole: list[Any],
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(drive, "OUTAGE_SECONDS", 1.0)
    stopped = server.new()
    options = [*SMALL, str(tiny_toml), *FREE, "--trials", str(TRIALS), "--quiet", "--storage"]

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
    # A process that has ended would be seen to be gone; this one is still there.
    server.execute(f"UPDATE study{server.count}.nas_drivers SET started = 0")
    assert nas_in(*options, stopped)[0] == 0
    assert facts(stopped) == whole


@pytest.mark.parametrize("trials", [TRIALS, pytest.param(400, marks=pytest.mark.slow)])
def test_connections_cut_at_random_lose_and_double_nothing(
    nas_in: Run, server: Any, tiny_toml: Path, whole: list[Any], trials: int
) -> None:
    cut = server.new()
    options = [*SMALL, str(tiny_toml), *FREE, "--trials", str(trials), "--storage"]
    done = threading.Event()
    cuts = 0

    def cutting() -> None:
        nonlocal cuts
        while begun(cut) < 3:
            time.sleep(0.02)
        while not done.is_set() and cuts < min(60, trials // 4):
            server.execute(
                "SELECT pg_terminate_backend(pid) FROM pg_stat_activity "
                "WHERE pid <> pg_backend_pid() AND backend_type = 'client backend'"
            )
            cuts += 1
            done.wait(0.3)

    thread = threading.Thread(target=cutting)
    thread.start()
    code, _, err = nas_in(*options, cut)
    done.set()
    thread.join()
    assert code == 0, err
    assert cuts
    found = facts(cut)
    assert found[:TRIALS] == whole
    assert [trial[0] for trial in found] == list(range(trials))
    assert {trial[1].name for trial in found} == {"COMPLETE"}
