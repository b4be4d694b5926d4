"""Tests of `nas dashboard`: notes, plot and what is refused; and of plain Optuna on our studies."""

import http.client
import importlib.util
import json
import socket
import threading
import warnings
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import optuna
import pytest

from nas.reporting import dashboard
from nas.settings import Request, Settings
from search_space.space import SearchSpace
from studies.evaluation import Evaluation
from studies.lock import only_driver
from studies.results import Result, load_results
from studies.store import Store

Run = Callable[..., tuple[int, str, str]]
Bring = Callable[..., None]
NAME = "a_b [c](javascript:d) `e` <i>f</i> www.g.org $h$"
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
SETTINGS = Settings(
    space=SearchSpace.from_toml(SPACE), sampler="random", budgets=(128, 256), resolution=8
)
REASON = "</p><script>window.hacked = 1</script> **loss** ```is``` nan"


def pretend(request: Request) -> Evaluation:
    digits = int(request.candidate.key, 16)
    if digits % 7 == 0:
        return Evaluation(None, None, (), 0.5, 0.0, "here", {}, REASON)
    return Evaluation(0.5 + 0.4 * (digits % 997 / 997), 1.0, (), 1.0, 1e4, "here", {})


@pytest.fixture(scope="module")
def database(make_database: Callable[..., Path]) -> Path:
    """A study of 20 trials."""
    return make_database(SETTINGS, 20, pretend, NAME)


@pytest.fixture
def extra() -> Any:
    reason = "optuna-dashboard is not installed: pip install -e '.[dashboard]'"
    return pytest.importorskip("optuna_dashboard", reason=reason)


def load(store: Store) -> optuna.Study:
    sampler = optuna.samplers.RandomSampler()
    return optuna.load_study(study_name=NAME, storage=store.storage(), sampler=sampler)


def members(store: Store) -> list[Result]:
    return load_results(store, NAME).front()


def note_of(extra: Any, study: optuna.Study, number: int) -> str:
    return str(extra.get_note(optuna.Trial(study, study.get_trials()[number]._trial_id)))


def test_plain_optuna_reads_our_studies(studied: Store) -> None:
    study = optuna.load_study(study_name=NAME, storage=str(studied.url))
    assert study.metric_names == ["accuracy", "params", "flops"]
    best = {trial.number for trial in study.best_trials}
    assert {result.number for result in members(studied)} <= best
    with warnings.catch_warnings():
        # they are experimental, or estimate importance from a few trials
        warnings.simplefilter("ignore")
        figure = optuna.visualization.plot_pareto_front(
            study, targets=lambda trial: trial.values[:2], target_names=study.metric_names[:2]
        )
        importances = optuna.importance.get_param_importances(
            study, target=lambda trial: trial.values[0]
        )
    drawn = sum(len(trace.x) for trace in figure.data)
    assert drawn == len([trial for trial in study.trials if trial.state.name == "COMPLETE"])
    assert set(importances) <= {name for trial in study.trials for name in trial.params}
    assert sum(importances.values()) == pytest.approx(1)


def test_notes_of_the_study_and_of_its_front(studied: Store, extra: Any) -> None:
    dashboard.annotate(studied, NAME)
    study = load(studied)
    said = extra.get_note(study)
    assert said.startswith(f"# `` {NAME} ``\n")
    assert "failed: ```` </p><script>" in said
    assert "nas report --study" in said
    for result in members(studied):
        note = note_of(extra, study, result.number)
        assert note.startswith(f"# Trial {result.number}, on the Pareto front\n")
        assert f"`{result.text}`" in note
        assert f"nas train {result.number} --study" in note
        assert "accuracy at 128 images: " in note
        assert "stem" in note.split("```")[1]
    noted = {result.number for result in members(studied)}
    others = [t.number for t in study.trials if t.number not in noted]
    assert not any(note_of(extra, study, number) for number in others)


def test_what_others_wrote_stays_and_what_has_left_the_front_says_so(
    studied: Store, extra: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    dashboard.annotate(studied, NAME)
    study = load(studied)
    first, second, *_ = [result.number for result in members(studied)]
    edited = note_of(extra, study, first).replace("# Trial", "# My trial")
    extra.save_note(optuna.Trial(study, study.trials[first]._trial_id), edited)
    monkeypatch.setattr("studies.results.Results.front", lambda _results: [])
    dashboard.annotate(studied, NAME)
    assert note_of(extra, study, first) == edited
    assert f"# Trial {second}, no longer on the Pareto front" in note_of(extra, study, second)


def test_notes_that_are_right_are_not_written_again(studied: Store, extra: Any) -> None:
    dashboard.annotate(studied, NAME)
    storage = studied.storage()
    number = storage.get_study_id_from_name(NAME)
    before = storage.get_study_system_attrs(number)
    dashboard.annotate(studied, NAME)
    assert storage.get_study_system_attrs(number) == before


def test_a_study_with_notes_continues_as_it_was(studied: Store, extra: Any, bring: Bring) -> None:
    dashboard.annotate(studied, NAME)
    with only_driver(studied, NAME):
        bring(studied, SETTINGS, 22, pretend, NAME)
        dashboard.annotate(studied, NAME)
    assert len(load(studied).trials) == 22


@pytest.fixture
def address(studied: Store, extra: Any) -> Iterator[tuple[str, int]]:
    server, url = dashboard.open_server(studied, NAME, 0)
    thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.05})
    thread.start()
    yield url, server.server_port
    server.shutdown()
    thread.join()
    server.server_close()


