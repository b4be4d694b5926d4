"""A folder of images that was moved is the same data: studies and trainings go on with it."""

import json
import sqlite3
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

Run = Callable[..., tuple[int, str, str]]


def settings() -> dict[str, Any]:
    with sqlite3.connect("nas.db") as database:
        ((text,),) = database.execute("SELECT settings FROM nas_studies").fetchall()
    database.close()
    known: dict[str, Any] = json.loads(text)
    return known


@pytest.fixture
def run(nas_in: Run, tiny_toml: Path, own_cache: Path) -> Run:
    """`nas run` on the small space."""
    common = ["--workers", "0", "--space", str(tiny_toml), "--precision", "float32", "--json"]
    common += ["--sampler", "random", "--budget", "128", "--rungs", "1", "--resolution", "12"]
    return lambda *options: nas_in("run", *common, *options)


def test_a_study_goes_on_where_its_images_are_now(
    run: Run, nas_in: Run, shapes: Callable[..., Path], tmp_path: Path
) -> None:
    root = shapes(tmp_path / "d", 9)
    assert run("--dataset", "folder:d", "--trials", "2")[0] == 0
    root.rename(tmp_path / "d2")
    code, _, err = run("--trials", "3")
    assert code == 2
    assert (
        "/d' isn't there; give a folder that has one folder a class, or, if it was moved, " in err
    )
    code, out, err = run("--dataset", "folder:d2", "--trials", "3")
    assert code == 0, err
    assert json.loads(out)["trials"] == {"complete": 3}
    assert settings()["dataset"] == f"folder:{tmp_path / 'd2'}"
    code, out, err = run("--trials", "4")
    assert code == 0, "the new place is remembered"
    assert json.loads(out)["trials"] == {"complete": 4}
    (tmp_path / "d2").rename(tmp_path / "d3")
    code, _, err = run("--dataset", "folder:d3", "--trials", "4")
    assert code == 0, "a study that is finished remembers it too"
    assert settings()["dataset"] == f"folder:{tmp_path / 'd3'}"
    assert nas_in("train", "0", "--epochs", "1", "--out", "m", "--quiet")[0] == 0
    (tmp_path / "d3" / "circle" / "0 é.png").unlink()
    (tmp_path / "d3").rename(tmp_path / "d4")
    code, _, err = run("--dataset", "folder:d4", "--trials", "5")
    assert code == 2
    assert "aren't those with which study 'inception' was begun" in err
    assert settings()["dataset"] == f"folder:{tmp_path / 'd3'}"


def test_a_training_goes_on_where_its_images_are_now(
    nas_in: Run, own_cache: Path, shapes: Callable[..., Path], tmp_path: Path, network: str
) -> None:
    root = shapes(tmp_path / "d", 9)
    small = ("--epochs", "2", "--resolution", "12", "--quiet", "--precision", "float32")
    command = ("train", network, *small, "--out", "m")
    assert nas_in(*command, "--dataset", "folder:d")[0] == 0
    weights = Path("m/model.safetensors").read_bytes()
    for made in ("card.json", "model.safetensors"):
        Path("m", made).unlink()
    root.rename(tmp_path / "d2")
    code, _, err = nas_in(*command, "--dataset", "folder:d2")
    assert code == 0, err
    assert json.loads(Path("m/training.json").read_text())["dataset"] == f"folder:{tmp_path}/d2"
    after = Path("m/model.safetensors").read_bytes()
    assert after[-200:] == weights[-200:], "no epoch was trained anew"


@pytest.mark.parametrize("asked", [(), ("--pixel-range", "0:255")])
def test_the_pixel_range_of_a_study_is_asked_for_once(
    run: Run, nas_in: Run, tmp_path: Path, asked: tuple[str, ...]
) -> None:
    import numpy as np
    from PIL import Image

    rng = np.random.default_rng(0)
    for name in "ab":
        (tmp_path / "d" / name).mkdir(parents=True)
        for number in range(9):
            values = rng.integers(0, 256 if asked else 65536, (12, 12), np.uint16)
            Image.fromarray(values).save(tmp_path / "d" / name / f"{number}.png")
    code, _, err = run("--dataset", "folder:d", "--trials", "1", *asked)
    assert code == 0, err
    assert settings()["pixel_range"] == ([0, 255] if asked else None)
    assert run("--trials", "2")[0] == 0
    assert nas_in("train", "0", "--epochs", "1", "--out", "m", "--quiet")[0] == 0
    for command in (("predict", "m", "d/a/0.png"), ("evaluate", "m")):
        code, _, err = nas_in(*command)
        assert code == 0, err
    if asked:
        assert run("--trials", "2", "--pixel-range", "0:4095")[0] == 2


def test_what_was_found_is_said_before_work_begins(
    nas_in: Run, own_cache: Path, shapes: Callable[..., Path], tmp_path: Path, tiny_toml: Path
) -> None:
    root = shapes(tmp_path / "d", 9)
    (root / "circle" / "notes.txt").touch()
    common = ("--workers", "0", "--space", str(tiny_toml), "--budget", "128", "--rungs", "1")
    small = ("--resolution", "12", "--dataset", f"folder:{root}", "--trials", "1", *common)
    expected = [
        f"folder:{root}: 27 images of 3 classes",
        "  class          train      val     test",
        "  'circle'           7        1        1",
        "  'square'           7        1        1",
        "  'tri angle'        7        1        1",
        "splits: val and test are held out of train, 1 in 6 of each class, chosen by content",
        "note: 3 classes have fewer than 10 images for training: ",
        "sizes: 9, from 24x60 to 48x52; formats and modes: 6 PNG",
        "left out: 1 no image: 'circle/notes.txt'",
    ]

    def check(err: str) -> None:
        lines = err.splitlines()[: len(expected)]
        for line, start in zip(lines, expected, strict=True):
            assert line.startswith(start[:40]), line

    code, _, err = nas_in("run", *small)
    assert code == 0, err
    check(err)
    train = ("train", "0", "--epochs", "1", "--out", "m")
    code, _, err = nas_in(*train)
    assert code == 0, err
    check(err)
    code, _, err = nas_in("evaluate", "m")
    assert code == 0, err
    check(err)
    code, _, err = nas_in("predict", "m", str(root))
    assert code == 0, err
    first, left_out, sizes = err.splitlines()
    assert first == f"{root}: 27 images"
    assert left_out == "left out: 1 no image: 'circle/notes.txt'"
    assert sizes.startswith("sizes: 9, from 24x60 to 48x52; formats and modes: ")
    assert nas_in("predict", "m", str(root), "--json")[2] == ""
    assert nas_in("evaluate", "m", "--json")[2] == ""
    assert nas_in("run", *small, "--study", "other", "--json")[2] == ""
    assert nas_in(*train[:-1], "m2", "--quiet")[2] == ""
