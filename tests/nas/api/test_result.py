"""What a study has found, from Python: rows, the best within limits, plot, page, training."""

import math
from pathlib import Path

import pytest

from nas import Settings, StudyResult, run_study
from search_space.cost import cost


@pytest.fixture
def result(tiny_settings: Settings, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> StudyResult:
    """Four trials, one of them stopped at its first rung."""
    from dataclasses import replace

    monkeypatch.chdir(tmp_path)
    asked = replace(tiny_settings, budgets=(128, 256), promotion="asha", eta=2.0)
    return run_study(asked, trials=4, workers=0, precision="float32", progress=False)


def test_trials_are_rows(result: StudyResult) -> None:
    rows = result.trials
    assert [row["trial"] for row in rows] == [0, 1, 2, 3]
    states = [row["state"] for row in rows]
    assert {state: states.count(state) for state in set(states)} == result.states
    for row in rows:
        total = cost(result.candidate(row["trial"]).architecture, 8)
        assert (row["params"], row["flops"]) == (total.params, total.flops)
        assert (row["accuracy"] is None) == (row["state"] != "complete")
        assert len(row["rungs"]) == (2 if row["state"] == "complete" else 1)
    keys = {tuple(row) for row in rows}
    assert len(keys) == 1, "each row has the same columns"


def test_the_best_within_limits_is_a_trial_of_the_study(result: StudyResult) -> None:
    done = [row for row in result.trials if row["state"] == "complete"]
    best = result.best()
    assert best["accuracy"] == max(row["accuracy"] for row in done)
    least = min(row["params"] for row in done)
    within = result.best(params=least, flops=10**9)
    assert within["params"] == least
    with pytest.raises(ValueError, match="has no completed trial of at most 3 params"):
        result.best(params=3)
    with pytest.raises(ValueError, match="at most 10,000,000 flash_bytes; raise the limit, or"):
        result.best(flash_bytes=10**7)  # which this study didn't ask for
    table = result.best_up_to(sizes=(least, 10**6))
    assert [row["trial"] for row in table] == [within["trial"], best["trial"]]
    assert math.isclose(table[1]["accuracy"], best["accuracy"])


def test_it_is_drawn_and_reported(result: StudyResult, tmp_path: Path) -> None:
    numbers = [n for trace in result.plot().data for n in trace.customdata or ()]
    assert set(numbers) == {row["trial"] for row in result.trials if row["state"] == "complete"}
    page = result.report(str(tmp_path / "page.html"))
    assert result.name in page.read_text()
    shown = result._repr_html_()
    assert all(str(row["params"]) in shown.replace(",", "") for row in result.front)


def test_a_network_of_it_is_trained_and_used(result: StudyResult, tmp_path: Path) -> None:
    trial = result.best()["trial"]
    network = result.network(trial)
    assert network.cost().params == result.best()["params"]
    assert sum(part.numel() for part in network.module().parameters()) == network.cost().params
    model = result.train(trial, epochs=1, train_size=300, progress=False)
    assert model.path == Path(f"inception-trial-{trial}")
    assert model.card is not None
    assert model.card["test"]["images"] == 10_000
    assert f"{model.card['test']['accuracy']:.2%} of 10,000 test images" in repr(model)
    again = result.train(trial, progress=False)  # is there already, and is as it was
    assert again.card == model.card
    with pytest.raises(ValueError, match="trial 9 is not in study"):
        result.train(9)
