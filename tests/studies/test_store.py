"""The database: what is refused and with which words, round trips, transactions, a full disk."""

import json
import sqlite3
import sys
from collections.abc import Callable
from dataclasses import fields, replace
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pytest
import sqlalchemy as sa
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from studies.axis import Axis
from studies.connection import failure
from studies.evaluation import Evaluation, Identity
from studies.schema import EVALUATIONS, SCHEMA, VERSION
from studies.store import Store, StoreError, open_store

AXES = (Axis("accuracy", "fraction", True, False, 0.1), Axis("params", "n", False, True, 1e7))
IDENTITY = Identity("a1", {"batch_size": 64}, 28, 1, 20000, 1, "d")
RESULT = Evaluation(
    accuracy=0.1 + 0.2,
    loss=1 / 3,
    curve=((64, 2.3, 0.1),),
    seconds=1.5,
    images_per_second=900.0,
    host="h",
    versions={"torch": "2"},
)


@pytest.fixture
def store(tmp_path: Path) -> Store:
    store = open_store(f"sqlite:///{tmp_path / 'a.db'}", create=True)
    store.create_tables()
    return store


@pytest.fixture
def any_store(new_url: Callable[[], str]) -> Store:
    """On SQLite, then on PostgreSQL."""
    store = open_store(new_url(), create=True)
    store.create_tables()
    return store


def test_evaluations_are_found_by_their_whole_identity(any_store: Store) -> None:
    any_store.add_evaluation(IDENTITY, RESULT)
    assert any_store.evaluation(IDENTITY) == RESULT
    others: dict[str, Any] = {"key": "b", "recipe": {"batch_size": 65}, "data": "e"}
    others |= dict.fromkeys(("resolution", "channels", "budget", "seed"), 99)
    assert others.keys() == {spec.name for spec in fields(Identity)}
    for name, value in others.items():
        assert any_store.evaluation(replace(IDENTITY, **{name: value})) is None


def test_an_evaluation_is_stored_once_and_stays(any_store: Store) -> None:
    any_store.add_evaluation(IDENTITY, RESULT)
    any_store.add_evaluation(IDENTITY, replace(RESULT, accuracy=0.9))
    assert any_store.evaluation(IDENTITY) == RESULT


