"""`nas run --dataset`: a study of one's own images, continued, refused; classes and channels."""

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from nas.settings import Settings
from nas.subjects import trial_subject, view
from search_space.cost import cost
from studies.store import open_store

Call = Callable[..., tuple[str, str]]
Shapes = Callable[..., Path]


@pytest.fixture
def call(
    nas_in: Callable[..., tuple[int, str, str]], tiny_toml: Path, own_cache: Path
) -> Callable[..., tuple[str, str]]:
    """`nas run` on the small space; output and errors."""
    common = ["--workers", "0", "--space", str(tiny_toml), "--precision", "float32"]
    common += ["--sampler", "random"]

    def made(*options: str, code: int = 0) -> tuple[str, str]:
        ended, out, err = nas_in("run", *common, *options)
        assert ended == code, err
        assert "Traceback" not in err
        return out, err

    return made


def settings(name: str = "inception") -> Settings:
    return Settings.from_json(open_store("sqlite:///nas.db").study(name)["settings"])


def trials(out: str) -> dict[str, int]:
    states: dict[str, int] = json.loads(out)["trials"]
    return states


FOLDER = ("--budget", "128,256", "--resolution", "12", "--json")


def test_a_study_of_ones_own_images_runs_and_continues_without_their_name(
    call: Call, tmp_path: Path, shapes: Shapes
) -> None:
    root = shapes(tmp_path / "my shapes")
    out, _ = call("--dataset", "folder:my shapes", "--trials", "2", *FOLDER)
    assert trials(out) == {"complete": 2}
    known = settings()
    assert (known.dataset, known.classes, known.channels) == (f"folder:{root}", 3, 3)
    assert len(known.data) == 16
    out, _ = call("--trials", "3", *FOLDER)
    assert trials(out) == {"complete": 3}
    out, _ = call("--dataset", "folder:./my shapes", "--trials", "3", *FOLDER)

    store = open_store("sqlite:///nas.db")
    subject = trial_subject(store, "inception", 0)
    at = view([subject], None, None)
    assert (at.shape, at.classes) == ((3, 12, 12), 3)
    assert subject.candidate is not None
    total = cost(subject.candidate.architecture, 12, 3, 3)
    assert subject.trial is not None
    assert subject.trial.kept.params == total.params
    request = known.request(subject.candidate, rung=0)
    assert store.evaluation(request.identity()) is not None


def test_a_study_keeps_its_images(call: Call, tmp_path: Path, shapes: Shapes) -> None:
    root = shapes(tmp_path / "shapes", 6)
    call("--dataset", "folder:shapes", "--trials", "1", *FOLDER)
    _, err = call("--dataset", "fashion-mnist", "--trials", "2", *FOLDER, code=2)
    assert err == (
        "error: study 'inception' was made with other images: dataset: the study has "
        f"'folder:{root}', this run asks for 'fashion-mnist'; leave out --dataset, or give another "
        "--study\n"
    )
    (root / "circle" / "0 é.png").unlink()
    _, err = call("--trials", "2", *FOLDER, code=2)
    assert err.startswith(f"error: the images in '{root}' aren't those with which study ")
    assert trials(json.dumps(front(call))) == {"complete": 1}


def front(call: Call) -> Any:
    from nas.reporting.front import front_json
    from studies.results import load_results

    return front_json(load_results(open_store("sqlite:///nas.db"), "inception"))


def test_a_worker_that_finds_other_images_says_so(
    tmp_path: Path, own_cache: Path, shapes: Shapes
) -> None:
    from nas.datasets import find
    from nas.short_run.evaluation import evaluate
    from search_space.catalog import candidate

    root = shapes(tmp_path / "shapes", 6)
    found = find(f"folder:{root}")
    asked = Settings(dataset=found.name, classes=3, data=found.digest, resolution=12, channels=3)
    (root / "circle" / "0 é.png").rename(root / "circle" / "other.png")
    with pytest.raises(ValueError, match="its images have changed since; bring the original files"):
        evaluate(asked.request(candidate("inception-28"), found.directory))


@pytest.mark.parametrize(
    ("options", "words"),
    [
        ("--dataset imagenet", "dataset is 'imagenet'; choose one of: fashion-mnist, mnist, "),
        ("--dataset folder:none", "/none' isn't there; give a folder that has one folder a class"),
        ("--dataset folder:", "dataset is 'folder:'; choose one of"),
        ("--dataset folder:shapes --data-dir .", "leave out --data-dir"),
        ("--dataset mnist --data-dir .", "t10k-labels-idx1-ubyte.gz is missing (expected MD5 "),
        ("--dataset mnist --replay x.jsonl", "--replay and --dataset exclude each other"),
        ("--dataset mnist --channels 2", "channels is 2; choose one of: 1, 3"),
        ("--dataset folder:shapes --max-params 20", "no candidate of the space meets"),
    ],
)
def test_bad_input_is_one_line_and_nothing_written(
    call: Call, tmp_path: Path, options: str, words: str, shapes: Shapes
) -> None:
    shapes(tmp_path / "shapes", 3)
    _, err = call(*options.split(), code=2)
    assert words in err
    assert err.count("\n") == 1
    assert not (tmp_path / "nas.db").exists()


def test_all_bad_images_are_one_line(call: Call, tmp_path: Path, shapes: Shapes) -> None:
    root = shapes(tmp_path / "shapes", 3)
    for number in range(12):
        (root / "circle" / f"bad\n{number:02}.png").write_bytes(b"")
    _, err = call("--dataset", "folder:shapes", code=2)
    assert err.count("\n") == 1
    assert err.startswith("error: 12 of 21 images can't be used: ")
    assert err.endswith("is empty and 2 more; repair or remove each of them\n")
    assert not (tmp_path / "nas.db").exists()


@pytest.mark.parametrize(
    ("name", "channels", "asked"),
    [("emnist", 1, []), ("cifar100", 3, []), ("svhn", 1, ["--channels", "1"])],
)
def test_classes_and_channels_are_the_data_sets_own(
    call: Call,
    publish: Callable[..., Any],
    tmp_path: Path,
    name: str,
    channels: int,
    asked: list[str],
) -> None:
    from nas.datasets import DATASETS

    publish(name, tmp_path / "raw")
    command = ("--dataset", name, "--trials", "1", "--budget", "128", "--rungs", "1")
    out, _ = call(*command, "--resolution", "8", "--data-dir", "raw", *asked, "--json")
    assert trials(out) == {"complete": 1}
    known = settings()
    classes = len(DATASETS[name].classes)
    assert (known.dataset, known.classes, known.channels) == (name, classes, channels)
    subject = trial_subject(open_store("sqlite:///nas.db"), "inception", 0)
    assert subject.candidate is not None
    (one,) = json.loads(out)["front"]
    assert one["params"] == cost(subject.candidate.architecture, 8, channels, classes).params


def test_costs_alone_need_no_images(call: Call) -> None:
    options = ("--objectives", "params,flops", "--trials", "2", "--json")
    out, _ = call("--dataset", "cifar100", *options)
    assert trials(out) == {"complete": 2}
    assert (settings().classes, settings().channels, settings().data) == (100, 3, "")


def test_settings_of_earlier_versions_are_of_fashion_mnist(tiny_settings: Settings) -> None:
    stored = tiny_settings.to_json()
    del stored["dataset"], stored["classes"]
    assert Settings.from_json(stored) == tiny_settings
    assert (tiny_settings.dataset, tiny_settings.classes) == ("fashion-mnist", 10)
