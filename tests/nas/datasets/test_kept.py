"""Images from memory: kept under a name of their content, split by content, used like any other."""

import json
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any, ClassVar

import numpy as np
import pytest
import torch
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from PIL import Image

from nas import Settings, keep_images, run_study, train
from nas.datasets import find, load, load_test
from nas.datasets.array_file import FILE
from nas.datasets.in_memory import labelled

Run = Callable[..., tuple[int, str, str]]

NOISE = np.random.default_rng(5).integers(0, 256, (40, 9, 9), np.uint8)
LABELS = np.arange(40) % 2


@pytest.fixture(autouse=True)
def cached(own_cache: Path) -> Path:
    return own_cache


class Pairs:
    """A data set as torchvision has them."""

    classes = ("left", "right")

    def __init__(self, of: Callable[[Any], Any] = lambda image: image) -> None:
        self.of = of

    def __len__(self) -> int:
        return len(NOISE)

    def __getitem__(self, number: int) -> Any:
        return self.of(Image.fromarray(NOISE[number])), int(LABELS[number])


class Features:
    names = ("left", "right")


class Rows(Pairs):
    """A data set as Hugging Face has them."""

    classes = None  # type: ignore[assignment]
    features: ClassVar = {"image": None, "label": Features}

    def __getitem__(self, number: int) -> Any:
        image, label = super().__getitem__(number)
        return {"image": image, "label": label}


def to_tensor(image: Any) -> torch.Tensor:
    """As torchvision's transform of that name."""
    return torch.from_numpy(np.array(image)).float().div(255)[None]


def parts(name: str) -> dict[str, tuple[np.ndarray[Any, Any], np.ndarray[Any, Any]]]:
    reading = find(name).reading(9, 1)
    dataset = load(reading)
    found = {"train": dataset.train, "val": dataset.validation, "test": load_test(reading)}
    return {part: (some.pixels.numpy()[:, 0], some.labels.numpy()) for part, some in found.items()}


def test_every_image_is_in_one_part_with_its_label() -> None:
    name = keep_images(NOISE, LABELS)
    shown = {image.tobytes(): label for image, label in zip(NOISE, LABELS, strict=True)}
    seen = {}
    for pixels, labels in parts(name).values():
        seen |= {image.tobytes(): label for image, label in zip(pixels, labels, strict=True)}
    assert seen == shown
    assert {part: len(labels) for part, (_, labels) in parts(name).items()} == {
        "train": 28,
        "val": 6,
        "test": 6,
    }
    found = find(name)
    assert (found.train, found.validation, found.channels) == (28, 6, 1)
    assert found.classes == ("0", "1")


@pytest.mark.parametrize(
    "given",
    [
        (NOISE / 255, list(LABELS)),
        (torch.from_numpy(NOISE)[:, None], torch.from_numpy(LABELS)),
        (list(NOISE), LABELS),
        ([Image.fromarray(one) for one in NOISE], LABELS),
    ],
    ids=["fractions", "tensors", "a list", "pictures"],
)
def test_the_same_images_have_the_same_name_in_every_form(given: tuple[Any, Any]) -> None:
    assert keep_images(*given) == keep_images((NOISE, LABELS)) == keep_images(NOISE, LABELS)


@pytest.mark.parametrize("made", [Pairs(), Pairs(to_tensor), Rows()])
def test_data_sets_bring_the_names_of_their_classes(made: Any) -> None:
    name = keep_images(made)
    assert name == keep_images(NOISE, LABELS, classes=["left", "right"])
    assert name == keep_images(NOISE, [Features.names[label] for label in LABELS])
    assert find(name).classes == ("left", "right")


def test_other_images_labels_orders_and_names_are_other_data_sets() -> None:
    other = NOISE.copy()
    other[3, 4, 5] ^= 1
    names = {
        keep_images(NOISE, LABELS),
        keep_images(other, LABELS),
        keep_images(NOISE, 1 - LABELS),
        keep_images(NOISE[::-1], LABELS[::-1]),
        keep_images(NOISE, LABELS, classes=("a", "b")),
        keep_images(NOISE, LABELS, test=(NOISE[:4], LABELS[:4])),
    }
    digests = {find(name).digest for name in names}
    assert len(names) == len(digests) == 6