@settings(suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(
    st.dictionaries(st.text(), st.integers() | st.text() | st.floats(allow_nan=False)),
    st.text(alphabet="0123456789abcdef", min_size=16, max_size=16),
)
def test_candidates_come_back_as_they_were(
    store: Store, candidate: dict[str, object], key: str
) -> None:
    text = json.dumps(candidate)
    store.add_candidate(key, candidate, text)
    store.add_candidate(key, {}, "another")
    with store.transaction() as connection:
        connection.execute(sa.text("DELETE FROM nas_candidates WHERE key <> :key"), {"key": key})
    assert store.candidate(key) == candidate
    with store.transaction() as connection:
        connection.execute(sa.text("DELETE FROM nas_candidates"))


def test_studies_keep_settings_and_axes(any_store: Store) -> None:
    any_store.add_study("s", {"seed": 3}, AXES, {"torch": "2"})
    again = open_store(url_of(any_store))
    assert again.study_names() == ["s"]
    assert again.study("s")["settings"] == {"seed": 3}
    assert again.axes("s") == AXES


def test_an_unknown_study_names_the_nearest(any_store: Store) -> None:
    with pytest.raises(StoreError, match="it holds no study yet"):
        any_store.study("a")
    for name in ("fashion-small", "other"):
        any_store.add_study(name, {}, AXES, {})
    with pytest.raises(StoreError, match=r"'fashion-smal' is not in .*nearest are: fashion-small"):
        any_store.study("fashion-smal")


def test_nothing_of_a_failed_transaction_stays(any_store: Store) -> None:
    def half() -> None:
        with any_store.transaction() as connection:
            connection.execute(sa.insert(EVALUATIONS).values(RESULT.to_row(IDENTITY)))
            raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        half()
    with any_store.transaction() as connection:
        assert connection.execute(sa.select(sa.func.count()).select_from(EVALUATIONS)).scalar() == 0


def test_sqlite_is_in_wal_mode_and_waits(store: Store) -> None:
    for engine in (store.engine, store.storage().engine):
        with engine.connect() as connection:
            assert connection.exec_driver_sql("PRAGMA journal_mode").scalar() == "wal"
            assert connection.exec_driver_sql("PRAGMA synchronous").scalar() == 1
            assert connection.exec_driver_sql("PRAGMA busy_timeout").scalar() == 60_000


def test_a_full_disk_is_one_line_and_what_was_stored_stays(store: Store) -> None:
    store.add_evaluation(IDENTITY, RESULT)
    with store.transaction() as connection:
        pages = connection.exec_driver_sql("PRAGMA page_count").scalar()
        connection.exec_driver_sql(f"PRAGMA max_page_count={pages}")
    long = replace(RESULT, curve=tuple((i, 0.123456, 0.123456) for i in range(20_000)))
    with pytest.raises(StoreError, match=r"database or disk is full; everything finished before"):
        store.add_evaluation(replace(IDENTITY, seed=2), long)
    again = open_store(str(store.url))
    assert again.evaluation(IDENTITY) is not None
    assert again.evaluation(replace(IDENTITY, seed=2)) is None


def url_of(store: Store) -> str:
    return store.url.render_as_string(hide_password=False)


def refusal(url: str, create: bool) -> str:
    with pytest.raises(StoreError) as caught:
        open_store(url, create)
    assert "\n" not in str(caught.value)
    return str(caught.value)


@pytest.mark.parametrize("create", [False, True])
def test_what_is_no_database_is_refused_and_left_as_it_was(tmp_path: Path, create: bool) -> None:
    text = tmp_path / "notes.txt"
    text.write_text("these are my notes, not a database")
    assert "is not an SQLite database" in refusal(f"sqlite:///{text}", create)
    assert text.read_text() == "these are my notes, not a database"
    assert "is a directory" in refusal(f"sqlite:///{tmp_path}", create)
    assert "in memory" in refusal("sqlite://", create)
    assert "not a database URL" in refusal("nas.db", create)
    assert "driver that is not installed" in refusal("oracle://me:secret@host/x", create)
    assert list(tmp_path.iterdir()) == [text]


def test_a_missing_database_is_made_only_where_asked(tmp_path: Path) -> None:
    url = f"sqlite:///{tmp_path / 'a.db'}"
    assert "does not exist" in refusal(url, False)
    assert "is not a directory" in refusal(f"sqlite:///{tmp_path}/no/a.db", True)
    store = open_store(url, True)
    assert store.study_names() == []
    assert not list(tmp_path.iterdir())
    store.add_study("s", {}, AXES, {})
    assert open_store(url).schema_version() == VERSION


def test_a_database_of_somebody_else_stays_byte_for_byte(tmp_path: Path) -> None:
    path = tmp_path / "other.db"
    connection = sqlite3.connect(path)
    connection.execute("CREATE TABLE mine (x)")
    connection.close()
    before = path.read_bytes()
    assert "holds no studies" in refusal(f"sqlite:///{path}", False)
    store = open_store(f"sqlite:///{path}", True)
    assert store.study_names() == []
    assert not store.has_foreign_study("s")
    assert path.read_bytes() == before
    assert list(tmp_path.iterdir()) == [path]


def test_another_optunas_tables_are_refused_in_one_line(any_store: Store) -> None:
    any_store.storage()
    with any_store.transaction() as connection:
        connection.execute(sa.text("UPDATE alembic_version SET version_num = 'v9.9.9'"))
    with pytest.raises(StoreError, match=r"storage (sqlite|postgresql).*optuna") as caught:
        open_store(url_of(any_store)).storage()
    assert "\n" not in str(caught.value)


def test_two_drivers_may_store_the_same_at_once(any_store: Store) -> None:
    other = open_store(url_of(any_store))
    for one in (any_store, other, any_store):
        one.add_candidate("k", {"a": 1}, "words")
        one.add_evaluation(IDENTITY, RESULT)
    assert other.candidate("k") == {"a": 1}


def test_a_newer_schema_is_refused(any_store: Store) -> None:
    with any_store.transaction() as connection:
        connection.execute(sa.update(SCHEMA).values(version=VERSION + 1))
    for create in (False, True):
        words = refusal(url_of(any_store), create)
        assert f"schema version {VERSION + 1}" in words
        assert "upgrade inception-nas" in words
    any_store.create_tables()
    assert any_store.schema_version() == VERSION + 1


def test_passwords_are_never_shown(tmp_path: Path) -> None:
    words = refusal("mssql://me:secret@host/x", True)
    assert "secret" not in words
    assert "me:***@host" in words
    words = refusal("mssql://host/x?user=me&password=secret", True)
    assert "secret" not in words
    words = refusal("postgresql+psycopg://me:my@secret@host/x", True)
    assert "%40 for an @" in words
    assert "secret" not in words
    assert "secret" not in refusal("postgresql+psycopg://me:secret/x", True)
    url = sa.make_url("postgresql+psycopg://me:secret@host/x")
    assert failure(url, "said: secret") == failure(url, "said: ***")


def test_big_numbers_long_texts_and_times_come_back(any_store: Store) -> None:
    text, big = "ä" * 100_000, 2**63 - 1
    any_store.add_study("s" * 100, {"seed": big, "limit": 10**15}, AXES, {})
    any_store.add_candidate("k", {"flops": 2**40, "text": text}, text)
    found = any_store.study("s" * 100)
    assert found["settings"] == {"seed": big, "limit": 10**15}
    now = datetime.now(UTC).replace(tzinfo=None)
    assert abs((now - found["created"]).total_seconds()) < 60
    assert any_store.candidate("k") == {"flops": 2**40, "text": text}


def test_what_a_server_refuses_is_one_line_without_the_password(server: Any) -> None:
    for url, words in {
        server.url("postgres", "wr0ng"): "give the right password in the URL, PGPASSWORD or",
        server.url("nothing"): 'database "nothing" does not exist; make it first, with createdb',
        server.url("x").replace(str(server.port), "1"): "start that server, or mend the URL",
        server.url("x").replace("127.0.0.1", "no.such.invalid"): "mend the URL",
    }.items():
        for create in (False, True):
            said = refusal(url, create)
            assert words in said
            assert server.password not in said
            assert "wr0ng" not in said
            assert "me:***@" in said


def test_a_driver_of_postgresql_that_is_missing_is_named_with_its_extra(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setitem(sys.modules, "psycopg", None)
    words = refusal("postgresql+psycopg://me:secret@host/x", True)
    assert "needs psycopg: pip install 'inception-nas[postgres]'" in words
    assert "secret" not in words
