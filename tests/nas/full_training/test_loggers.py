"""`nas train --logger`: the whole curve, as each package itself reads it, and the same weights."""

import csv
import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from nas.full_training import fit as fitting
from nas.full_training.loggers import LOGGERS

Run = Callable[..., tuple[int, str, str]]
Points = dict[str, list[tuple[int, float]]]

SMALL = ("--resolution", "8", "--train-size", "300", "--precision", "float32", "--validate")
SAME = pytest.approx

pytestmark = pytest.mark.filterwarnings("ignore:The ``noload``")  # MLflow's own use of SQLAlchemy


@pytest.fixture(autouse=True)
def _tracking(monkeypatch: pytest.MonkeyPatch) -> None:
    """Without what MLflow sets of itself in this process."""
    monkeypatch.delenv("MLFLOW_TRACKING_URI", raising=False)


def from_csv(out: str) -> Points:
    found: Points = {}
    with Path(out, "csv", "metrics.csv").open() as file:
        for row in csv.DictReader(file):
            step = int(row.pop("step"))
            for name, value in row.items():
                if value:
                    found.setdefault(name, []).append((step, float(value)))
    return found


def from_tensorboard(out: str) -> Points:
    from tensorboard.backend.event_processing.event_accumulator import EventAccumulator

    events = EventAccumulator(str(Path(out, "tensorboard")))
    events.Reload()
    return {
        name: [(event.step, event.value) for event in events.Scalars(name)]
        for name in events.Tags()["scalars"]
    }


def mlflow_run(out: str) -> Any:
    from mlflow import MlflowClient

    client = MlflowClient(f"sqlite:///{Path('mlflow.db').absolute()}")
    (experiment,) = client.search_experiments(filter_string="name = 'inception-nas'")
    (run,) = client.search_runs([experiment.experiment_id])
    assert run.info.run_id == Path(out, "mlflow-run").read_text().strip()
    return client, run


def from_mlflow(out: str) -> Points:
    client, run = mlflow_run(out)
    return {
        name: [(one.step, one.value) for one in client.get_metric_history(run.info.run_id, name)]
        for name in run.data.metrics
    }


READERS = {"csv": from_csv, "tensorboard": from_tensorboard, "mlflow": from_mlflow}


@pytest.mark.parametrize("kind", LOGGERS)
def test_an_interrupted_training_is_one_whole_curve(
    nas_in: Run, network: str, kind: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    command = ("train", network, "--epochs", "3", *SMALL)
    assert nas_in(*command, "--out", "plain")[0] == 0

    def failing(run: Any) -> None:
        started(run)
        if run.current_epoch == 2:
            raise ValueError("as if it were killed")

    started = fitting.FullRun.on_train_epoch_start
    with monkeypatch.context() as patch:
        patch.setattr(fitting.FullRun, "on_train_epoch_start", failing)
        assert "as if" in nas_in(*command, "--logger", kind, "--out", "out")[2]
    assert not Path("out/card.json").exists()
    code, _, errors = nas_in(*command, "--logger", kind, "--out", "out")
    assert code == 0, errors
    _found, how, curve_line, *rest = errors.splitlines()
    assert how == "out: 3 epochs of 300 images as 1x8x8, in float32"
    assert curve_line == f"curve: {LOGGERS[kind].look(Path('out'))}"
    assert all(line.startswith("epoch ") for line in rest), errors

    card = json.loads(Path("out/card.json").read_text())
    assert [
        {key: value for key, value in epoch.items() if key != "seconds"} for epoch in card["curve"]
    ] == [
        {key: value for key, value in epoch.items() if key != "seconds"}
        for epoch in json.loads(Path("plain/card.json").read_text())["curve"]
    ]
    one, other = (Path(out, "model.safetensors").read_bytes() for out in ("plain", "out"))
    assert one == other
    found = READERS[kind]("out")
    names = {"train/loss": "loss", "train/accuracy": "accuracy", "learning rate": "learning_rate"}
    for name, key in {**names, "validation/accuracy": "validation", "seconds": "seconds"}.items():
        wanted = [(epoch["number"], SAME(epoch[key])) for epoch in card["curve"]]
        assert found[name] == wanted, name
    assert found["test/accuracy"] == [(3, SAME(card["test"]["accuracy"]))]


def test_mlflow_knows_what_was_trained_and_that_it_is_finished(nas_in: Run, network: str) -> None:
    assert nas_in("train", network, "--epochs", "1", "--logger", "mlflow", *SMALL)[0] == 0
    _, run = mlflow_run("small-model")
    assert run.info.status == "FINISHED"
    card = json.loads(Path("small-model/card.json").read_text())
    assert run.data.params["architecture"] == card["architecture"]
    assert int(run.data.params["params"]) == card["params"]
    assert int(run.data.params["epochs"]) == 1
    assert float(run.data.params["recipe/momentum"]) == 0.9


@pytest.mark.parametrize(
    ("kind", "words"),
    [
        ("tensorboard", "pip install 'inception-nas[tensorboard]'"),
        ("mlflow", "pip install 'inception-nas[mlflow]'"),
        ("wandb", "logger is 'wandb'; choose one of: tensorboard, mlflow, csv"),
    ],
)
def test_a_logger_that_is_not_there_is_one_line(
    nas_in: Run, network: str, monkeypatch: pytest.MonkeyPatch, kind: str, words: str
) -> None:
    monkeypatch.setattr("importlib.util.find_spec", lambda name: None)
    code, output, errors = nas_in("train", network, "--logger", kind, "--out", "out", *SMALL)
    assert (code, output) == (2, "")
    assert errors.count("\n") == 1
    assert words in errors
    assert not Path("out").exists()


def test_a_server_that_is_not_there_is_one_line_and_training_can_go_on_without(
    nas_in: Run, network: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("MLFLOW_TRACKING_URI", "http://127.0.0.1:9")
    monkeypatch.setenv("MLFLOW_HTTP_REQUEST_MAX_RETRIES", "0")
    command = ("train", network, "--epochs", "1", "--out", "out", *SMALL)
    code, _, errors = nas_in(*command, "--logger", "mlflow")
    assert code == 2
    _found, _how, error = errors.splitlines()
    assert error.startswith("error: logger mlflow failed: ")
    assert "leave --logger out" in errors
    assert nas_in(*command)[0] == 0