@given(st.lists(st.integers(0, 11), min_size=12, max_size=60), st.randoms())
@settings(deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
def test_equal_images_are_never_in_two_parts(drawn: list[int], rng: Any) -> None:
    chosen = [*range(12), *drawn]  # three of each class are there, and some of them again
    labels = [number % 3 for number in chosen]
    name = keep_images(NOISE[chosen], labels)
    of_part = {
        part: {image.tobytes() for image in pixels} for part, (pixels, _) in parts(name).items()
    }
    assert sum(map(len, of_part.values())) == 12
    for part, (_, shown) in parts(name).items():
        assert set(shown.tolist()) == {0, 1, 2}, part


def test_the_test_that_is_given_is_the_test_and_nothing_of_it_is_trained_on() -> None:
    name = keep_images(NOISE, LABELS, test=(NOISE[:7], LABELS[:7]))
    found = parts(name)
    assert (found["test"][0] == NOISE[:7]).all()
    of_test = {image.tobytes() for image in NOISE[:7]}
    for part in ("train", "val"):
        assert not of_test & {image.tobytes() for image in found[part][0]}
    words = "\n".join(find(name).words)
    assert "splits: test was given; val is held out of train, 1 in 6" in words
    assert "left out: 7 images that the test has too" in words


def test_numbers_that_are_names_themselves_are_sorted_as_numbers() -> None:
    found = labelled(NOISE, LABELS * 7 + 3)
    assert found.classes == ("3", "10")
    other = labelled((NOISE[:2], [10, 3]), like=found)
    assert other.labels.tolist() == [1, 0]


def test_sizes_and_colours_that_differ_become_one() -> None:
    images = [Image.fromarray(one).resize((9 + n % 3, 12)) for n, one in enumerate(NOISE)]
    images[0] = images[0].convert("RGB")
    found = labelled(images, LABELS, size=9)
    assert found.pixels.shape == (40, 3, 9, 9)
    words = "\n".join(find(keep_images(images, LABELS, size=9)).words)
    assert "size: 9x9, colour, 8 bits" in words
    assert "stored in colour, and all show gray: --channels 1" in words


GRAY = np.zeros((40, 9, 9), np.uint8)
REFUSED = {
    "values beyond fractions": (
        lambda: keep_images(NOISE * 2.0, LABELS),
        "images have float64 values from 0 to 510; give uint8 values 0 to 255, or fractions",
    ),
    "values that aren't numbers": (
        lambda: keep_images(np.full((40, 9, 9), np.nan), LABELS),
        "images have float64 values from nan to nan",
    ),
    "16 bits": (
        lambda: keep_images(NOISE.astype(np.uint16), LABELS),
        r"images are uint16 \[40, 9, 9\]; give uint8",
    ),
    "no labels": (lambda: keep_images(NOISE), "item 0 of the data set is ndarray; it must be"),
    "no data set": (
        lambda: keep_images(iter(NOISE)),
        "images are iterator; give arrays and their labels",
    ),
    "fewer labels": (
        lambda: keep_images(NOISE, LABELS[:5]),
        r"labels are \[5\] and images 40; give one label an image",
    ),
    "one-hot": (
        lambda: keep_images(NOISE, np.eye(2)[LABELS]),
        r"labels are \[40, 2\] and images 40",
    ),
    "fractions as labels": (
        lambda: keep_images(NOISE, LABELS / 2),
        "labels are float64; give a whole number or a name",
    ),
    "one class": (lambda: keep_images(NOISE, LABELS * 0), "one class alone, '0'; give images of"),
    "other classes": (
        lambda: keep_images(NOISE, LABELS + 1, classes=["a", "b"]),
        "labels have 2, which is none of the 2 classes, counted from 0",
    ),
    "unknown names": (
        lambda: keep_images(NOISE, ["a", "c"] * 20, classes=["a", "b"]),
        "labels have 'c', and the classes are 'a', 'b'",
    ),
    "a name twice": (
        lambda: keep_images(NOISE, LABELS, classes=["a", "a"]),
        "classes have 'a' twice",
    ),
    "an unknown class in the test": (
        lambda: keep_images(NOISE, LABELS, test=(NOISE, LABELS + 5)),
        "labels have '5', '6', and the classes are '0', '1'",
    ),
    "a test of another size": (
        lambda: keep_images(NOISE, LABELS, test=(NOISE[:, 1:, 1:], LABELS)),
        "images are 9 pixels wide and high, and those of the test 8; give the size",
    ),
    "several sizes": (
        lambda: keep_images([NOISE[0], NOISE[1][1:, 1:]] * 20, LABELS),
        "of 2 sizes, from 8 to 9 pixels; give the size that all are resized to, such as size=8",
    ),
    "too few different ones": (
        lambda: keep_images(GRAY, LABELS),
        "has classes with fewer than 3 different images of their own",
    ),
    "as data of settings": (
        lambda: Settings(data=(NOISE, LABELS)),  # type: ignore[arg-type]
        r"data is tuple; as dataset give the name .* nas.keep_images\(images, labels\)",
    ),
    "as the data set of a training": (
        lambda: train("googlenet-28", dataset=(NOISE, LABELS)),  # type: ignore[arg-type]
        r"dataset is tuple; give the name of a data set",
    ),
}


@pytest.mark.parametrize("what", REFUSED)
def test_what_cant_be_used_is_named_and_nothing_is_written(what: str, cached: Path) -> None:
    call, words = REFUSED[what]
    with pytest.raises(ValueError, match=words):
        call()
    assert not (cached / "arrays").exists()


def test_a_file_that_is_gone_or_damaged_says_what_to_do() -> None:
    name = keep_images(NOISE, LABELS)
    path = Path(name.partition(":")[2]) / FILE
    content = bytearray(path.read_bytes())
    content[-1] ^= 1
    path.write_bytes(content)
    with pytest.raises(ValueError, match=r"is damaged \(.*\); keep the same images again with"):
        find(name)
    assert keep_images(NOISE, LABELS) == name
    assert find(name).train == 28, "it was written anew"
    path.unlink()
    with pytest.raises(ValueError, match=r"No such file .* keep the same images again with"):
        find(name)


def test_a_study_of_them_continues_and_its_network_is_trained_and_told_apart(
    tiny_settings: Settings,
    nas_in: Run,
    monkeypatch: pytest.MonkeyPatch,
    tmp_path: Path,
) -> None:
    monkeypatch.chdir(tmp_path)
    name = keep_images(Pairs())
    asked = replace(tiny_settings, dataset=name, budgets=(128,))
    result = run_study(asked, trials=2, workers=0, precision="float32", progress=False)
    assert result.states == {"complete": 2}
    code, out, err = nas_in("run", "--trials", "3", "--resolution", "8", "--json")
    assert code == 0, err
    assert json.loads(out)["trials"]["complete"] == 3
    model = result.train(0, out="m", epochs=1, progress=False)
    assert model.classes == ("left", "right")
    assert len(model.predict(NOISE)) == 40

    # Six of the images are new, and some that were trained on would be held out now.
    grown = np.concatenate([NOISE, 255 - NOISE[:6]])
    name = keep_images(grown, [*LABELS, *LABELS[:6]], classes=Pairs.classes)
    code, out, err = nas_in("evaluate", "m", "--dataset", name, "--json")
    assert code == 0, err
    known = {image.tobytes() for image in NOISE} - {
        image.tobytes() for image in parts(keep_images(Pairs()))["test"][0]
    }
    now = parts(name)["test"][0]
    refused = sum(image.tobytes() in known for image in now)
    new = sum(image.tobytes() not in {one.tobytes() for one in NOISE} for image in now)
    assert json.loads(out)["images"] == 6 + new
    assert (f"note: {refused:,} images in its test part were in another" in err) == (refused > 0)
