"""Evaluations by cross-validation and by balanced accuracy: measured, kept apart, and continued."""

from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from random import Random

import numpy as np
import pytest
import torch
from sklearn.datasets import load_digits
from sklearn.metrics import balanced_accuracy_score

from nas import Settings, keep_images, run_study
from nas.datasets import Dataset, find, load
from nas.datasets.folds import fold_of
from nas.metrics import BALANCED, INT8
from nas.model.integer.arithmetic import logits
from nas.model.integer.quantization import quantize_network
from nas.sampling.even import spread_of
from nas.seeds import derive
from nas.settings import Request
from nas.short_run.evaluation import evaluate
from nas.short_run.in_integers import tally_in_integers
from nas.short_run.reference import fitted
from nas.short_run.training import ShortRun, initialize
from nas.threads import one_thread
from search_space.catalog import graph_of
from search_space.network import module
from studies.best import words_of
from studies.store import open_store

Run = Callable[..., tuple[int, str, str]]


@pytest.fixture
def digits() -> str:
    """90 real digits of three classes, of which one has few."""
    known = load_digits()
    chosen = [np.flatnonzero(known.target == one)[:n] for one, n in ((0, 40), (1, 40), (8, 10))]
    places = np.concatenate(chosen)
    return keep_images(known.images[places] / 16, known.target[places])


