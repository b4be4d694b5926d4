"""`nas compare-studies`: studies of two databases and of plain Optuna; what can't be compared."""

import json
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import optuna
import pytest

from nas.settings import Request, Settings
from search_space.cost import cost
from studies.evaluation import Evaluation

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
    two = replace(tiny_settings, objectives=("accuracy", "params"))
    other = make_database(replace(tiny_settings, resolution=9), 2, pretend, "large")
    fewer = make_database(two, 2, pretend, "fewer")
    plain(tmp_path / "named.db", ["score", "params", "flops"], 2)
    plain(tmp_path / "unnamed.db", None, 2)
    for asked, words in (
        ((), "Missing argument"),
        ((ours,), "give at least two"),
        ((ours, ours), "each once"),
        ((ours, "gone@sqlite:///nowhere.db"), "is not there"),
        ((ours, f"gone@sqlite:///{here}"), "it holds: here"),
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
