"""`nas run` on storage that fails: full, read-only, damaged, locked; and while others read it."""

import contextlib
import os
import re
import shutil
import sqlite3
import subprocess
import sys
import threading
import time
import urllib.request
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import optuna
import pytest

from nas.reporting.dashboard import open_server
from studies import connection, lock
from studies.store import open_store

Run = Callable[..., tuple[int, str, str]]
FREE = ("--objectives", "params,flops", "--sampler", "random", "--precision", "float32", "--quiet")
"""Trials that need no training."""


@pytest.fixture
def run(nas_in: Run, tiny_toml: Path) -> Run:
    """`nas run` of trials that need no training."""
    return lambda *options: nas_in(
        "run", *FREE, "--resolution", "12", "--space", str(tiny_toml), *options
    )


@pytest.fixture
def disk(tmp_path: Path) -> Iterator[Path]:
    """A file system of 16 MB."""
    path = tmp_path / "disk"
    path.mkdir()
    mount = ["mount", "-t", "tmpfs", "-o", "size=16m", "tmpfs", str(path)]
    if os.geteuid() != 0 or subprocess.run(mount, capture_output=True).returncode:
        pytest.skip("only root may mount a file system")
    yield path
    subprocess.run(["umount", "-l", path], check=True)


def trials(path: Path, study: str = "inception") -> list[Any]:
    with contextlib.closing(open_store(f"sqlite:///{path}")) as store:
        return optuna.load_study(study_name=study, storage=store.storage()).trials


def one_line(ended: tuple[int, str, str]) -> str:
    code, out, err = ended
    assert code == 2
    assert out == ""
    assert err.startswith("error: ")
    assert err.count("\n") == 1
    return err


def sound(path: Path) -> bool:
    with sqlite3.connect(path) as opened:
        (answer,) = opened.execute("PRAGMA integrity_check").fetchone()
    opened.close()
    return bool(answer == "ok")


def test_a_full_disk_is_said_and_the_study_goes_on_once_there_is_room(run: Run, disk: Path) -> None:
    path = disk / "a.db"
    where = ("--storage", f"sqlite:///{path}")
    assert run(*where, "--trials", "3")[0] == 0
    kept = trials(path)
    ballast = disk / "ballast"
    with ballast.open("wb", 0) as file:
        while free := shutil.disk_usage(disk).free:
            file.write(bytes(free))
    words = one_line(run(*where, "--trials", "20"))
    assert f"storage sqlite:///{path} failed: " in words
    assert "full" in words
    assert "run the same command again" in words
    os.truncate(ballast, ballast.stat().st_size - 2**16)  # SQLite needs a little for reading
    assert sound(path)
    ballast.unlink()
    assert run(*where, "--trials", "20")[0] == 0
    after = trials(path)
    assert [trial.number for trial in after] == list(range(20))
    assert {trial.state.name for trial in after} == {"COMPLETE"}
    assert after[:3] == kept
    assert sound(path)


def test_a_disk_that_has_become_read_only_is_said(run: Run, disk: Path, nas_in: Run) -> None:
    path = disk / "a.db"
    where = ("--storage", f"sqlite:///{path}")
    assert run(*where, "--trials", "2")[0] == 0
    subprocess.run(["mount", "-o", "remount,ro", disk], check=True)
    words = one_line(run(*where, "--trials", "3"))
    assert f"storage sqlite:///{path} can't be written: Read-only file system" in words
    words = one_line(run("--storage", f"sqlite:///{disk / 'b.db'}"))
    assert "b.db can't be written: Read-only file system" in words
    assert nas_in("pareto", *where)[0] == 0
    code, out, _ = run(*where, "--trials", "2")
    assert code == 0, "it has its trials: its results are printed"
    assert "Pareto front of inception" in out
    with contextlib.closing(open_store(where[1])) as store:
        server, url = open_server(store, "inception", 0)
        answering = threading.Thread(target=server.serve_forever, daemon=True)
        answering.start()
        with urllib.request.urlopen(url.partition("/dashboard")[0] + "/api/studies") as answer:
            assert b"inception" in answer.read()
        server.shutdown()
        server.server_close()
    subprocess.run(["mount", "-o", "remount,rw", disk], check=True)
    assert run(*where, "--trials", "3")[0] == 0


def rows(path: Path, query: str) -> list[Any]:
    opened = sqlite3.connect(f"file:{path}?mode=ro", uri=True, timeout=30)
    try:
        return opened.execute(query).fetchall()
    except sqlite3.OperationalError:
        return []
    finally:
        opened.close()


