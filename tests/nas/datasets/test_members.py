"""What a model was trained on is never what it is measured on, whatever became of its files."""

import json
import shutil
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from PIL import Image

from nas.datasets import find
from nas.datasets.folder import _look_through, split
from nas.datasets.membership import BYTES, Membership, digest_of_file, membership

Run = Callable[..., tuple[int, str, str]]
SMALL = ("--epochs", "1", "--resolution", "12", "--quiet", "--precision", "float32")


def draw(root: Path, count: int, seed: int = 0) -> Path:
    """Two classes of so many images of noise."""
    rng = np.random.default_rng(seed)
    for name in ("left", "right"):
        (root / name).mkdir(parents=True, exist_ok=True)
        for number in range(count):
            pixels = rng.integers(0, 256, (12, 12), dtype=np.uint8)
            Image.fromarray(pixels).save(root / name / f"{seed}-{number}.png")
    return root


def part_of(root: Path, part: str) -> list[Path]:
    return [file.path for file in split(_look_through(root))[part]]


@pytest.fixture
def model(nas_in: Run, network: str, own_cache: Path, tmp_path: Path) -> Path:
    """A model trained on a folder of two classes of 30, 5 of each for the test."""
    root = draw(tmp_path / "data", 30)
    code, _, err = nas_in("train", network, "--dataset", f"folder:{root}", "--out", "m", *SMALL)
    assert code == 0, err
    return root


def evaluated(nas_in: Run, *options: str) -> tuple[int, int, str]:
    """Exit code, images, and what was said."""
    code, out, err = nas_in("evaluate", "m", "--json", *options)
    return code, json.loads(out)["images"] if code == 0 else 0, err


def test_the_held_out_images_are_the_models_own(nas_in: Run, model: Path) -> None:
    before = part_of(model, "test")
    assert evaluated(nas_in) == (0, 10, "")
    for path in before[:2]:
        path.unlink()
    assert len(part_of(model, "test")) > 8, "others are held out now, that were trained on"
    code, images, err = evaluated(nas_in)
    assert (code, images) == (0, 8)
    assert "note: 8 of the model's 10 test images are left, 0 are new to it" in err
    assert "images in its test part were in another one then, and aren't used" in err
    for path in before[2:]:
        path.unlink()
    code, _, err = evaluated(nas_in)
    assert code == 2
    assert err.count("\n") == 1
    assert "has no test image that the model was not trained on: none of its 10 is left" in err
    assert "name images that it has not seen with --dataset" in err


def test_renamed_moved_and_added_files_change_nothing(nas_in: Run, model: Path) -> None:
    for number, path in enumerate(sorted((model / "left").iterdir())):
        path.rename(path.with_name(f"renamed {number}.png"))
    draw(model, 12, seed=9)
    model.rename(model.with_name("elsewhere"))
    code, images, err = evaluated(nas_in)
    assert code == 2
    assert "isn't there; give a folder" in err
    assert "--dataset folder:PATH says where they are now" in err
    code, images, err = evaluated(nas_in, "--dataset", "folder:elsewhere")
    assert code == 0
    assert "note: 10 of the model's 10 test images are left, " in err
    assert images == 10 + int(err.split("images are left, ")[1].split()[0])


def test_a_test_folder_of_images_that_were_trained_on_is_no_test(
    nas_in: Run, model: Path, tmp_path: Path
) -> None:
    new = draw(tmp_path / "new" / "train", 4, seed=5)
    draw(tmp_path / "new" / "Test", 3, seed=6)
    code, images, err = evaluated(nas_in, "--dataset", "folder:new")
    assert (code, images) == (0, 6)
    assert "0 of the model's 10 test images are left, 6 are new to it" in err
    trained_on = part_of(model, "train")
    for path in trained_on:
        shutil.copy(path, tmp_path / "new" / "Test" / path.parent.name / path.name)
    code, images, err = evaluated(nas_in, "--dataset", "folder:new")
    assert (code, images) == (0, 6)
    assert f"note: {len(trained_on)} images in its test part were in another one then" in err
    shutil.rmtree(new.parent / "Test")
    for path in trained_on:
        (new.parent / "Test" / path.parent.name).mkdir(parents=True, exist_ok=True)
        shutil.copy(path, new.parent / "Test" / path.parent.name)
    assert evaluated(nas_in, "--dataset", "folder:new")[0] == 2


