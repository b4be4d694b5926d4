"""Evaluations as text: what is exported, merged, read back, and what is refused."""

import json
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import pytest

from studies.axis import Axis
from studies.evaluation import Evaluation, Identity
from studies.store import Store, open_store
from studies.table import Table, TableError, digest, export_table, read_table

AXES = (Axis("accuracy", "fraction", True, False, 0.1),)
RECIPE = {"batch_size": 64, "precision": "bf16"}


def stored(path: Path, space: dict[str, Any], runs: dict[tuple[str, int], float | None]) -> Store:
    """A database with a study of that space and evaluations by key and seed."""
    store = open_store(f"sqlite:///{path}", create=True)
    store.add_study("s", {"space": space}, AXES, {})
    for (key, seed), accuracy in runs.items():
        store.add_candidate(key, {"label_smoothing": 0.1, "name": key}, key)
        add(store, key, seed, accuracy)
    return store


def add(store: Store, key: str, seed: int, accuracy: float | None, data: str = "d") -> None:
    identity = Identity(key, RECIPE, 28, 1, 5000, seed, data)
    loss, failure = (None, "diverged") if accuracy is None else (0.5, None)
    result = Evaluation(accuracy, loss, (), 2.5, 2000.0, "h", {}, failure)
    store.add_evaluation(identity, result)


def test_a_table_reads_back_as_it_was_written(tmp_path: Path) -> None:
    store = stored(tmp_path / "a.db", {"x": [1, 2]}, {("aa", 1): 0.8, ("bb", 1): None})
    written, new = export_table(store, tmp_path / "t.jsonl")
    assert new == 2
    again = read_table(tmp_path / "t.jsonl")
    assert again == written
    assert digest(again.outcomes) == digest(written.outcomes)
    assert {run.key: outcome.accuracy for run, outcome in again.outcomes.items()} == {
        "aa": 0.8,
        "bb": None,
    }
    assert again.candidates["aa"]["name"] == "aa"
    assert json.loads(next(iter(again.outcomes)).setting.recipe) == RECIPE


def test_tables_grow_and_what_is_there_stays(tmp_path: Path) -> None:
    path = tmp_path / "t.jsonl"
    export_table(stored(tmp_path / "a.db", {"x": [1]}, {("aa", 1): 0.8}), path)
    first = read_table(path)
    more = stored(tmp_path / "b.db", {"x": [1]}, {("aa", 1): 0.3, ("aa", 2): 0.7, ("cc", 1): 0.6})
    export_table(more, path, timed=False)
    table = read_table(path)
    found = {(run.key, run.seed): tuple(outcome) for run, outcome in table.outcomes.items()}
    assert found == {
        ("aa", 1): (0.8, 0.5, 2.5),
        ("aa", 2): (0.7, 0.5, None),
        ("cc", 1): (0.6, 0.5, None),
    }
    assert digest(table.outcomes) != digest(first.outcomes)
    before = path.read_bytes()
    assert export_table(more, path, timed=False)[1] == 0
    assert path.read_bytes() == before


def test_seconds_that_were_left_out_can_be_added(tmp_path: Path) -> None:
    path = tmp_path / "t.jsonl"
    store = stored(tmp_path / "a.db", {"x": [1]}, {("aa", 1): 0.8})
    assert [o.seconds for o in export_table(store, path, timed=False)[0].outcomes.values()] == [
        None
    ]
    table, new = export_table(store, path)
    assert [o.seconds for o in table.outcomes.values()] == [2.5]
    assert new == 0


def test_exports_at_the_same_time_lose_nothing(tmp_path: Path) -> None:
    path = tmp_path / "t.jsonl"
    for name in "abcd":
        runs: dict[tuple[str, int], float | None] = {(f"{name}{i}", 1): 0.5 for i in range(20)}
        stored(tmp_path / f"{name}.db", {"x": [1]}, runs)
    stores = [open_store(f"sqlite:///{tmp_path}/{name}.db") for name in "abcd"]
    with ThreadPoolExecutor(4) as threads:
        list(threads.map(lambda store: export_table(store, path), stores))
    assert len(read_table(path).outcomes) == 80


