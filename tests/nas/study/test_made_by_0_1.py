"""What the first version made is still read and goes on: a study, models, a training half done.

made_by_0_1/ holds what that version wrote of a folder of 24 images of one shade each, 8x8 pixels,
that `shades` draws again.
"""

import json
import shutil
import sqlite3
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import optuna
import pytest

from nas.axes import axes_of
from nas.datasets import cache, find
from nas.settings import Settings
from nas.short_run.evaluation import versions
from nas.study.stored import StoredStudy
from search_space.dimensions import DEFAULTS_0_1
from search_space.space import SearchSpace

Run = Callable[..., tuple[int, str, str]]
MADE = Path(__file__).parents[1] / "made_by_0_1"
DIGEST = "8e47e8136b24a068"


@pytest.fixture
def shades(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """The images that these studies and models are of, where they never were before."""
    monkeypatch.setenv(cache.CACHE_VARIABLE, str(tmp_path / ".cache"))
    for name, darkest in (("dark", 0), ("light", 128)):
        (tmp_path / "moved" / name).mkdir(parents=True)
        for number in range(12):
            level = darkest + 10 * number
            content = b"P5 8 8 255\n" + bytes([level]) * 64
            (tmp_path / "moved" / name / f"{level}.pgm").write_bytes(content)
    return tmp_path / "moved"


def test_the_digest_of_a_folder_is_what_it_was(shades: Path) -> None:
    assert find(f"folder:{shades}").digest == DIGEST


def test_a_study_goes_on(nas_in: Run, shades: Path) -> None:
    shutil.copy(MADE / "study.sqlite", "study.db")
    with sqlite3.connect("study.db") as database:  # made with other versions of torch, some day
        database.execute("UPDATE nas_studies SET versions = ?", (json.dumps(versions()),))
    database.close()
    storage = ("--storage", "sqlite:///study.db")
    _, before, _ = nas_in("pareto", *storage, "--json")
    space = ("--space", str(MADE / "tiny.toml"), "--sampler", "random", "--resolution", "8")
    rungs = ("--budget", "256", "--rungs", "1", "--workers", "0", "--precision", "float32")
    command = ("run", *storage, *space, *rungs, "--json", "--dataset", "folder:moved")
    code, out, err = nas_in(*command, "--trials", "3")
    assert code == 0, err
    assert json.loads(out)["front"] == json.loads(before)["front"]
    code, out, err = nas_in(*command, "--trials", "5")
    assert code == 0, err
    assert json.loads(out)["trials"] == {"complete": 5}


@pytest.mark.parametrize("file", ["model.safetensors", "model.onnx"])
def test_a_model_is_measured_on_the_images_that_it_knows(
    nas_in: Run, shades: Path, file: str
) -> None:
    model = str(MADE / file)
    code, out, err = nas_in("predict", model, "moved/light", "--json")
    assert code == 0, err
    assert len(json.loads(out)) == 12
    code, out, err = nas_in("evaluate", model, "--dataset", "folder:moved", "--json")
    assert code == 0, err
    assert json.loads(out)["images"] == 4
    (shades / "dark" / "0.pgm").unlink()
    code, out, err = nas_in("evaluate", model, "--dataset", "folder:moved", "--json")
    assert code == 0, err
    assert "note: which files this model was trained on isn't kept with it" in err


def test_a_folder_that_has_changed_since_is_no_test(
    nas_in: Run, shades: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    from dataclasses import replace

    from nas.model.model import Model, load_model, save_model

    old = load_model(MADE / "validated.safetensors")
    here = replace(old.metadata, dataset=f"folder:{shades}")
    Path("m").mkdir()
    save_model(Model(here, old.network), Path("m"))
    assert nas_in("evaluate", "m", "--validation", "--json")[0] == 0
    (shades / "dark" / "0.pgm").unlink()
    for options in ((), ("--validation",)):
        code, _, err = nas_in("evaluate", "m", *options)
        assert code == 2
        assert "which of them it was trained on isn't kept with it" in err


def test_a_training_that_was_killed_goes_on(nas_in: Run, shades: Path) -> None:
    shutil.copytree(MADE / "begun", "begun")
    Path("network.json").write_text(
        json.dumps(json.loads(Path("begun/training.json").read_text())["candidate"])
    )
    code, _, err = nas_in(
        "train", "network.json", "--out", "begun", "--dataset", "folder:moved", "--quiet"
    )
    assert code == 0, err
    card = json.loads(Path("begun/card.json").read_text())
    assert [epoch["number"] for epoch in card["curve"]] == list(range(1, 121))
    assert card["test"]["images"] == 4


def test_a_study_that_was_killed_ends_as_the_one_that_was_not(
    nas_in: Run, monkeypatch: pytest.MonkeyPatch
) -> None:
    """killed.sqlite stopped in its 14th trial; finished.json is what it was without that.

    The evaluations of all 30 trials are in the database, so whoever asks for others fails here.
    """
    shutil.copy(MADE / "killed.sqlite", "nas.db")
    with sqlite3.connect("nas.db") as database:
        database.execute("UPDATE nas_studies SET versions = ?", (json.dumps(versions()),))
    database.close()
    monkeypatch.setattr("nas.short_run.evaluation.evaluate", lambda *_: pytest.fail("trained anew"))
    search = ("--budget", "500,2000", "--workers", "0", "--precision", "float32", "--quiet")
    code, _, err = nas_in("run", "--trials", "30", *search, "--study", "before")
    assert code == 0, err
    study = optuna.load_study(study_name="before", storage="sqlite:///nas.db")
    found = [
        {
            "number": trial.number,
            "state": trial.state.name,
            "params": trial.params,
            "values": trial.values or [],
            "key": trial.user_attrs["key"],
            "rungs": trial.user_attrs["rungs"],
            "stopped": trial.user_attrs.get("stopped"),
        }
        for trial in study.trials
    ]
    assert found == json.loads((MADE / "finished.json").read_text())
    code, out, _ = nas_in("pareto", "--study", "before", "--json")
    assert code == 0
    front = {
        member["trial"]: list(member["values"].values()) for member in json.loads(out)["front"]
    }
    assert front == {trial.number: trial.values for trial in study.best_trials}
    assert nas_in("report", "--study", "before", "--out", "page.html")[0] == 0


def test_a_default_study_of_0_1_goes_on_with_its_own_space_sampler_and_measure() -> None:
    """Whoever asked for nothing, or gave a file of choices, asks for what it meant then."""
    begun = replace(
        Settings(sampler="ms-ehvi-per-second", edition=1, repeats=0.0),
        space=SearchSpace(DEFAULTS_0_1),
    )
    stored = StoredStudy("s", begun, {}, once=True)
    assert stored.continued(Settings()) == begun
    narrow = {"stem.width": (8, 16), "stage.n": (3,)}
    narrowed = replace(begun, space=SearchSpace(DEFAULTS_0_1 | narrow))
    asked = Settings(space=SearchSpace(narrow))
    assert StoredStudy("s", narrowed, {}, once=True).continued(asked) == narrowed
    other = stored.continued(Settings(sampler="random", space=SearchSpace({"stem.width": (8,)})))
    assert other.sampler == "random"
    assert other.space == SearchSpace({"stem.width": (8,)})
    assert [axis.reference for axis in axes_of(stored.continued(Settings()))] == [0.1, 1e7, 1e10]