@pytest.fixture(autouse=True)
def here(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("INCEPTION_NAS_CACHE", str(tmp_path / "cache"))


def request_of(settings: Settings, name: str) -> Request:
    found = find(name)
    asked = replace(settings, dataset=name, data=found.digest, classes=3, budgets=(256,))
    return asked.request(spread_of(asked).draw(Random(1)).candidate, found.directory)


def predictions(request: Request, dataset: Dataset, fold: int) -> tuple[list[int], list[int]]:
    """What is said of a fold's validation images, and what is true: by a loop of our own."""
    from nas.datasets import Batches, order

    split = fold_of(dataset, fold)
    again = (fold,) if fold else ()
    with one_thread(), torch.random.fork_rng([]):
        torch.manual_seed(derive(request.seed, "weights", *again))
        network = module(graph_of(request.network, 8, 1, 3))
        initialize(network)
        seen = order(len(split.train), request.budget, derive(request.seed, "order", *again))
        batches = Batches(split.train, seen, request.recipe.batch_size)
        run = ShortRun(
            network,
            request.recipe,
            request.network.label_smoothing,
            split.mean,
            split.std,
            len(batches),
            3,
        )
        found = run.configure_optimizers()
        run.train()
        for index, batch in enumerate(batches):
            found["optimizer"].zero_grad()
            run.training_step(batch, index).backward()
            found["optimizer"].step()
            found["lr_scheduler"]["scheduler"].step()
        run.eval()
        with torch.no_grad():
            said = run(split.validation.pixels).argmax(1)
    return said.tolist(), split.validation.labels.tolist()


@pytest.mark.parametrize("metric", ["accuracy", BALANCED])
def test_an_evaluation_is_of_all_folds_images(
    tiny_settings: Settings, digits: str, metric: str
) -> None:
    settings = replace(tiny_settings, folds=4, metric=metric)
    request = request_of(settings, digits)
    dataset = load(request.images)
    result = evaluate(request)
    said, truth = [], []
    for fold in range(4):
        of_fold, shown = predictions(request, dataset, fold)
        said += of_fold
        truth += shown
    # Sums are taken in another order here, which may turn an image or two of some 52.
    expected = {
        "accuracy": float(np.mean(np.array(said) == truth)),
        BALANCED: balanced_accuracy_score(truth, said),
    }
    assert result.accuracy == pytest.approx(expected[metric], abs=0.05)
    assert len(truth) == 4 * len(dataset.validation)
    assert evaluate(request).accuracy == result.accuracy


def test_in_integers_it_is_what_the_arithmetic_says(digits: str) -> None:
    dataset = load(find(digits).reading(8, 1))
    graph = graph_of(spread_of(Settings(resolution=8)).draw(Random(3)).candidate, 8, 1, 3)
    with torch.random.fork_rng([]):
        torch.manual_seed(0)
        network = module(graph)
        initialize(network)
    found = tally_in_integers(graph, network, dataset)
    train, validation = dataset.train.pixels, dataset.validation
    made = quantize_network(graph, network.eval(), train, dataset.mean, dataset.std)
    said = logits(made, validation.pixels.numpy()).argmax(1)
    labels = validation.labels.numpy()
    assert found.right == tuple(np.bincount(labels[said == labels], minlength=3))
    assert found.shown == tuple(np.bincount(labels, minlength=3))


def test_a_search_by_accuracy_in_integers(tiny_settings: Settings, digits: str) -> None:
    request = request_of(replace(tiny_settings, metric=INT8), digits)
    plain = request_of(tiny_settings, digits)
    assert request.identity().digest() != plain.identity().digest()
    found, before = evaluate(request), evaluate(plain)
    assert (found.loss, found.curve) == (before.loss, before.curve), "it is the same run"
    assert found.accuracy is not None
    assert found.accuracy == pytest.approx(before.accuracy, abs=0.2)
    asked = replace(tiny_settings, dataset=digits, budgets=(128,), folds=1, metric=INT8)
    result = run_study(asked, trials=2, workers=0, progress=False)
    assert "in 8-bit integers, of validation images" in words_of(result.results)


def test_how_it_is_measured_is_a_part_of_what_it_is(tiny_settings: Settings, digits: str) -> None:
    request = request_of(tiny_settings, digits)
    others = [replace(request, folds=2), replace(request, metric=BALANCED)]
    digests = {one.identity().digest() for one in (request, *others)}
    assert len(digests) == 3
    assert "folds" not in request.identity().recipe, "evaluations of before have the same digest"


def test_the_reference_is_measured_alike(digits: str) -> None:
    dataset = load(find(digits).reading(8, 1))
    plain, folded = fitted(dataset), fitted(dataset, folds=4)
    assert (plain.images, folded.images) == (13, 52)
    balanced = fitted(dataset, BALANCED, 4)
    labels = [fold_of(dataset, fold).validation.labels.numpy() for fold in range(4)]
    shown = np.bincount(np.concatenate(labels))
    assert shown.sum() == 52
    assert balanced.images == round(9 / (1 / shown).sum())
    assert 0.7 < balanced.accuracy <= 1


def test_a_study_of_few_images_folds_them_and_goes_on(
    tiny_settings: Settings, digits: str, nas_in: Run
) -> None:
    asked = replace(tiny_settings, dataset=digits, budgets=(128,), metric=BALANCED)
    result = run_study(asked, trials=1, workers=0, precision="float32", progress=False)
    store = open_store(result.storage)
    kept = store.study(result.name)["settings"]
    assert (kept["folds"], kept["metric"]) == (6, BALANCED)
    store.close()
    again = run_study(asked, trials=2, workers=0, precision="float32", progress=False)
    assert again.states == {"complete": 2}
    code, out, err = nas_in("run", "--trials", "3", "--resolution", "8")
    assert code == 0, err
    assert f"accuracy is {BALANCED}: the mean over classes" in err
    assert "each network is trained 6 times" in err
    assert "Accuracies are means over classes, of the images of 6 folds after the" in out.replace(
        "\n", " "
    )
    code, out, err = nas_in("run", "--trials", "3", "--resolution", "8", "--folds", "2")
    assert code == 2
    assert "folds: the study has 6, this run asks for 2" in err
    code, out, err = nas_in("report", "--out", "page.html")
    assert code == 0, err
    page = Path("page.html").read_text()
    assert "of the images of 6 folds" in page


REFUSED = [
    (("--folds", "7", "--dataset", "{digits}"), "folds is 7, and the images have 64 images for"),
    (("--folds", "0"), "folds is 0"),
    (
        ("--metric", "f1"),
        "metric is 'f1'; choose one of: accuracy, balanced-accuracy, int8-",
    ),
    (
        ("--metric", "balanced-accuracy", "--replay", "fashion-mnist"),
        "a replay knows the accuracy of one split alone, and balanced-accuracy of 1 fold is asked",
    ),
]


@pytest.mark.parametrize(("options", "words"), REFUSED)
def test_what_cant_be_is_refused_before_anything_is_written(
    nas_in: Run, digits: str, options: tuple[str, ...], words: str
) -> None:
    given = [option.format(digits=digits) for option in options]
    code, _, err = nas_in("run", "--trials", "1", *given)
    assert code == 2
    assert words in err
    assert len(err.strip().splitlines()) == 1
    assert not Path("nas.db").exists()
