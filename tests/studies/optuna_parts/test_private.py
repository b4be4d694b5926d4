"""What is private of Optuna stands in one package, by name; without it studies are the same."""

import ast
import sys
from pathlib import Path
from typing import Any

import optuna
import pytest

from nas.settings import Settings
from nas.study.loop import search
from nas.study.opened import open_study
from nas.study.until import Until
from nas.workers.protocol import InDriver
from search_space.cost import cost
from studies.evaluation import Evaluation
from studies.optuna_parts import write_behind
from studies.store import Store, open_store

ROOT = Path(__file__).parents[3]
PARTS = ROOT / "studies" / "optuna_parts"

ATTRIBUTES = {
    *("_trial_id", "_get_trials", "_backend", "_studies", "_trial_id_to_study_id_and_number"),
    *("_storage", "_study_id", "_cached_frozen_trial", "_suggest"),
}
"""Private attributes of Optuna's studies, trials and storages."""

TABLES = (
    *("trial_values", "trial_params", "trial_user_attributes", "trial_system_attributes"),
    *("FROM trials", "JOIN trials", "FROM studies", "JOIN studies"),
)


def private(tree: ast.Module) -> set[str]:
    """Names that a file takes of Optuna though they are private, and tables of Optuna's."""
    found = set()
    own = {
        node.attr if isinstance(node, ast.Attribute) else getattr(node, "name", "")
        for node in ast.walk(tree)
        if (
            isinstance(node, ast.Attribute)
            and isinstance(node.ctx, ast.Store)
            and isinstance(node.value, ast.Name)
            and node.value.id == "self"
        )
    }
    for node in ast.walk(tree):
        if isinstance(node, ast.ImportFrom) and str(node.module).split(".")[0] == "optuna":
            names = [*str(node.module).split("."), *(alias.name for alias in node.names)]
            found |= {name for name in names if name.startswith("_")}
        elif isinstance(node, ast.Attribute) and node.attr in ATTRIBUTES - own:
            found.add(node.attr)
        elif isinstance(node, ast.Constant) and isinstance(node.value, str):
            found |= {table for table in TABLES if table in node.value}
    return found


def test_nothing_private_of_optuna_is_used_elsewhere() -> None:
    elsewhere = {}
    for package in ("nas", "studies", "search_space"):
        for path in (ROOT / package).rglob("*.py"):
            if path.parent != PARTS and (found := private(ast.parse(path.read_text()))):
                elsewhere[str(path.relative_to(ROOT))] = found
    assert elsewhere == {}


def test_a_private_name_is_seen() -> None:
    tried = """
from optuna.storages import _CachedStorage
from optuna.storages._rdb import models
number = trial._trial_id
rows = connection.execute("SELECT value FROM trial_values JOIN trials")
"""
    seen = {"_CachedStorage", "_rdb", "_trial_id", "trial_values", "JOIN trials"}
    assert private(ast.parse(tried)) == seen


def test_what_is_private_is_named_and_there() -> None:
    """Every private name that the write-behind storage imports, calls or overrides is listed."""
    listed = {name for names in write_behind.PRIVATE.values() for name in names}
    for kind, names in write_behind.PRIVATE.items():
        assert all(hasattr(kind, name) for name in names)
    tree = ast.parse((PARTS / "write_behind.py").read_text())
    (storage,) = (node for node in tree.body if isinstance(node, ast.ClassDef))
    defined = {node.name for node in storage.body if isinstance(node, ast.FunctionDef)}
    inherited = {
        name for name in defined if name.startswith("_") and hasattr(storage_base(), name)
    } - set(dir(object))
    called = {
        node.attr
        for node in ast.walk(storage)
        if isinstance(node, ast.Attribute) and node.attr.startswith("_")
    }
    of_optuna = {name for name in called if hasattr(storage_base(), name)}
    of_optuna |= {name for name in called if hasattr(optuna.storages.RDBStorage, name)}
    assert (inherited | of_optuna) - set(dir(object)) - defined <= listed
    assert inherited <= listed


def storage_base() -> type[Any]:
    """The class that the write-behind storage extends."""
    return write_behind.WriteBehindStorage.__mro__[1]


class Power(BaseException):
    """Stands for a process that ends in the middle."""


def trials(store: Store) -> list[tuple[Any, ...]]:
    study = optuna.load_study(study_name="s", storage=store.storage())
    return [
        (t.number, t.state, t.values, t.params, t.user_attrs, t.constraints)
        for t in study.get_trials()
    ]


def studied(url: str, settings: Settings, cuts: tuple[int, ...]) -> list[tuple[Any, ...]]:
    """A study that is killed after so many evaluations, and continued each time."""
    store = open_store(url, create=True)
    for cut in cuts:
        left = iter(range(cut))

        def evaluate(request: Any, left: Any = left) -> Evaluation:
            if next(left, None) is None:
                raise Power
            total = cost(request.candidate.architecture, request.images.resolution)
            accuracy = 0.5 + (total.flops * request.budget % 1000) / 2500
            return Evaluation(accuracy, 1.0, (), 0.5, 1e4, "host", {})

        opened = open_study(store, "s", settings)
        try:
            search(opened, Until(12), InDriver(evaluate), lambda _: None)
        except Power:
            continue
    return trials(store)


@pytest.mark.parametrize("sampler", ["random", "ms-ehvi-per-second", "tpe"])
@pytest.mark.filterwarnings("ignore::optuna.exceptions.ExperimentalWarning")
def test_without_the_private_parts_a_study_is_the_same(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, sampler: str
) -> None:
    settings = Settings(sampler=sampler, budgets=(500, 2000), max_params=60_000, seed=4)
    whole = studied(f"sqlite:///{tmp_path}/a.db", settings, (100,))
    assert len(whole) == 12
    with monkeypatch.context() as patch:
        patch.setitem(sys.modules, "studies.optuna_parts.write_behind", None)
        store = open_store(f"sqlite:///{tmp_path}/b.db", create=True)
        assert type(store.driver_storage()) is optuna.storages.RDBStorage
        cut = studied(f"sqlite:///{tmp_path}/b.db", settings, (3, 0, 5, 100))
    assert cut == whole
