"""What a new study is measured against: found as it begins, kept, and said."""

import json
import re
from collections.abc import Callable
from pathlib import Path
from random import Random

import pytest
from PIL import Image

from nas.settings import Settings
from studies.store import open_store

Run = Callable[..., tuple[int, str, str]]


def folder(at: Path, classes: int, images: int, noise: int) -> Path:
    """Images of 8 pixels; the darker the class, the darker they are, but for the noise."""
    rng = Random(0)
    for label in range(classes):
        (at / f"c{label:03}").mkdir(parents=True)
        for number in range(images):
            level = 255 * (label + 1) // (classes + 1)
            pixels = bytes(max(0, min(255, level + rng.randint(-noise, noise))) for _ in range(64))
            Image.frombytes("L", (8, 8), pixels).save(at / f"c{label:03}" / f"{number}.png")
    return at


@pytest.fixture
def run(nas_in: Run, tiny_toml: Path) -> Run:
    """`nas run` of two trials on a folder."""

    def on(images: Path, *options: str) -> tuple[int, str, str]:
        small = ("--budget", "256", "--rungs", "1", "--resolution", "8", "--workers", "0")
        common = ("--trials", "2", "--space", str(tiny_toml), "--precision", "float32")
        return nas_in("run", "--dataset", f"folder:{images}", *small, *common, *options)

    return on


def test_a_reference_that_is_perfect_is_told_and_chance_is_the_floor(
    run: Run, tmp_path: Path
) -> None:
    images = folder(tmp_path / "images", 2, 40, 3)
    code, out, err = run(images, "--study", "plain")
    assert code == 0
    assert re.search(
        r"logistic regression on the pixels has 100\.00% on the \d+ validation images .*: a "
        r"network counts from 50\.00% on, since so few errors leave nothing .* harder images",
        err,
    )
    code, out, err = run(images, "--min-accuracy", "0.6")
    assert code == 0
    assert "a network counts from 60.00% on" in err
    settings = Settings.from_json(
        open_store(f"sqlite:///{tmp_path}/nas.db").study("inception")["settings"]
    )
    assert settings.reference is not None
    assert settings.reference.accuracy == 1.0
    code, again, _ = run(images)  # it goes on with the floor that it has
    assert (code, again) == (0, out)


def test_a_hundred_classes_have_a_reference(run: Run, tmp_path: Path) -> None:
    code, out, err = run(folder(tmp_path / "images", 100, 12, 30), "--json")
    assert code == 0, err
    (best,) = json.loads(out)["best_up_to"][:1]
    assert best["cost"] == "params"
    settings = Settings.from_json(
        open_store(f"sqlite:///{tmp_path}/nas.db").study("inception")["settings"]
    )
    assert settings.reference is not None
    assert settings.reference.params == 64 * 100 + 100
    assert settings.largest.keys() == {"params", "flops"}


@pytest.mark.parametrize(
    ("options", "words"),
    [
        (("--up-to", "none"), "size is 'none'; give a whole number above 0"),
        (
            ("--up-to", "speed:10"),
            "cost is 'speed'; choose one of: params, flops, act",
        ),
    ],
)
def test_sizes_that_are_none(
    run: Run, nas_in: Run, tmp_path: Path, options: tuple[str, ...], words: str
) -> None:
    code, _, err = nas_in("pareto", *options)
    assert (code, words in err) == (2, True), err


def test_the_best_up_to_sizes_of_ones_own(run: Run, nas_in: Run, tmp_path: Path) -> None:
    assert run(folder(tmp_path / "images", 2, 40, 200))[0] == 0
    code, out, _ = nas_in("pareto", "--up-to", "flops:10,1G")
    assert code == 0
    assert re.search(r"Best network of inception up to each number of FLOPs", out)
    assert re.search(r"^\s+10\s+none", out, re.MULTILINE)
    assert re.search(r"^\s+1G\s+\d+\s+\d+\.\d\d%", out, re.MULTILINE)
    code, out, _ = nas_in("pareto", "--up-to", "activation_bytes:64k", "--json")
    (best,) = json.loads(out)["best_up_to"]
    assert (best["cost"], best["up_to"]) == ("activation_bytes", 64_000)
    assert best["low"] <= best["estimate"] <= best["high"]
