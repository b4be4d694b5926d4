"""`nas compare-studies`: studies of two databases and of plain Optuna; what can't be compared."""

import contextlib
import json
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import optuna
import pytest

from nas.axes import axes_of
from nas.settings import Request, Settings
from search_space.cost import cost
from studies.evaluation import Evaluation
from studies.store import open_store

Run = Callable[..., tuple[int, str, str]]

pytestmark = pytest.mark.filterwarnings("ignore::optuna.exceptions.ExperimentalWarning")


def pretend(request: Request) -> Evaluation:
    size = cost(request.candidate.architecture, request.images.resolution).params
    return Evaluation(1 - 100 / (200 + size), 1.0, (), 0.5, 1e4, "host", {"torch": "0"})


def plain(path: Path, names: list[str] | None, trials: int = 12) -> None:
    """A study of somebody's own, on Optuna alone."""
    study = optuna.create_study(
        study_name="theirs",
        storage=f"sqlite:///{path}",
        directions=["maximize", "minimize", "minimize"],
    )
    if names:
        study.set_metric_names(names)

    def objective(trial: optuna.Trial) -> tuple[float, float, float]:
        size = 10 * trial.suggest_int("width", 10, 90)
        return 1 - 90 / (200 + size), size, 50 * size

    study.optimize(objective, n_trials=trials)


@pytest.fixture
def three(
    tmp_path: Path, tiny_settings: Settings, make_database: Callable[..., Path]
) -> tuple[str, str, str]:
    """Two studies of ours, in two databases, and one of somebody else's."""
    random = make_database(replace(tiny_settings, sampler="random"), 15, pretend, "random")
    other = make_database(replace(tiny_settings, seed=3), 22, pretend, "default")
    plain(tmp_path / "plain.db", ["accuracy", "params", "flops"])
    return (
        f"random@sqlite:///{random}",
        f"default@sqlite:///{other}",
        f"theirs@sqlite:///{tmp_path}/plain.db",
    )


def test_three_are_compared_in_tables_json_and_a_page(
    nas_in: Run, three: tuple[str, str, str], tmp_path: Path
) -> None:
    code, out, err = nas_in("compare-studies", *three, "--html", "page.html")
    assert code == 0, err
    assert "Another tool made theirs" in out
    for words in ("best network up to each number of parameters", "core-seconds", "joint front"):
        assert words in " ".join(out.split())
    page = (tmp_path / "page.html").read_text()
    assert "Fronts of each two objectives" in page
    assert all(name in page for name in ("random", "default", "theirs"))
    code, out, err = nas_in("compare-studies", *three, "--json")
    found = json.loads(out)
    assert [one["study"] for one in found["studies"]] == ["random", "default", "theirs"]
    assert [one["trials"] for one in found["studies"]] == [15, 22, 12]
    for one in found["studies"]:
        assert one["course"][-1]["hypervolume"] == pytest.approx(one["hypervolume"])
        limits = [best["up_to"] for best in one["best_up_to"] if best["cost"] == "params"]
        assert limits == [3_000, 10_000]
    assert {member["study"] for member in found["joint_front"]} <= {"random", "default", "theirs"}
    best = max(member["values"]["accuracy"] for member in found["joint_front"])
    tops = [b["accuracy"] for one in found["studies"] for b in one["best_up_to"] if b["accuracy"]]
    assert max(tops) <= best  # which network is best is decided by more than what was measured
    assert max(tops) == pytest.approx(best, abs=0.02)


def test_studies_of_one_name_are_called_by_their_databases(
    nas_in: Run, tiny_settings: Settings, make_database: Callable[..., Path]
) -> None:
    first = f"s@sqlite:///{make_database(tiny_settings, 3, pretend)}"
    second = f"s@sqlite:///{make_database(replace(tiny_settings, seed=1), 3, pretend)}"
    code, out, _ = nas_in("compare-studies", first, second, "--json")
    assert code == 0
    assert [one["study"] for one in json.loads(out)["studies"]] == [first, second]


