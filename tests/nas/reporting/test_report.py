"""Tests of `nas report` and of what `nas pareto` writes: of real studies, whole or not at all."""

import csv
import importlib.util
import json
import re
import signal
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import pytest

from nas.reporting.choices import FACTORS, choices
from nas.reporting.report import collect, references, watch_report
from nas.settings import Request, Settings
from search_space.catalog import CATALOG, candidate
from search_space.cost import cost
from search_space.space import SearchSpace
from studies.evaluation import Evaluation
from studies.lock import only_driver
from studies.store import Store, open_store

Run = Callable[..., tuple[int, str, str]]
Bring = Callable[..., None]
SPACE = """
[stem]
kernel = [3]
stride = [2]
width = [4, 8]
[body]
stages = [1]
[stage]
blocks = [1]
width = [16, 24, 32, 48]
"""


def pretend(request: Request) -> Evaluation:
    """An accuracy by the candidate's key; some diverge."""
    digits = int(request.candidate.key, 16)
    if digits % 7 == 0:
        return Evaluation(None, None, (), 0.5, 0.0, "<b>host</b>", {}, "<b>loss</b> is nan")
    accuracy = 0.5 + 0.4 * (digits % 997 / 997)
    curve = ((request.budget // 2, 2.0, 0.3), (request.budget, 1.5, 0.5))
    return Evaluation(accuracy, 1.0, curve, request.budget / 1e3, 1e4, "<b>host</b>", {})


SETTINGS = Settings(
    space=SearchSpace.from_toml(SPACE),
    sampler="optuna.samplers.RandomSampler",  # which proposes what is over a limit, too
    budgets=(128, 256),
    resolution=8,
    max_params=5_000,
)


@pytest.fixture(scope="module")
def database(make_database: Callable[..., Path]) -> Path:
    """A study of 20 trials, s."""
    return make_database(SETTINGS, 20, pretend)


S = ("--study", "s", "--storage", "sqlite:///a.db")


def test_the_report_of_a_study(studied: Store, nas_in: Run) -> None:
    code, out, err = nas_in("report", *S)
    assert (code, out, err) == (0, "", "report: s-report.html\n")
    page = Path("s-report.html").read_text()
    assert "8x8" in page
    assert "over a limit and not trained" in page
    assert "&lt;b&gt;loss&lt;/b&gt; is nan" in page
    assert "<b>" not in page.split("plotly.js v")[0]
    code, _, err = nas_in("report", *S, "-o", "there.html")
    assert (code, err) == (0, "report: there.html\n")
    assert Path("there.html").read_text() == page


def test_what_a_report_is_made_of(studied: Store) -> None:
    found = collect(studied, "s")
    assert {result.number for result in found.front} <= set(found.drawings)
    assert all(svg.startswith("<svg") for svg in found.drawings.values())
    completed = [trial for trial in found.trials if trial.state == "complete"]
    assert completed
    for trial in completed:
        runs = [found.by_run[trial.key, budget] for budget in found.budgets]
        assert tuple(run.evaluation.accuracy for run in runs) == trial.rungs
        assert sum(run.evaluation.seconds for run in runs) == pytest.approx(trial.seconds)
        assert set(found.choices[trial.key]) == set(FACTORS)
    assert any(trial.over == ["params"] for trial in found.trials)
    assert dict(found.facts["The study"])["seed"] == "0"
    assert "torch" in dict(found.facts["Versions"])


def test_evaluations_of_another_seed_are_not_the_studys(studied: Store, bring: Bring) -> None:
    bring(studied, replace(SETTINGS, seed=1, warm_start=False), 6, pretend, "other")
    for name in ("s", "other"):
        found = collect(studied, name)
        assert len(found.evaluations) == len(found.by_run)


def test_the_command_of_a_report_is_one_that_a_shell_reads(tmp_path: Path, bring: Bring) -> None:
    store = open_store(f"sqlite:///{tmp_path}/b c.db", create=True)
    bring(store, SETTINGS, 1, pretend, "it's; rm")
    said = collect(store, "it's; rm").options()
    assert said == f"""--study 'it'"'"'s; rm' --storage 'sqlite:///{tmp_path}/b c.db'"""


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        (("--study", "t", "--storage", "sqlite:///a.db"), "study 't' is not in"),
        ((*S, "-o", "no/r.html"), "there is no directory no"),
        ((*S, "-o", "."), "a directory; give the name of a file"),
        (("--storage", "sqlite:///none.db"), "none.db"),
    ],
)
def test_bad_input_is_one_line_and_nothing_is_written(
    studied: Store, nas_in: Run, arguments: tuple[str, ...], said: str
) -> None:
    before = sorted(Path().iterdir())
    code, out, err = nas_in("report", *arguments)
    assert (code, out, err.count("\n")) == (2, "", 1)
    assert said in err
    assert sorted(Path().iterdir()) == before


