"""`nas train` from end to end: what it leaves, shows and refuses; fronts; kill -9."""

import json
import os
import re
import signal
import subprocess
import time
from collections.abc import Callable
from dataclasses import replace
from itertools import count
from pathlib import Path
from typing import Any

import pytest
import torch
from safetensors.torch import load_file

from nas.datasets import Dataset, Images, fashion
from nas.full_training import fit as fitting
from nas.full_training import integer_tuning, pace
from nas.full_training.job import Job
from nas.full_training.record import claimed
from nas.full_training.up_to import weights
from nas.model.metadata import ModelMetadata
from nas.model.model import load_model
from studies.axis import Axis
from studies.results import Result, Results

Run = Callable[..., tuple[int, str, str]]

SMALL = ("--resolution", "8", "--train-size", "300", "--precision", "float32")


@pytest.fixture
def trials(nas_in: Run, tiny_toml: Path) -> Run:
    """`nas` beside a study of three trials."""
    options = ("--space", str(tiny_toml), "--budget", "256", "--rungs", "1", "--workers", "0")
    code, _, errors = nas_in("run", "--trials", "3", "--resolution", "8", "--quiet", *options)
    assert code == 0, errors
    return nas_in


def test_a_network_is_trained_tested_and_kept(nas_in: Run, network: str) -> None:
    command = ("train", network, "--epochs", "2", "--out", "model", *SMALL)
    code, output, errors = nas_in(*command)
    assert code == 0, errors
    files = {path.name for path in Path("model").iterdir()}
    assert {"model.safetensors", "card.json", "card.md", "curves.html"} <= files
    card = json.loads(Path("model/card.json").read_text())
    assert card["job"]["train_size"] == 300
    assert card["validation"] is None
    assert card["test"]["images"] == 10_000
    assert len(card["curve"]) == 2
    accuracy = f"{card['test']['accuracy']:.2%}"
    assert f"test accuracy: {accuracy}" in output
    assert accuracy in Path("model/card.md").read_text()
    assert accuracy in Path("model/curves.html").read_text()
    for name in ("t-shirt/top", "ankle boot", "next: nas export model"):
        assert name in output
    assert load_model(Path("model")).metadata.classes[0] == "t-shirt/top"

    before = {path: path.stat().st_mtime_ns for path in Path("model").iterdir()}
    assert nas_in(*command)[:2] == (0, output)
    assert {path: path.stat().st_mtime_ns for path in Path("model").iterdir()} == before
    code, output, _ = nas_in(*command, "--json")
    assert json.loads(output)["card"] == card