def test_what_came_from_a_table_never_enters_one(tmp_path: Path) -> None:
    store = stored(tmp_path / "a.db", {"x": [1]}, {("aa", 1): 0.8})
    add(store, "aa", 5, 0.99, data="replay of 0123")
    assert [run.seed for run in export_table(store, tmp_path / "t")[0].outcomes] == [1]


def test_a_database_without_studies_joins_a_table_that_is_there(tmp_path: Path) -> None:
    path = tmp_path / "t.jsonl"
    export_table(stored(tmp_path / "a.db", {"x": [1]}, {("aa", 1): 0.8}), path)
    bare = open_store(f"sqlite:///{tmp_path / 'b.db'}", create=True)
    bare.create_tables()
    bare.add_candidate("zz", {"label_smoothing": 0.0}, "zz")
    add(bare, "zz", 1, 0.5)
    with pytest.raises(TableError, match="0 spaces, and a table is of one"):
        export_table(bare, tmp_path / "new")
    assert not (tmp_path / "new").exists()
    assert {run.key for run in export_table(bare, path)[0].outcomes} == {"aa", "zz"}


def test_another_space_is_refused_and_nothing_written(tmp_path: Path) -> None:
    path = tmp_path / "t.jsonl"
    export_table(stored(tmp_path / "a.db", {"x": [1]}, {("aa", 1): 0.8}), path)
    before = path.read_bytes()
    other = stored(tmp_path / "b.db", {"x": [1, 2]}, {("bb", 1): 0.8})
    with pytest.raises(TableError, match="studies of another space"):
        export_table(other, path)
    assert path.read_bytes() == before


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("", "is not a table of evaluations"),
        ("hello\n", "line 1 is not a JSON object"),
        ('{"format": "else"}\n', "is not a table of evaluations"),
        ('{"format": "nas evaluations 1"}\n', "line 1 lacks its space or settings"),
        ("HEAD\n[1, 2]\n", "line 2 is not a JSON object"),
        ('HEAD\n{"key": "a"}\n', "line 2 is not a candidate"),
        ('HEAD\n{"key": "a", "candidate": {}, "evaluations": [[7, 1, 1, 0.5, 1, 1]]}', "line 2"),
        ('HEAD\n{"key": "a", "candidate": {}, "evaluations": [[0, 1, 1, 1.5, 1, 1]]}', "line 2"),
        ('HEAD\n{"key": "a", "candidate": {}, "evaluations": [[0, 1, 1, "x", 1, 1]]}', "line 2"),
        ('HEAD\n{"key": "a", "candidate": {}, "evaluations": [[0, 1, 1, 0.5, 1, -1]]}', "line 2"),
        ('HEAD\n{"key": "a", "candidate": {}, "evaluations": [[0, 1]]}', "line 2"),
    ],
)
def test_other_files_are_refused_with_their_line(tmp_path: Path, text: str, message: str) -> None:
    setting = {"recipe": RECIPE, "resolution": 28, "channels": 1, "data": "d"}
    head = {"format": "nas evaluations 1", "space": {}, "settings": [setting]}
    path = tmp_path / "t.jsonl"
    path.write_text(text.replace("HEAD", json.dumps(head)))
    with pytest.raises(TableError, match=message) as refused:
        read_table(path)
    assert "\n" not in str(refused.value)


def test_unreadable_and_unwritable_files_are_named(tmp_path: Path) -> None:
    with pytest.raises(TableError, match=r"nowhere can't be read: No such file"):
        read_table(tmp_path / "nowhere")
    (tmp_path / "binary").write_bytes(b"\xff\xfe\x00")
    with pytest.raises(TableError, match="binary can't be read: it is not a text file"):
        read_table(tmp_path / "binary")
    with pytest.raises(TableError, match="can't be written: No such file"):
        Table({}).write(tmp_path / "no" / "t")