def test_a_study_that_nobody_runs_is_not_watched(studied: Store, nas_in: Run) -> None:
    assert nas_in("report", *S, "--watch")[0] == 0
    assert 'http-equiv="refresh"' not in Path("s-report.html").read_text()


def test_a_watched_page_follows_the_study_until_nobody_runs_it(
    studied: Store, tmp_path: Path, bring: Bring
) -> None:
    page = tmp_path / "live.html"
    seen: list[tuple[bool, str]] = []
    driver = only_driver(studied, "s")
    driver.__enter__()

    def sleep(_seconds: float) -> None:
        text = page.read_text()
        found = re.search(r"with (\d+) trials", text)
        assert found
        seen.append(('http-equiv="refresh"' in text, found[1]))
        if len(seen) == 1:
            bring(studied, SETTINGS, 22, pretend)
        elif len(seen) == 3:
            driver.__exit__(None, None, None)

    watch_report(studied, "s", page, sleep)
    assert seen == [(True, "20"), (True, "22"), (True, "22")]
    assert 'http-equiv="refresh"' not in page.read_text()


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM])
def test_a_signal_ends_the_watching_in_order(
    studied: Store, tmp_path: Path, number: signal.Signals
) -> None:
    def sleep(_seconds: float) -> None:
        signal.raise_signal(number)

    with only_driver(studied, "s"):
        watch_report(studied, "s", tmp_path / "live.html", sleep)
    assert 'http-equiv="refresh"' not in (tmp_path / "live.html").read_text()


def test_the_front_as_a_page_and_as_a_table(studied: Store, nas_in: Run) -> None:
    code, out, err = nas_in("pareto", *S, "--json", "--html", "f.html", "--csv", "f.csv")
    assert (code, err) == (0, "plot: f.html\ntable: f.csv\n")
    page = Path("f.html").read_text()
    assert "The front as a table" in page
    assert "Facts of the run" not in page
    wanted = json.loads(out)["front"]
    with Path("f.csv").open(newline="") as file:
        rows = list(csv.DictReader(file))
    assert [int(row["trial"]) for row in rows] == [row["trial"] for row in wanted]
    assert [float(row["accuracy"]) for row in rows] == [row["values"]["accuracy"] for row in wanted]
    assert [row["architecture"] for row in rows] == [row["architecture"] for row in wanted]
    assert list(rows[0]) == ["trial", "accuracy", "params", "flops", "key", "architecture"]


@pytest.mark.parametrize("option", ["--png", "--svg"])
def test_a_picture_needs_kaleido(
    studied: Store, nas_in: Run, monkeypatch: pytest.MonkeyPatch, option: str
) -> None:
    there = importlib.util.find_spec
    hidden = lambda name, *rest: None if name == "kaleido" else there(name, *rest)  # noqa: E731
    monkeypatch.setattr(importlib.util, "find_spec", hidden)
    code, out, err = nas_in("pareto", *S, option, f"f.{option[2:]}", "--csv", "f.csv")
    assert (code, out, err.count("\n")) == (2, "", 1)
    assert f"{option} needs kaleido" in err
    assert not Path("f.csv").exists()


def test_references_have_exact_costs_and_published_ones_say_so() -> None:
    found = {reference.name: reference for reference in references(Settings())}
    for name in ("googlenet-28", "inception-28"):
        total = cost(candidate(name).architecture)
        assert (found[name].params, found[name].flops) == (total.params, total.flops)
        assert not found[name].published
    assert found["GoogLeNet"].published
    assert found["inception-28"].accuracy == 0.9246
    shorter = references(Settings(budgets=(5_000, 20_000)))
    assert {one.name: one.accuracy for one in shorter}["inception-28"] == 0.89
    longer = references(Settings(budgets=(5_000, 45_000)))
    assert {one.name: one.accuracy for one in longer}["inception-28"] is None
    assert not any(one.published for one in references(Settings(dataset="kmnist")))


@pytest.mark.parametrize("name", [name for name, entry in CATALOG.items() if entry.candidate])
def test_shares_of_a_choice_add_up(name: str) -> None:
    found = choices(candidate(name))
    for factor, levels in found.items():
        if levels and "" not in levels:
            assert sum(levels.values()) == pytest.approx(1), factor
    assert found["batch norm"] == {candidate(name).architecture.norm: 1.0}