def test_validation_images_are_kept_apart_too(
    nas_in: Run, network: str, own_cache: Path, tmp_path: Path
) -> None:
    root = draw(tmp_path / "data", 30)
    arguments = ("--dataset", f"folder:{root}", "--out", "m", "--validate", *SMALL)
    assert nas_in("train", network, *arguments)[0] == 0
    assert evaluated(nas_in, "--validation") == (0, 10, "")
    held_out = part_of(root, "val")
    for path in part_of(root, "test"):
        path.unlink()
    assert {*part_of(root, "test")} & {*held_out}, "what was for validation would be tested on now"
    code, _, err = evaluated(nas_in)
    assert code == 2
    assert "none of its 10 is left" in err
    code, images, err = evaluated(nas_in, "--validation")
    assert (code, images) == (0, 10)
    assert "note: 10 of the model's 10 validation images are left" in err


def test_a_model_that_was_trained_on_all_has_no_validation(nas_in: Run, model: Path) -> None:
    (model / "left" / "0-0.png").unlink()
    code, _, err = evaluated(nas_in, "--validation")
    assert code == 2
    assert "the model was trained on its validation images too" in err


def test_an_exported_file_knows_it_as_well(nas_in: Run, model: Path) -> None:
    assert nas_in("export", "m", "--out", "m.onnx")[0] == 0
    for path in part_of(model, "test"):
        path.unlink()
    code, _, err = nas_in("evaluate", "m.onnx")
    assert code == 2
    assert "has no test image that the model was not trained on" in err
    code, _, err = nas_in("export", "m", "--out", "small.onnx", "--int8")
    assert code == 2, "its accuracy would be one on images that were trained on"
    assert "has no test image that the model was not trained on" in err
    assert not Path("small.onnx").exists()


def test_images_that_change_while_a_network_is_trained_end_it(
    nas_in: Run, network: str, own_cache: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    from nas.full_training import fit as fitting

    root = draw(tmp_path / "data", 30)
    started = fitting.FullRun.on_train_epoch_end

    def and_away(run: fitting.FullRun) -> None:
        started(run)
        for path in part_of(root, "test"):
            path.unlink()

    monkeypatch.setattr(fitting.FullRun, "on_train_epoch_end", and_away)
    code, _, err = nas_in("train", network, "--dataset", f"folder:{root}", "--out", "m", *SMALL)
    assert code == 2
    assert "have changed, so that its test may hold some that were trained on" in err
    assert not Path("m/card.json").exists()


PARTS = st.sets(st.binary(min_size=BYTES, max_size=BYTES), max_size=9).map(sorted).map(tuple)


@given(st.builds(Membership, PARTS, PARTS, PARTS))
def test_a_membership_is_a_text_and_back(known: Membership) -> None:
    assert Membership.from_text(known.to_text()) == known
    assert bool(known) == bool(known.to_text())


@pytest.mark.parametrize("text", ["x", "- -", "AAAA - -", "- - - -", "??? - -"])
def test_a_damaged_membership_is_an_error(text: str) -> None:
    with pytest.raises(ValueError, match="is damaged"):
        Membership.from_text(text)


def test_a_membership_is_of_contents(tmp_path: Path, own_cache: Path) -> None:
    root = draw(tmp_path / "data", 6)
    found = find(f"folder:{root}")
    parts = split(_look_through(root))
    assert found.membership == membership({p: [f.sha256 for f in parts[p]] for p in parts})
    assert digest_of_file(parts["test"][0].sha256) in found.membership.part("test")
