"""One driver a study: races for the lock, dead and silent holders, a lock that is lost."""

import os
import socket
import subprocess
import sys
import threading
import time
from collections.abc import Callable
from datetime import timedelta
from typing import Any

import optuna
import pytest
import sqlalchemy as sa

from studies import lock
from studies.axis import Axis
from studies.lock import Holder, find_holder, machine, only_driver, start
from studies.schema import CANDIDATES, DRIVERS, STUDIES
from studies.store import Store, StoreError, open_store

AXES = (Axis("params", "n", False, True, 1e7),)
ELSEWHERE = {"host": "elsewhere", "machine": "another boot"}


@pytest.fixture
def store(new_url: Callable[[], str]) -> Store:
    """A database with the study s."""
    store = open_store(new_url(), create=True)
    store.add_study("s", {}, AXES, {})
    return store


@pytest.fixture(autouse=True)
def quick(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(lock, "BEAT_SECONDS", 0.05)
    monkeypatch.setattr(lock, "WATCH_SECONDS", 0.3)


def hold(store: Store, silent: float = 0.0, **fields: Any) -> None:
    """Write a holder's row by hand: this process, unless told otherwise."""
    row = {"study": "s", "token": "theirs", "host": socket.gethostname(), "machine": machine()}
    row |= {"pid": os.getpid(), "started": start(os.getpid()), "beats": 7} | fields
    with store.transaction() as connection:
        now = connection.execute(sa.select(sa.func.now())).scalar_one().replace(tzinfo=None)
        beat = now - timedelta(seconds=silent)
        connection.execute(sa.insert(DRIVERS).values(**row, since=beat, beat=beat))


def holder(store: Store) -> Holder:
    found = find_holder(store, "s")
    assert found is not None
    return found


def refusal(store: Store) -> str:
    before = holder(store)._replace(silent=0, beat=None, beats=0)
    with pytest.raises(StoreError) as caught, only_driver(store, "s"):
        pass
    assert holder(store)._replace(silent=0, beat=None, beats=0) == before
    assert "\n" not in str(caught.value)
    return str(caught.value)


def test_of_drivers_that_race_exactly_one_wins(new_url: Callable[[], str]) -> None:
    """For a new database, then for a lock that is free and for a dead driver's, in turn."""
    url = new_url()
    stores = [open_store(url, create=True) for _ in range(4)]
    gone = subprocess.Popen(["true"])
    gone.wait()
    for round in range(8):
        if round % 2:
            hold(stores[0], pid=gone.pid, started=1)
        begun, tried = threading.Barrier(len(stores)), threading.Barrier(len(stores))
        ended: list[str] = []

        def drive(
            store: Store, begun: threading.Barrier, tried: threading.Barrier, ended: list[str]
        ) -> None:
            begun.wait(60)
            try:
                with only_driver(store, "s"):
                    ended.append("won")
                    tried.wait(60)
            except StoreError as error:
                ended.append(str(error))
                tried.wait(60)

        threads = [
            threading.Thread(target=drive, args=(store, begun, tried, ended)) for store in stores
        ]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join(60)
        assert len(ended) == len(stores)
        ended.remove("won")
        for words in ended:
            assert f"'s' is being run by process {os.getpid()} on {socket.gethostname()}" in words
        assert find_holder(stores[0], "s") is None


RACE = """
import sys
from studies.lock import only_driver
from studies.store import StoreError, open_store

store = open_store(sys.argv[1])
for _ in sys.stdin:
    try:
        with only_driver(store, "s"):
            print("won", flush=True)
            sys.stdin.readline()
    except StoreError as error:
        print("lost", flush=True)
        sys.stdin.readline()
    print("free", flush=True)
"""


@pytest.mark.slow
def test_of_processes_that_race_exactly_one_wins(new_url: Callable[[], str]) -> None:
    url = new_url()
    store = open_store(url, create=True)
    store.add_study("s", {}, AXES, {})
    processes = [
        subprocess.Popen(
            [sys.executable, "-c", RACE, url],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            text=True,
        )
        for _ in range(3)
    ]

    def all_say() -> list[str]:
        for process in processes:
            assert process.stdin
            process.stdin.write("\n")
            process.stdin.flush()
        return [process.stdout.readline().strip() for process in processes if process.stdout]

    for round in range(100):
        if round % 2:
            hold(store, pid=processes[0].pid, started=1)
        assert sorted(all_say()) == ["lost", "lost", "won"], round
        assert all_say() == ["free"] * 3
    for process in processes:
        process.communicate()


def test_a_driver_that_runs_is_named_and_nothing_is_written(store: Store) -> None:
    with only_driver(store, "s"), only_driver(open_store(url_of(store)), "another"):
        words = refusal(open_store(url_of(store)))
        assert (
            f"study 's' is being run by process {os.getpid()} on {socket.gethostname()} " in words
        )
        assert f"since {holder(store).since:%Y-%m-%d %H:%M:%S} UTC (last heartbeat " in words
        assert "wait for it or stop it, or give another --study" in words
    with only_driver(store, "s"):
        pass
    assert find_holder(store, "s") is None


def test_a_process_that_lives_keeps_its_lock_however_silent(store: Store) -> None:
    hold(store, silent=9999)
    assert "last heartbeat 9999 s ago" in refusal(store) or "10000 s" in refusal(store)
    assert holder(store).runs()


def test_a_process_that_is_gone_is_replaced_at_once(
    store: Store, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(lock, "WATCH_SECONDS", 1e9)
    gone = subprocess.Popen(["true"])
    gone.wait()
    hold(store, pid=gone.pid, started=5)
    assert not holder(store).runs()
    with only_driver(store, "s"):
        assert holder(store).pid == os.getpid()


def test_a_zombie_is_gone() -> None:
    child = subprocess.Popen(["true"])
    while start(child.pid) is not None:
        time.sleep(0.01)
    assert os.path.exists(f"/proc/{child.pid}")
    assert not lock.alive(child.pid, 5)
    child.wait()


def test_a_number_that_another_process_has_now_is_not_the_holder(
    store: Store, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(lock, "WATCH_SECONDS", 1e9)
    hold(store, pid=os.getppid(), started=start(os.getppid()))
    refusal(store)
    with store.transaction() as connection:
        connection.execute(sa.update(DRIVERS).values(started=DRIVERS.c.started - 1))
    with only_driver(store, "s"):
        assert holder(store).pid == os.getpid()


def test_another_container_of_this_machine_is_another_machine(store: Store) -> None:
    hold(store, machine=machine()[:-2] + "0]", pid=2**22 + 1)
    refusal(store)


@pytest.mark.parametrize("silent", [61, 86400, -120, -86400])
def test_a_machine_that_stays_silent_is_replaced_whatever_the_clocks_say(
    store: Store, silent: float
) -> None:
    hold(store, silent=silent, **ELSEWHERE)
    with only_driver(store, "s"):
        assert holder(store).host == socket.gethostname()


@pytest.mark.parametrize("silent", [0, 30, -50])
def test_a_machine_that_was_just_heard_is_not(
    store: Store, silent: float, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(lock, "WATCH_SECONDS", 1e9)
    hold(store, silent=silent, **ELSEWHERE)
    assert "60 s after its last heartbeat" in refusal(store)


@pytest.mark.parametrize("silent", [86400, -86400])
def test_a_machine_that_beats_while_it_is_watched_lives(store: Store, silent: float) -> None:
    """Its clock, or the database's, was set back or forth."""
    hold(store, silent=silent, **ELSEWHERE)

    stop = threading.Event()

    def beat() -> None:
        while not stop.wait(0.02):
            with store.transaction() as connection:
                connection.execute(sa.update(DRIVERS).values(beats=DRIVERS.c.beats + 1))

    thread = threading.Thread(target=beat)
    thread.start()
    assert "elsewhere" in refusal(store)
    stop.set()
    thread.join()


def test_the_heart_beats_while_the_lock_is_held(store: Store) -> None:
    with only_driver(store, "s"):
        wait(lambda: holder(store).beats >= 3)
        assert abs(holder(store).silent) < 5
    assert find_holder(store, "s") is None
    assert not [t for t in threading.enumerate() if t.name == "heartbeat"]


def test_the_heart_outlives_a_storage_that_fails(store: Store) -> None:
    with only_driver(store, "s") as check:
        rename(store, "nas_drivers", "away")
        time.sleep(0.3)
        rename(store, "away", "nas_drivers")
        beats = holder(store).beats
        wait(lambda: holder(store).beats > beats)
        check()


def test_a_driver_that_lost_its_lock_writes_nothing_more(
    store: Store, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(lock, "BEAT_SECONDS", 1e9)
    study = optuna.create_study(study_name="s", storage=store.storage())
    lost = pytest.raises(StoreError, match=r"process 5 on elsewhere while this .* this one stops")
    with only_driver(store, "s") as check:
        study.ask()
        store.add_candidate("k", {}, "")
        with open_store(url_of(store)).transaction() as connection:
            taken = {"token": "theirs", "pid": 5, **ELSEWHERE}
            connection.execute(sa.update(DRIVERS).values(taken))
        check()  # the heart has not looked yet
        for write in (
            study.ask,
            lambda: study.tell(0, 1.0),
            lambda: store.add_candidate("l", {}, ""),
            lambda: store.add_study("t", {}, AXES, {}),
        ):
            with lost:
                write()
    assert rows(store, CANDIDATES) == rows(store, STUDIES) == 1
    (trial,) = optuna.load_study(study_name="s", storage=store.storage()).trials
    assert trial.state.name == "RUNNING"
    assert holder(store).token == "theirs"


def test_a_driver_hears_from_its_heart_that_the_lock_is_lost(store: Store) -> None:
    def drive() -> None:
        with only_driver(store, "s") as check:
            with open_store(url_of(store)).transaction() as connection:
                connection.execute(sa.delete(DRIVERS))
            wait(lambda: bool(check()))

    with pytest.raises(StoreError, match="'s' has lost its lock in the database"):
        drive()


def url_of(store: Store) -> str:
    return store.url.render_as_string(hide_password=False)


def rows(store: Store, table: sa.Table) -> int:
    with store.transaction() as connection:
        return connection.execute(sa.select(sa.func.count()).select_from(table)).scalar_one()


def rename(store: Store, old: str, new: str) -> None:
    with store.transaction() as connection:
        connection.exec_driver_sql(f"ALTER TABLE {old} RENAME TO {new}")


def wait(for_it: Callable[[], bool]) -> None:
    until = time.monotonic() + 30
    while not for_it():
        assert time.monotonic() < until
        time.sleep(0.02)
