"""Databases of older schemas: read without writing, continued, upgraded by what runs on them."""

import json
import sqlite3
from dataclasses import asdict
from pathlib import Path
from typing import Any

import optuna
import pytest
from typer.testing import CliRunner

from nas import cli
from nas.objectives import OBJECTIVES
from nas.settings import DEFAULT_BUDGETS, Settings
from nas.short_run.evaluation import versions
from search_space.architecture import Candidate
from search_space.catalog import candidate
from studies.earlier import load_earlier
from studies.schema import VERSION
from studies.store import open_store

VERSION_1 = """
CREATE TABLE nas_schema (version INTEGER NOT NULL);
INSERT INTO nas_schema VALUES (1);
CREATE TABLE nas_studies (
    name VARCHAR(255) NOT NULL PRIMARY KEY, settings JSON NOT NULL, axes JSON NOT NULL,
    versions JSON NOT NULL, created DATETIME DEFAULT (CURRENT_TIMESTAMP));
CREATE TABLE nas_candidates (
    key VARCHAR(32) NOT NULL PRIMARY KEY, candidate JSON NOT NULL, text TEXT NOT NULL);
CREATE TABLE nas_evaluations (
    identity VARCHAR(64) NOT NULL PRIMARY KEY, key VARCHAR(32) NOT NULL, recipe JSON NOT NULL,
    resolution INTEGER NOT NULL, channels INTEGER NOT NULL, budget INTEGER NOT NULL,
    seed INTEGER NOT NULL, data VARCHAR(64) NOT NULL, accuracy FLOAT, loss FLOAT,
    curve JSON NOT NULL, seconds FLOAT NOT NULL, images_per_second FLOAT NOT NULL,
    host VARCHAR(255) NOT NULL, versions JSON NOT NULL, failure TEXT,
    created DATETIME DEFAULT (CURRENT_TIMESTAMP));
CREATE INDEX ix_nas_evaluations_key ON nas_evaluations (key);
"""
VERSION_2 = """
UPDATE nas_schema SET version = 2;
CREATE TABLE nas_earlier (
    study VARCHAR(255) NOT NULL, key VARCHAR(32) NOT NULL, budget INTEGER NOT NULL,
    accuracy DOUBLE NOT NULL, PRIMARY KEY (study, key, budget));
"""
ONE: Candidate = candidate("inception-28")
COMMAND = [
    "run",
    "--objectives",
    "params,flops",
    "--resolution",
    "12",
    "--quiet",
    "--sampler",
    "random",
]
COMMAND += ["--precision", "float32", "--storage", "sqlite:///old.db"]


@pytest.fixture(params=[1, 2])
def old(request: pytest.FixtureRequest, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """The file of a database of an older version, with one study of one trial, evaluated once."""
    monkeypatch.chdir(tmp_path)
    path = tmp_path / "old.db"
    settings = Settings(objectives=("params", "flops"), resolution=12, sampler="random")
    stored = settings.to_json()
    del stored["warm_start"]
    axes = [asdict(OBJECTIVES[name].axis) for name in settings.objectives]
    with sqlite3.connect(path) as connection:
        connection.executescript(VERSION_1)
        if request.param == 2:
            connection.executescript(VERSION_2)
        insert(connection, "nas_studies", name="old", settings=stored, axes=axes)
        insert(connection, "nas_candidates", key=ONE.key, candidate=ONE.to_json(), text="words")
        request = settings.request(ONE)
        result = {"accuracy": 0.75, "curve": [], "seconds": 1, "images_per_second": 1, "host": "h"}
        insert(connection, "nas_evaluations", identity="i", **asdict(request.identity()), **result)
    connection.close()
    storage = optuna.storages.RDBStorage("sqlite:///old.db")
    study = optuna.create_study(study_name="old", storage=storage, directions=["minimize"] * 2)
    known = {"key": ONE.key, "architecture": "words", "params": 1000, "flops": 5000}
    study.add_trial(optuna.trial.create_trial(values=[1000, 5000], user_attrs=known))
    storage.engine.dispose()
    return path


def insert(connection: sqlite3.Connection, table: str, **row: Any) -> None:
    if table != "nas_candidates":
        row["versions"] = versions()
    values = [json.dumps(v) if isinstance(v, dict | list) else v for v in row.values()]
    marks = ",".join("?" * len(row))
    connection.execute(f"INSERT INTO {table} ({','.join(row)}) VALUES ({marks})", values)


def called(*arguments: str) -> str:
    result = CliRunner().invoke(cli.application(), arguments, catch_exceptions=False)
    assert result.exit_code == 0
    return result.output


def test_commands_that_read_leave_it_byte_for_byte(old: Path) -> None:
    before = old.read_bytes()
    where = ("--storage", "sqlite:///old.db")
    assert json.loads(called("studies", *where, "--json"))[0]["study"] == "old"
    front = json.loads(called("pareto", "--study", "old", *where, "--json"))["front"]
    assert [one["params"] for one in front] == [1000]
    assert ONE.key in called("show", "0", "--study", "old", *where)
    assert old.read_bytes() == before
    assert list(old.parent.iterdir()) == [old]


def test_its_studies_continue_cold_whatever_is_asked(old: Path) -> None:
    called(*COMMAND, "--study", "old", "--trials", "2", "--warm-start")
    called(*COMMAND, "--study", "old", "--trials", "3", "--no-warm-start")
    store = open_store("sqlite:///old.db")
    assert store.schema_version() == VERSION
    assert load_earlier(store, "old") == []
    listed = json.loads(called("studies", "--storage", "sqlite:///old.db", "--json"))
    assert [one["trials"] for one in listed] == [{"complete": 3}]
    assert "warm_start" not in store.study("old")["settings"]


def test_a_new_study_upgrades_it_and_learns_from_it(old: Path) -> None:
    called(*COMMAND, "--study", "new", "--trials", "1")
    store = open_store("sqlite:///old.db")
    assert store.schema_version() == VERSION == 3
    (one,) = load_earlier(store, "new")
    assert one == (ONE.key, DEFAULT_BUDGETS[-1], 0.75, ONE.to_json())
    assert set(store.study_names()) == {"old", "new"}
    called(*COMMAND, "--study", "old", "--trials", "2")


def test_a_study_remembers_how_it_was_begun(old: Path) -> None:
    called(*COMMAND, "--study", "new", "--trials", "1", "--no-warm-start")
    assert load_earlier(open_store("sqlite:///old.db"), "new") == []
    called(*COMMAND, "--study", "new", "--trials", "2", "--no-warm-start")
    called(*COMMAND, "--study", "new", "--trials", "2")
    with pytest.raises(ValueError, match="warm_start: the study has False, this run asks for True"):
        called(*COMMAND, "--study", "new", "--trials", "3", "--warm-start")
