"""A table that is made up, by a formula that the tests know, and the command in this process."""

import math
import random
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from nas import cli
from nas.seeds import derive
from nas.settings import Recipe, Settings
from nas.short_run.replay import Replay, open_replay
from search_space.architecture import Candidate
from search_space.cost import cost
from search_space.space import SearchSpace
from studies.table import Outcome, Run, Setting, Table

BUDGETS = (5_000, 20_000)
NOISE = 0.04
SETTINGS = Settings(sampler="random", budgets=BUDGETS, promotion="none")
BF16 = Recipe(precision="bf16")


def _candidates(count: int, seed: int = 0) -> Iterator[Candidate]:
    chance = random.Random(seed)
    for _ in range(count):
        yield SearchSpace().sample(lambda name, options: chance.choice(options))


def _true_error(candidate: Candidate, budget: int) -> float:
    """Fewer errors with more parameters, with batch norm, and with more training."""
    params = cost(candidate.architecture).params
    normed = candidate.architecture.norm != "none"
    return 0.9 * params**-0.12 * (0.6 if normed else 1.0) * (20_000 / budget) ** 0.3


def _recorded(count: int = 60, seeds: tuple[int, ...] = (1, 2)) -> Table:
    table = Table(SearchSpace().to_json())
    setting = Setting.of(vars(BF16), 28, 1, "d")
    for one in _candidates(count):
        table.candidates[one.key] = one.to_json()
        for budget in BUDGETS:
            for seed in seeds:
                noise = np.random.default_rng(derive(one.key, budget, seed)).normal(0, NOISE)
                accuracy = 1 - _true_error(one, budget) * math.exp(noise)
                seconds = budget * cost(one.architecture).flops ** 0.5 / 2e6
                run = Run(one.key, setting, budget, seed)
                table.outcomes[run] = Outcome(accuracy, 0.5, seconds)
    return table


@pytest.fixture(scope="session")
def candidates() -> Any:
    """Random candidates of the default space: (count, seed)."""
    return _candidates


@pytest.fixture(scope="session")
def true_error() -> Any:
    """The error of a candidate at a budget."""
    return _true_error


@pytest.fixture(scope="session")
def recorded() -> Any:
    """Makes a table: (count, seeds)."""
    return _recorded


@pytest.fixture(scope="session")
def path(tmp_path_factory: pytest.TempPathFactory) -> Path:
    found = tmp_path_factory.mktemp("table") / "table.jsonl"
    _recorded().write(found)
    return found


@pytest.fixture(scope="session")
def replay(path: Path) -> Replay:
    return open_replay(path, SETTINGS, "auto")[0]


@pytest.fixture
def ran(monkeypatch: pytest.MonkeyPatch, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> Any:
    """Runs the command in a directory of its own: exit code, output, errors."""
    monkeypatch.chdir(tmp_path)

    def run(*words: str) -> tuple[int, str, str]:
        monkeypatch.setattr("sys.argv", ["nas", *words])
        with pytest.raises(SystemExit) as ended:
            cli.main()
        shown = capsys.readouterr()
        return int(ended.value.code or 0), shown.out, shown.err

    return run
