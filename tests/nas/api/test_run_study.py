"""A study from Python: what `nas run` does, and what comes back."""

import os
import re
import runpy
import signal
import subprocess
import sys
import threading
from collections.abc import Callable
from dataclasses import replace
from importlib.resources import files
from pathlib import Path

import optuna
import pytest
import sqlalchemy as sa
from PIL import Image

import nas as package
from nas import Settings, StudyResult, run_study
from nas.datasets import find
from search_space.cost import cost
from studies.store import Store, StoreError

SCRIPT = """
from nas import Settings, Interrupted, run_study
from search_space.space import SearchSpace

space = SearchSpace.from_toml({space!r})
settings = Settings(space=space, sampler="random", budgets=({budget},), resolution=8)
{guard}
    try:
        result = run_study(settings, trials={trials}, workers={workers}, precision="float32")
    except KeyboardInterrupt as stopped:
        print("stopped", stopped.number)
    else:
        print(len(result.front), result.states)
"""


@pytest.fixture
def directory(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.chdir(tmp_path)
    return tmp_path


def here(settings: Settings, trials: int = 3, **options: object) -> StudyResult:
    """A run in this process."""
    return run_study(
        settings,
        trials=trials,
        workers=0,
        precision="float32",
        progress=False,
        **options,  # type: ignore[arg-type]
    )


def written(space: Path, **parts: object) -> str:
    default = {"budget": 256, "trials": 3, "workers": 2, "guard": 'if __name__ == "__main__":'}
    return SCRIPT.format(space=space.read_text(), **default | parts)


def test_it_is_the_study_of_nas_run(
    nas_in: Callable[..., tuple[int, str, str]], tiny_settings: Settings, tiny_toml: Path
) -> None:
    result = here(tiny_settings)
    command = ["run", "--trials", "3", "--study", "command", "--sampler", "random"]
    command += ["--budget", "256", "--rungs", "1", "--resolution", "8", "--space", str(tiny_toml)]
    command += ["--workers", "0", "--precision", "float32", "--storage", "sqlite:///other.db"]
    assert nas_in(*command)[0] == 0
    other = optuna.load_study(study_name="command", storage="sqlite:///other.db")
    assert [t.values for t in result.study.trials] == [t.values for t in other.trials]
    assert result.states == {"complete": 3}
    assert result.study.metric_names == ["accuracy", "params", "flops"]


def test_the_front_is_rows_of_plain_numbers(directory: Path, tiny_settings: Settings) -> None:
    result = here(tiny_settings)
    assert result.front
    assert result.hypervolume == 0  # so short a run is no better than logistic regression
    for row in result.front:
        candidate = result.candidate(row["trial"])
        known = cost(candidate.architecture, 8)
        assert list(row) == ["trial", "accuracy", "params", "flops", "key", "architecture"]
        assert (row["params"], row["flops"], row["key"]) == (
            known.params,
            known.flops,
            candidate.key,
        )
        assert {type(row[name]) for name in ("trial", "params", "flops")} == {int}
        assert 0 <= row["accuracy"] <= 1
    assert [row["params"] for row in result.front] == sorted(row["params"] for row in result.front)
    with pytest.raises(ValueError, match="trial 99 is not in study 'inception'"):
        result.candidate(99)


def test_the_same_call_continues_and_reads(directory: Path, tiny_settings: Settings) -> None:
    here(tiny_settings, trials=1)
    more = here(tiny_settings, trials=2)
    assert sum(more.states.values()) == 2
    assert here(tiny_settings, trials=2).front == more.front
    with pytest.raises(StoreError, match="made with other settings: seed: the study has 0"):
        here(replace(tiny_settings, seed=1), trials=2)


def test_a_recipe_of_ones_own_is_used(directory: Path, tiny_settings: Settings) -> None:
    own = replace(tiny_settings, recipe=package.Recipe(batch_size=32))
    result = here(own, trials=1)
    kept = Settings.from_json(_kept(result))
    assert kept.recipe == package.Recipe(batch_size=32)
    assert kept.data == find("fashion-mnist").digest


def _kept(result: StudyResult) -> dict[str, object]:
    from studies.store import open_store

    store = open_store(result.storage)
    try:
        kept: dict[str, object] = store.study(result.name)["settings"]
        return kept
    finally:
        store.close()


@pytest.mark.parametrize(
    ("change", "options", "words"),
    [
        ({"sampler": "best"}, {}, "sampler is 'best'; choose one of"),
        ({"objectives": ("accuracy", "speed")}, {}, "objective is 'speed'; choose one of"),
        ({"dataset": "mnist"}, {"images": "found"}, "images are of fashion-mnist, but the"),
        ({"max_params": 20}, {}, "no candidate of the space meets --max-params 20"),
        ({"start_from": ("googlenet-torchvision",)}, {}, "googlenet-torchvision"),
        ({}, {"study": "../x"}, "study is '../x'; give 1 to 100 letters"),
        ({}, {"storage": "nas.db"}, "storage is not a database URL"),
        ({}, {"max_failures": 0}, "max failures is 0; it must be a whole number from 1"),
        ({}, {"gpus_per_trial": 0.5}, "--gpus-per-trial is of workers, and --workers 0 has none"),
        ({}, {"replay": Path("no.jsonl"), "images": Path()}, "--replay and --data-dir exclude"),
    ],
)
def test_what_cannot_be_is_a_value_error_and_nothing_is_written(
    directory: Path,
    tiny_settings: Settings,
    change: dict[str, object],
    options: dict[str, object],
    words: str,
) -> None:
    if options.get("images") == "found":
        options = {"images": find("fashion-mnist")}
    with pytest.raises(ValueError, match=words.replace("(", "\\(")):
        here(replace(tiny_settings, **change), **options)  # type: ignore[arg-type]
    assert not list(directory.iterdir())


def test_it_runs_in_any_thread(directory: Path, tiny_settings: Settings) -> None:
    found: list[StudyResult] = []
    thread = threading.Thread(target=lambda: found.append(here(tiny_settings, trials=1)))
    thread.start()
    thread.join()
    assert found[0].states == {"complete": 1}


def test_ctrl_c_is_a_keyboard_interrupt_and_keeps_what_ended(
    directory: Path, tiny_toml: Path
) -> None:
    """As it stands in a user's script, with workers."""
    (directory / "script.py").write_text(written(tiny_toml, trials=1000, budget=2_000, workers=1))
    process = subprocess.Popen(
        [sys.executable, "script.py"], stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True
    )
    assert process.stderr is not None
    for line in process.stderr:
        if re.match(r"[1-9]\d*/1000 ", line):
            break
    os.kill(process.pid, signal.SIGINT)
    out, err = process.communicate(timeout=60)
    assert (process.returncode, out, err) == (0, "stopped 2\n", err)
    assert "Traceback" not in err
    study = optuna.load_study(study_name="inception", storage="sqlite:///nas.db")
    assert any(trial.state.is_finished() for trial in study.trials)


def test_a_script_that_workers_cannot_import_is_told_so(directory: Path, tiny_toml: Path) -> None:
    (directory / "script.py").write_text(written(tiny_toml, guard="if True:"))
    done = subprocess.run([sys.executable, "script.py"], capture_output=True, text=True)
    assert done.returncode == 1
    assert 'put the call below `if __name__ == "__main__":`, or give workers=0' in done.stderr


def test_the_script_of_the_readme_works(
    directory: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    """With fewer trials, shorter ones, and a short training."""
    readme = (Path(__file__).parents[3] / "README.md").read_text()
    (script,) = re.findall(
        r"^```python\n(from nas import .*?)^```", readme, re.MULTILINE | re.DOTALL
    )
    for asked, small in {
        "Settings(": "Settings(budgets=(256,), ",
        "trials=30": "trials=2, workers=0, precision='float32'",
        "epochs=20": "epochs=1, train_size=300, resolution=8",
    }.items():
        assert asked in script
        script = script.replace(asked, small)
    (directory / "images").mkdir()
    for number in range(3):
        Image.new("L", (28, 28), 80 * number).save(directory / "images" / f"{number}.png")
    (directory / "script.py").write_text(script)
    runpy.run_path("script.py", run_name="__main__")
    output = capsys.readouterr().out
    assert re.match(r"0\.\d+ Cost\(output=\(10, 1, 1\), params=\d+, ", output), output
    assert output.count("Prediction(image=PosixPath('images/") == 3
    assert {"small.html", "small.onnx"} <= {path.name for path in directory.iterdir()}


@pytest.mark.parametrize("package", ["nas", "search_space", "studies"])
def test_its_types_are_for_others_too(package: str) -> None:
    assert (files(package) / "py.typed").is_file()


def test_what_is_exported_is_there() -> None:
    assert all(getattr(package, name) for name in package.__all__)
    with pytest.raises(AttributeError, match="has no attribute 'nothing'"):
        package.nothing  # noqa: B018


@pytest.mark.parametrize("before", [0, 2])
def test_a_study_is_opened_and_read_once(
    directory: Path, tiny_settings: Settings, monkeypatch: pytest.MonkeyPatch, before: int
) -> None:
    """Its row, what it knows of earlier studies, and its trials; whether it is new or goes on."""
    settings = replace(tiny_settings, warm_start=True)
    if before:
        here(settings, before)
    statements: list[str] = []
    stores: list[Store] = []
    made = Store.__init__

    def note(_connection: object, _cursor: object, statement: str, *_more: object) -> None:
        statements.append(" ".join(statement.split()))

    def opened(self: Store, url: sa.URL) -> None:
        made(self, url)
        stores.append(self)
        sa.event.listen(self.engine, "before_cursor_execute", note)

    monkeypatch.setattr(Store, "__init__", opened)
    assert here(settings, before + 2).states["complete"] == before + 2
    rows = [one for one in statements if "FROM nas_studies" in one and "settings" in one]
    assert len(rows) == bool(before)
    assert sum("FROM nas_earlier" in one for one in statements) == bool(before)
    assert sum("FROM trials JOIN studies" in one and "COUNT" not in one for one in statements) == 0
    assert len(stores) == 2, "one for the study, and one for the driver's lock alone"