def ask(port: int, method: str, path: str, **headers: str) -> tuple[int, bytes]:
    connection = http.client.HTTPConnection("127.0.0.1", port, timeout=60)
    connection.request(method, path, headers=headers)
    answer = connection.getresponse()
    found = answer.status, answer.read()
    connection.close()
    return found


def test_it_shows_the_study_and_changes_nothing(address: tuple[str, int], studied: Store) -> None:
    url, port = address
    number = url.rpartition("/")[2]
    status, body = ask(port, "GET", f"/api/studies/{number}")
    assert status == 200
    found = json.loads(body)
    assert [plot["id"] for plot in found["plotly_graph_objects"]] == ["pareto-front"]
    assert NAME in found["note"]["body"]
    for method in ("DELETE", "POST", "PUT"):
        status, body = ask(port, method, f"/api/studies/{number}")
        assert status == 403
        assert "only shows" in json.loads(body)["reason"]
    assert studied.study_names() == [NAME]
    assert load(studied).trials


def test_a_page_of_elsewhere_reads_nothing(address: tuple[str, int]) -> None:
    port = address[1]
    status, body = ask(port, "GET", "/api/studies", Host=f"evil.example:{port}")
    assert (status, NAME.encode() in body) == (403, False)
    assert ask(port, "GET", "/api/studies", Host=f"localhost:{port}")[0] == 200


def test_only_this_machine_can_ask(address: tuple[str, int]) -> None:
    hexadecimal = f"0100007F:{address[1]:04X}"
    table = Path("/proc/net/tcp").read_text() + Path("/proc/net/tcp6").read_text()
    listening = [line.split()[1] for line in table.splitlines() if " 0A " in line]
    assert [one for one in listening if one.endswith(hexadecimal[-5:])] == [hexadecimal]


def test_the_extra_is_asked_for(
    studied: Store, nas_in: Run, monkeypatch: pytest.MonkeyPatch
) -> None:
    there = importlib.util.find_spec
    hidden = lambda name, *rest: None if name == "optuna_dashboard" else there(name, *rest)  # noqa: E731
    monkeypatch.setattr(importlib.util, "find_spec", hidden)
    code, out, err = nas_in("dashboard", "--study", NAME, "--storage", "sqlite:///a.db")
    assert (code, out, err.count("\n")) == (2, "", 1)
    assert "pip install 'inception-nas[dashboard]'" in err


def test_a_port_that_is_taken_is_one_line(studied: Store, nas_in: Run, extra: Any) -> None:
    with socket.create_server(("127.0.0.1", 0)) as other:
        taken = str(other.getsockname()[1])
        options = ("--study", NAME, "--storage", "sqlite:///a.db", "--port", taken)
        code, out, err = nas_in("dashboard", *options)
    assert (code, out, err.count("\n")) == (2, "", 1)
    assert "give another, or 0 for any" in err
    assert extra.get_note(load(studied)) == ""


@pytest.mark.slow
def test_the_dashboard_in_a_browser(address: tuple[str, int], studied: Store, browser: Any) -> None:
    url, port = address
    text = "(document.body?.innerText ?? '')"
    with browser.tab() as tab:
        # Optuna Dashboard draws nothing before it has asked for the study.
        tab.visit(url, "document.querySelector('.js-plotly-plot') !== null")
        plots = "[...document.querySelectorAll('.js-plotly-plot')]"
        tab.until(f"{plots}.some(p => p.textContent.includes('front of all 3 objectives'))")
        tab.visit(f"{url}/note", f"{text}.includes('Inception NAS')")
        inside = "[...document.querySelectorAll('code')].map(code => code.textContent)"
        assert NAME in tab.value(inside)
        number = members(studied)[-1].number
        tab.visit(f"{url}/trials?numbers={number}", f"{text}.includes('on the Pareto front')")
        assert f"nas train {number} --study" in tab.value(text)
        links = "[...document.querySelectorAll('a[href]')].map(a => a.getAttribute('href'))"
        assert not [link for link in tab.value(links) if "javascript" in link or "www.g" in link]
        assert tab.value("window.hacked") is None
        assert tab.errors == []
    outside = [one for one in tab.requests if not one.startswith(f"http://127.0.0.1:{port}/")]
    assert [one for one in outside if not one.startswith(("data:", "blob:"))] == []