def test_the_test_images_are_read_once_at_the_end(
    nas_in: Run, network: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    read: list[bool] = []

    def load_test(*arguments: Any) -> Any:
        read.append(Path("model/model.safetensors").exists())
        return loaded(*arguments)

    loaded = fashion.load_test
    monkeypatch.setattr(fashion, "load_test", load_test)
    command = ("train", network, "--epochs", "1", "--validate", "--out", "model", *SMALL)
    code, output, _ = nas_in(*command)
    assert code == 0
    assert "validation accuracy" in output
    nas_in(*command)
    assert read == [True]


def test_the_best_trial_and_the_whole_front(trials: Run) -> None:
    code, output, errors = trials("train", "best", "--epochs", "1", *SMALL[2:])
    assert code == 0, errors
    front = json.loads(trials("pareto", "--json")[1])["front"]
    best = max(front, key=lambda one: one["values"]["accuracy"])["trial"]
    assert f"model: inception-trial-{best}" in output
    assert load_model(Path(f"inception-trial-{best}")).metadata.resolution == 8

    limited = ("--epochs", "2", "--time-limit", "10m", *SMALL[2:])
    code, output, errors = trials("train", "--front", "--validate", *limited)
    assert code == 0, errors
    for one in front:
        card = json.loads(Path(f"inception-front/trial-{one['trial']}/card.json").read_text())
        assert card["job"]["epochs"] == 2
        assert f"{card['test']['accuracy']:.2%}" in output
        assert f"{card['validation']['accuracy']:.2%}" in output
        assert f"{one['values']['accuracy']:.2%}" in output


def test_a_network_that_diverges_does_not_end_the_front(
    trials: Run, monkeypatch: pytest.MonkeyPatch
) -> None:
    members = json.loads(trials("pareto", "--json")[1])["front"]
    first = f"inception-front/trial-{members[0]['trial']}"

    made = count()

    def weights(network: torch.nn.Module) -> None:
        initialize(network)
        if next(made) % len(members) == 0:
            torch.nn.init.constant_(next(network.parameters()), float("nan"))

    initialize = fitting.initialize
    monkeypatch.setattr(fitting, "initialize", weights)
    options = ("--front", "--epochs", "1", *SMALL[2:])
    code, _, errors = trials("train", *options)
    assert code == 1
    assert f"failed: {first}: the training loss is nan in epoch 1" in errors
    assert "Traceback" not in errors
    for member in members[1:]:
        assert Path(f"inception-front/trial-{member['trial']}/card.json").exists()
    assert not Path(first, "card.json").exists()
    found = json.loads(trials("train", *options, "--json")[1])
    assert [bool(one["card"]) for one in found] == [one["directory"] != first for one in found]


def test_killed_it_goes_on_to_the_same_weights(nas: str, nas_in: Run, network: str) -> None:
    def command(out: str) -> list[str]:
        return ["train", network, "--out", out, "--epochs", "40", "--validate", *SMALL]

    process = subprocess.Popen([nas, *command("killed")], stderr=subprocess.DEVNULL)
    while not Path("killed/last.ckpt").exists():
        assert process.poll() is None
        time.sleep(0.01)
    process.kill()
    process.wait()
    assert not Path("killed/model.safetensors").exists()
    for out in ("killed", "whole"):
        assert nas_in(*command(out))[0] == 0
    killed, whole = (load_file(f"{out}/model.safetensors") for out in ("killed", "whole"))
    assert killed.keys() == whole.keys()
    assert all(torch.equal(killed[name], whole[name]) for name in whole)


@pytest.mark.slow
def test_a_signal_stops_it_in_order(nas: str, network: str, tmp_path: Path) -> None:
    command = [nas, "train", network, "--epochs", "5000", "--out", "out", *SMALL]
    process = subprocess.Popen(command, cwd=tmp_path, stderr=subprocess.PIPE, text=True)
    while not (tmp_path / "out" / "last.ckpt").exists():
        assert process.poll() is None
        time.sleep(0.01)
    process.send_signal(signal.SIGINT)
    _, errors = process.communicate(timeout=30)
    assert process.returncode == 128 + signal.SIGINT
    assert "the same command continues" in errors
    assert "Traceback" not in errors


@pytest.mark.parametrize(
    ("options", "words"),
    [
        ((), "network is missing; give a trial, a name, a file, or --front alone"),
        (("inception-28", "--front"), "give a trial, a name, a file, or --front alone"),
        (("vgg11",), "vgg11 is a layer graph only, which can't be trained"),
        (("incepton",), "'best' or a JSON file"),
        (("best",), "nas.db"),
        (("inception-28", "--epochs", "0"), "epochs is 0; it must be a whole number from 1"),
        (("inception-28", "--train-size", "60001"), "train size is 60001; it must be"),
        (("inception-28", "--train-size", "50001", "--validate"), "from 2 to 50000"),
        (("inception-28", "--train-size", "few"), "--train-size is 'few'"),
        (("best", "--time", "1h"), "--time is for --front"),
        (("--front", "--time", "1h", "--time-limit", "1h"), "--time and --time-limit are given"),
        (("--front", "--up-to", "1k"), "--up-to is given without --front --time"),
        (("inception-28", "--max-flops", "1M"), "--max-flops is for the network 'best'"),
        (("inception-28", "--time-limit", "soon"), "time limit is 'soon'; give a time"),
        (("inception-28", "--precision", "fp8"), "precision is 'fp8'; choose one of: auto"),
        (("inception-28", "--seed", "-1"), "seed is -1; it must be"),
        (("inception-28", "--channels", "0"), "channels is 0; choose one of: 1, 3"),
        (("inception-28", "--resolution", "0"), "resolution is 0; it must be"),
        (("inception-28", "--channels", "2"), "channels is 2; choose one of: 1, 3"),
        (("inception-28", "--resolution", "5000"), "resolution is 5000; it must be"),
        (("inception-28", "--dataset", "imagenet"), "dataset is 'imagenet'; choose one of"),
        (("inception-28", "--data-dir", "nowhere"), "there is no directory nowhere"),
        (("inception-28", "--out", "file"), "out file is a file; give a directory"),
        (("inception-28", "--out", "file/below"), "file is a file"),
        (("inception-28", "--out", "full"), "out full is not empty (thesis.txt is there)"),
        (("inception-28", "--out", "model"), "out model is not empty (last.ckpt is there)"),
        (("inception-28", "--out", "strange"), "describes no training"),
        (("inception-28", "--out", "broken"), "is not JSON"),
    ],
)
def test_bad_input_is_one_line_and_leaves_nothing(
    nas_in: Run, options: tuple[str, ...], words: str
) -> None:
    Path("file").write_text("kept")
    for name, file, text in (
        ("full", "thesis.txt", "years of work"),
        ("model", "last.ckpt", "of something else"),
        ("strange", "training.json", "{}"),
        ("broken", "training.json", "{"),
    ):
        Path(name).mkdir()
        (Path(name) / file).write_text(text)
    before = tree()
    code, output, errors = nas_in("train", *options)
    assert (code, output) == (2, "")
    assert errors.startswith("error: ")
    assert errors.count("\n") == 1
    assert words in errors
    assert tree() == before


def tree() -> dict[str, bytes]:
    files = (path for path in Path().rglob("*") if path.is_file())
    return {str(path): path.read_bytes() for path in files}


def test_what_is_left_out_is_as_it_was_and_rests_of_a_kill_do_not_matter(
    nas_in: Run, network: str
) -> None:
    Path("model").mkdir()
    rest = Path(f"model/.training.json.{'0' * 32}")
    rest.touch()
    command = ("train", network, "--epochs", "2", "--seed", "3", "--out", "model", *SMALL)
    assert nas_in(*command)[0] == 0
    assert not rest.exists()
    card = Path("model/card.json")
    before = card.read_bytes()
    card.unlink()  # as if killed before it
    assert nas_in("train", network, "--out", "model")[0] == 0
    one, other = (json.loads(text) for text in (before, card.read_bytes()))
    assert one["job"] == other["job"]
    assert one["test"] == other["test"]
    Path("model/model.safetensors").unlink()
    card.unlink()  # as if killed between checkpoint and model
    assert nas_in("train", network, "--out", "model")[0] == 0
    assert json.loads(card.read_bytes())["test"] == one["test"]


def test_a_training_that_was_begun_keeps_its_epochs(nas_in: Run, network: str) -> None:
    command = ("train", network, "--out", "model", *SMALL)
    assert nas_in(*command, "--epochs", "2")[0] == 0
    assert nas_in(*command, "--time-limit", "5m")[0] == 0
    Path("model/card.json").unlink()  # as if it was stopped before its end
    code, _, errors = nas_in(*command, "--time-limit", "5m")
    assert code == 0
    assert "time limit: begun before with 2 epochs, and kept so" in errors
    assert nas_in(*command, "--time-limit", "5m", "--epochs", "3")[0] == 0  # the most, no more
    assert nas_in(*command, "--time-limit", "5m", "--epochs", "1")[0] == 2


def test_validation_images_that_were_trained_on_say_nothing(nas_in: Run, network: str) -> None:
    for out, option in (("all", "--no-validate"), ("held", "--validate")):
        command = ("train", network, "--epochs", "1", "--out", out, option, *SMALL)
        assert nas_in(*command)[0] == 0
    code, _, errors = nas_in("evaluate", "all", "--validation")
    assert code == 2
    assert "the model was trained on its validation images too" in errors
    code, output, _ = nas_in("evaluate", "held", "--validation", "--json")
    assert code == 0
    assert (
        json.loads(output)["accuracy"]
        == json.loads(Path("held/card.json").read_text())["validation"]["accuracy"]
    )


def test_another_training_in_the_same_place_is_refused(nas_in: Run, network: str) -> None:
    command = ("train", network, "--epochs", "1", "--out", "model", *SMALL)
    assert nas_in(*command)[0] == 0
    before = tree()
    code, _, errors = nas_in(*command[:-6], "--epochs", "3", "--seed", "4", *SMALL)
    assert code == 2
    assert "epochs: it has 1, asked for is 3; seed: it has 0, asked for is 4" in errors
    assert tree() == before


def test_two_trainings_in_one_place_are_refused(nas_in: Run, network: str) -> None:
    with claimed(Path("model")):
        code, _, errors = nas_in("train", network, "--epochs", "1", "--out", "model", *SMALL)
    assert code == 2
    assert "out model is being trained in by another process" in errors


def test_too_little_time_is_told(nas_in: Run, network: str) -> None:
    code, _, errors = nas_in("train", network, "--time-limit", "0.001s", "--out", "model", *SMALL)
    assert code == 2
    assert "time limit is 0.001 s, and an epoch takes about" in errors
    assert not Path("model").exists()


@pytest.mark.skipif(os.geteuid() == 0, reason="root may write anywhere")
def test_a_place_that_cannot_be_written_is_told(nas_in: Run, network: str) -> None:
    Path("locked").mkdir(mode=0o500)
    code, _, errors = nas_in("train", network, "--epochs", "1", "--out", "locked/model", *SMALL)
    assert code == 2
    assert "can't be written" in errors


def test_the_best_network_within_limits(trials: Run) -> None:
    found = json.loads(trials("pareto", "--json")[1])
    small = min(member["values"]["params"] for member in found["front"])
    code, output, errors = trials(
        "train", "best", "--max-params", str(small), "--epochs", "1", *SMALL[2:]
    )
    assert code == 0, errors
    (directory,) = re.findall(r"model: (\S+)", output)
    assert json.loads(Path(directory, "card.json").read_text())["params"] == small
    code, _, errors = trials("train", "best", "--max-params", "1")
    assert code == 2
    assert "has no completed trial of at most 1 params" in errors


def test_the_best_networks_share_a_time(trials: Run) -> None:
    command = (
        "train",
        "--front",
        "--time",
        "10m",
        "--up-to",
        "700,1M",
        "--epochs",
        "2",
        *SMALL[2:],
    )
    code, output, errors = trials(*command)
    assert code == 0, errors
    words = " ".join(output.split())
    assert "Best network of inception up to each number of parameters, trained" in words
    assert "…" not in output
    code, output, _ = trials(*command, "--json")
    rows = json.loads(output)
    table = json.loads(trials("pareto", "--up-to", "700,1M", "--json")[1])["best_up_to"]
    expected = [(row["up_to"], row["trial"]) for row in table if row["trial"] is not None]
    assert [(row["up_to"], row["trial"]) for row in rows] == expected
    for row in rows:
        card = json.loads(Path(row["directory"], "card.json").read_text())
        assert row["test"] == card["test"]["accuracy"]
        assert row["epochs"] == card["job"]["epochs"] == 2
        assert row["failure"] is None
        assert f"{row['test']:.2%}" in words
        assert row["directory"] in words
    code, _, errors = trials("train", "--front", "--time", "1h", "--up-to", "100")
    assert code == 2
    assert "no completed trial of at most 100 params; raise --up-to" in errors


def test_a_run_can_train_its_best_networks(
    nas_in: Run, tiny_toml: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(pace, "seconds_of_an_epoch", lambda *_: 10.0)
    options = ("--space", str(tiny_toml), "--budget", "256", "--rungs", "1", "--workers", "0")
    command = ("run", "--trials", "3", "--resolution", "8", *options, "--train", "40s")
    code, output, errors = nas_in(*command, "--quiet", "--precision", "float32")
    assert code == 0, errors
    words = " ".join(output.split())
    assert words.index("Pareto front") < words.index("trained to the end")
    assert list(Path("inception-front").glob("trial-*/model.safetensors"))
    code, output, _ = nas_in(*command, "--json", "--precision", "float32")
    found = json.loads(output)
    assert {row["trial"] for row in found["trained"]} <= {one["trial"] for one in found["front"]}
    code, _, errors = nas_in(*command, "--objectives", "params", "--study", "other")
    assert code == 2
    assert "name accuracy among them" in errors


def test_what_is_open_gets_up_to_twice_the_epochs() -> None:
    accuracy = Axis("accuracy", "fraction", True, False, 0.5, least_error=0.5 / 10_000)
    params = Axis("params", "parameters", False, True, 1e6)

    def network(number: int, accuracy: float) -> Result:
        size = 1000 * 2**number
        return Result(number, (accuracy, size), f"k{number}", "", size, size, 1.0)

    members = [network(0, 0.7), network(1, 0.8), network(2, 0.9), network(3, 0.9005)]
    results = Results("s", (accuracy, params), tuple(members), {})
    found = weights(results, members)
    assert found["k0"] == pytest.approx(1, abs=0.02)
    assert found["k1"] == pytest.approx(1, abs=0.02)
    assert 1.9 < found["k2"] == found["k3"] <= 2
    unknown = replace(results, axes=(replace(accuracy, least_error=0.0), params))
    assert set(weights(unknown, members).values()) == {1.0}


def test_epochs_in_integers_are_kept_where_they_are_better(nas_in: Run, network: str) -> None:
    command = ("train", network, "--epochs", "2", *SMALL)
    assert nas_in(*command, "--out", "plain")[0] == 0
    code, output, errors = nas_in(*command, "--int8", "--out", "tuned")
    assert code == 0, errors
    said = re.search(
        r"in 8-bit integers ([\d.]+)% of training images before, ([\d.]+)% after 1 epoch of "
        r"tuning: (kept|not kept)",
        errors,
    )
    assert said
    before, after = float(said[1]), float(said[2])
    assert (said[3] == "kept") == (after > before)
    weights = [load_file(Path(name) / "model.safetensors") for name in ("plain", "tuned")]
    same = all(torch.equal(weights[0][name], weights[1][name]) for name in weights[0])
    assert same == (said[3] == "not kept")
    card = json.loads(Path("tuned/card.json").read_text())
    assert card["job"]["int8"]
    assert f"test accuracy in 8-bit integers: {card['test_accuracy_int8']:.2%}" in output
    assert card["test_accuracy_int8"] == pytest.approx(card["test"]["accuracy"], abs=0.05)
    assert json.loads(Path("plain/card.json").read_text())["test_accuracy_int8"] is None
    # as it was begun, where nothing else is asked for; and not as something else
    assert nas_in(*command, "--out", "tuned")[:2] == (0, output)
    code, _, errors = nas_in(*command, "--no-int8", "--out", "tuned")
    assert code == 2
    assert "int8: it has True, asked for is False" in errors


def test_batch_norm_keeps_what_it_has_learned_in_tuning(
    job: Job,
    description: ModelMetadata,
    dataset: Dataset,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    fitting.fit(job, description, dataset, tmp_path, lambda _: None, lambda: None)
    model, _ = fitting.trained(tmp_path, job, description)
    before = {name: value.clone() for name, value in model.network.state_dict().items()}
    images = fitting.training_images(job, dataset)
    tuning = replace(job, int8=True, epochs=20)
    nothing = Images(images.pixels[:40], torch.full((40,), 99))  # so that both are as bad
    found = integer_tuning.tuned(tuning, model, images, nothing, lambda _: None, lambda: None)
    assert found.before == found.after == 0
    assert found.model is model, "no better, so not kept"
    scores = iter([0.1, 0.2])
    monkeypatch.setattr(integer_tuning, "accuracy_in_integers", lambda *_: next(scores))
    found = integer_tuning.tuned(tuning, model, images, images, lambda _: None, lambda: None)
    after = found.model.network.state_dict()
    assert found.model is not model
    changed = {name for name, value in before.items() if not torch.equal(value, after[name])}
    assert changed
    assert not any("running" in name or "num_batches" in name for name in changed)
    assert all(torch.equal(before[name], model.network.state_dict()[name]) for name in before)