def test_what_cant_be_compared_is_one_line(
    nas_in: Run, tiny_settings: Settings, make_database: Callable[..., Path], tmp_path: Path
) -> None:
    here = make_database(tiny_settings, 3, pretend, "here")
    ours = f"here@sqlite:///{here}"
    with contextlib.closing(open_store(f"sqlite:///{here}")) as store:
        store.add_study("none", tiny_settings.to_json(), axes_of(tiny_settings), {})
    two = replace(tiny_settings, objectives=("accuracy", "params"))
    other = make_database(replace(tiny_settings, resolution=9), 2, pretend, "large")
    fewer = make_database(two, 2, pretend, "fewer")
    plain(tmp_path / "named.db", ["score", "params", "flops"], 2)
    plain(tmp_path / "unnamed.db", None, 2)
    for asked, words in (
        ((), "Missing argument"),
        ((ours,), "give at least two"),
        ((ours, ours), "named twice"),
        ((ours, f"none@sqlite:///{here}"), "'none' has no completed trial yet"),
        ((ours, "gone@sqlite:///nowhere.db"), "is not there"),
        ((ours, f"gone@sqlite:///{here}"), "it holds: here, none"),
        ((ours, f"large@sqlite:///{other}"), "different resolution"),
        ((ours, f"fewer@sqlite:///{fewer}"), "their objectives differ"),
        ((ours, f"theirs@sqlite:///{tmp_path}/named.db"), "score"),
        ((ours, f"theirs@sqlite:///{tmp_path}/unnamed.db"), "set_metric_names"),
    ):
        code, out, err = nas_in("compare-studies", *asked)
        assert code == 2, asked
        assert not out
        assert words in err
        assert "Traceback" not in err
    assert not (tmp_path / "nowhere.db").exists()


def foreign(path: Path, values: list[tuple[float, ...]], names: list[str], **more: object) -> str:
    """Somebody else's study of finished trials; ``more`` are user attributes of all of them."""
    directions = ["maximize" if name == "accuracy" else "minimize" for name in names]
    study = optuna.create_study(
        study_name="a@b", storage=f"sqlite:///{path}", directions=directions
    )
    study.set_metric_names(names)
    for one in values:
        study.add_trial(optuna.trial.create_trial(values=one, user_attrs=more))
    study.add_trial(optuna.trial.create_trial(state=optuna.trial.TrialState.FAIL))
    study.enqueue_trial({})
    return f"a@b@sqlite:///{path}"


def test_of_another_tools_trials_what_can_be_used_is(
    nas_in: Run, tiny_settings: Settings, make_database: Callable[..., Path], tmp_path: Path
) -> None:
    two = replace(tiny_settings, objectives=("accuracy", "params"))
    ours = f"ours@sqlite:///{make_database(two, 3, pretend, 'ours')}"
    values = [(0.8, 1000.0), (0.9, 9000.0), (0.85, float("inf"))]
    named = ["accuracy", "params"]
    theirs = foreign(tmp_path / "a.db", values, named, params={"odd": 1}, flops="1.2M", key=[1])
    code, out, err = nas_in("compare-studies", ours, theirs, "--html", "page.html")
    assert code == 0, err
    assert "1 completed trial of a@b left out" in " ".join(out.split())
    found = json.loads(nas_in("compare-studies", ours, theirs, "--json")[1])["studies"][1]
    assert (found["front"], found["trials"]) == (2, 4)
    of_flops = [best["accuracy"] for best in found["best_up_to"] if best["cost"] == "flops"]
    assert of_flops
    assert set(of_flops) == {None}  # nobody knows them


def test_accuracy_in_percent_is_refused(
    nas_in: Run, tiny_settings: Settings, make_database: Callable[..., Path], tmp_path: Path
) -> None:
    two = replace(tiny_settings, objectives=("accuracy", "params"))
    ours = f"ours@sqlite:///{make_database(two, 3, pretend, 'ours')}"
    theirs = foreign(tmp_path / "a.db", [(91.2, 1000.0)], ["accuracy", "params"])
    code, _, err = nas_in("compare-studies", ours, theirs)
    assert code == 2
    assert "accuracy is 91.2 in trial 0 of study 'a@b'; it must be a fraction" in err


def test_no_password_is_shown(nas_in: Run) -> None:
    address = "postgresql+psycopg://me:secret@nowhere.invalid/db"
    for asked in ((f"a@{address}",), (f"a@{address}", f"a@{address}"), (f"a@{address}", "b")):
        code, out, err = nas_in("compare-studies", *asked)
        assert code == 2
        assert "secret" not in out + err