@pytest.mark.parametrize("kept", [0, 50, 4096, 60_000])
def test_a_file_that_was_cut_short_is_one_line_or_new(run: Run, nas_in: Run, kept: int) -> None:
    path = Path("a.db")
    where = ("--storage", "sqlite:///a.db")
    assert run(*where, "--trials", "3")[0] == 0
    content = path.read_bytes()
    assert len(content) > 60_000
    path.write_bytes(content[:kept])
    for ended in (nas_in("pareto", *where), nas_in("studies", *where)):
        words = one_line(ended)
        assert "storage sqlite:///a.db" in words
        assert re.search("damaged|not an SQLite database|holds no studies", words)
    if kept == 0:
        assert run(*where, "--trials", "3")[0] == 0
    else:
        assert re.search("damaged|not an SQLite database", one_line(run(*where)))
        assert path.read_bytes() == content[:kept]


def test_a_file_with_garbage_in_it_is_one_line(run: Run, nas_in: Run) -> None:
    path = Path("a.db")
    where = ("--storage", "sqlite:///a.db")
    path.write_bytes(b"SQLite format 3\0" + os.urandom(9000))
    before = path.read_bytes()
    for ended in (run(*where), nas_in("pareto", *where), nas_in("studies", *where)):
        assert "the file is damaged: restore a copy of it" in one_line(ended)
    assert path.read_bytes() == before


def test_a_lock_of_another_program_is_waited_for_then_said(
    run: Run, monkeypatch: pytest.MonkeyPatch
) -> None:
    where = ("--storage", "sqlite:///a.db")
    assert run(*where, "--trials", "2")[0] == 0
    monkeypatch.setattr(connection, "BUSY_SECONDS", 0.3)
    other = sqlite3.connect("a.db", isolation_level=None)
    other.execute("BEGIN IMMEDIATE")
    words = one_line(run(*where, "--trials", "3"))
    assert "storage sqlite:///a.db failed: database is locked; another program" in words
    other.execute("COMMIT")
    other.close()
    assert run(*where, "--trials", "3")[0] == 0


READER = """
import sys, time, optuna
optuna.logging.set_verbosity(optuna.logging.ERROR)
seen = 0
while True:
    try:
        seen = max(seen, len(optuna.load_study(study_name="inception", storage=sys.argv[1]).trials))
    except KeyError:  # no such study yet
        pass
    print(seen, flush=True)
    time.sleep(0.05)
"""


def test_a_dashboard_may_read_throughout_a_run(run: Run) -> None:
    """As Optuna Dashboard does, in a process of its own: neither side hears of a lock."""
    where = ("--storage", "sqlite:///nas.db")
    assert run(*where, "--trials", "1")[0] == 0
    reader = subprocess.Popen(
        [sys.executable, "-c", READER, "sqlite:///nas.db"],
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
    )
    assert reader.stdout
    assert int(reader.stdout.readline()) == 1
    assert run(*where, "--trials", "150")[0] == 0
    seen = [1]
    while seen[-1] < 150 and (line := reader.stdout.readline()):
        seen.append(int(line))
    assert reader.poll() is None
    reader.terminate()
    _, err = reader.communicate()
    assert seen[-1] == 150
    assert len(set(seen)) > 2, "the run was over before it was read"
    assert err == ""


def test_studies_says_who_runs_which(nas_in: Run, run: Run) -> None:
    import json

    assert run("--trials", "1")[0] == 0
    assert json.loads(nas_in("studies", "--json")[1])[0]["driver"] is None
    assert "run by" not in nas_in("studies")[1]
    with lock.only_driver(open_store("sqlite:///nas.db"), "inception"):
        (found,) = json.loads(nas_in("studies", "--json")[1])
        assert found["driver"]["pid"] == os.getpid()
        assert set(found["driver"]) == {"host", "pid", "since", "heartbeat"}
        assert str(os.getpid()) in nas_in("studies")[1]
        words = one_line(run("--trials", "2"))
        assert f"study 'inception' is being run by process {os.getpid()} on" in words
    assert len(trials(Path("nas.db"))) == 1


def test_nothing_is_written_for_a_study_that_is_refused(run: Run) -> None:
    assert run("--trials", "1")[0] == 0
    before = Path("nas.db").read_bytes()
    assert "made with other settings" in one_line(run("--trials", "2", "--seed", "5"))
    assert Path("nas.db").read_bytes() == before


def test_a_lock_taken_over_in_a_run_ends_it_with_nothing_more_written(
    run: Run, monkeypatch: pytest.MonkeyPatch
) -> None:
    def steal() -> None:
        path = Path("nas.db").absolute()
        while not path.exists() or len(rows(path, "SELECT 1 FROM trials")) < 5:
            time.sleep(0.01)
        with sqlite3.connect(path, timeout=30) as opened:
            opened.execute("UPDATE nas_drivers SET token = 'theirs', host = 'elsewhere', pid = 5")
            count.append(opened.execute("SELECT count(*) FROM trials").fetchone()[0])
        opened.close()

    count: list[int] = []
    thread = threading.Thread(target=steal)
    thread.start()
    words = one_line(run("--trials", "500"))
    thread.join()
    assert "was taken over by process 5 on elsewhere while this process was silent" in words
    assert len(trials(Path("nas.db"))) == count[0]
