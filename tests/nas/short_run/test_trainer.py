"""A training under a launcher: the variables of SLURM, torchrun, MPI, LSF, Kubernetes, Lightning.

Every training has the process, the device and the bits that it has without them.
"""

import json
import os
import subprocess
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
import torch
from lightning.pytorch.utilities.rank_zero import rank_zero_only
from safetensors.torch import load_file

from nas.datasets import find, load
from nas.full_training.fit import fit, trained
from nas.full_training.job import Job
from nas.full_training.task import metadata_of
from nas.settings import Settings
from nas.short_run.evaluation import evaluate
from nas.short_run.trainer import lightning_alone, make_trainer
from search_space.architecture import Architecture, Block, Candidate, Stage, Stem

Run = Callable[..., tuple[int, str, str]]

SLURM = {
    "SLURM_JOB_ID": "17",
    "SLURM_JOB_NAME": "x",
    "SLURM_NTASKS": "4",
    "SLURM_NODELIST": "node[1-2]",
    "SLURM_NNODES": "2",
    "SLURM_PROCID": "3",
    "SLURM_LOCALID": "1",
    "SLURM_NODEID": "1",
}
TORCHRUN = {
    "RANK": "3",
    "LOCAL_RANK": "1",
    "WORLD_SIZE": "4",
    "LOCAL_WORLD_SIZE": "2",
    "GROUP_RANK": "1",
    "MASTER_ADDR": "10.0.0.1",
    "MASTER_PORT": "29500",
}
PARTS = "ACCUMULATE_GRAD_BATCHES=3 DETECT_ANOMALY=1 DEVICES=2 FAST_DEV_RUN=1 LIMIT_TRAIN_BATCHES=1"
PARTS += " MAX_STEPS=1 MIN_EPOCHS=9 NUM_NODES=2 OVERFIT_BATCHES=1 STRATEGY=ddp_spawn"
LAUNCHERS = {
    "two variables of SLURM": {"SLURM_NTASKS": "4", "SLURM_JOB_NAME": "x"},
    "SLURM": SLURM,
    "SLURM with tasks by node": SLURM | {"SLURM_NTASKS_PER_NODE": "2"},
    "torchrun": TORCHRUN | {"TORCHELASTIC_RUN_ID": "run"},
    "launched by hand": TORCHRUN,
    "Open MPI": {
        "OMPI_COMM_WORLD_SIZE": "4",
        "OMPI_COMM_WORLD_RANK": "3",
        "OMPI_COMM_WORLD_LOCAL_RANK": "1",
    },
    "MPICH": {"PMI_SIZE": "4", "PMI_RANK": "3", "MPI_LOCALRANKID": "1"},
    "LSF": {
        "LSB_JOBID": "17",
        "LSB_HOSTS": "batch node1 node2",
        "LSB_MCPU_HOSTS": "batch 1 node1 2 node2 2",
        "LSB_DJOB_RANKFILE": "/none",
        "JSM_NAMESPACE_LOCAL_RANK": "1",
        "JSM_NAMESPACE_RANK": "3",
        "JSM_NAMESPACE_SIZE": "4",
    },
    "Kubernetes": {
        "KUBERNETES_SERVICE_HOST": "10.0.0.1",
        "KUBERNETES_PORT": "tcp://10.0.0.1:443",
        "DASK_SCHEDULER_PORT": "tcp://10.0.0.1:8786",
        "DASK_SCHEDULER_SERVICE_HOST": "10.0.0.1",
        "MLFLOW_PORT": "tcp://10.0.0.1:5000",
        **{name: TORCHRUN[name] for name in ("RANK", "WORLD_SIZE", "MASTER_ADDR", "MASTER_PORT")},
    },
    "arguments of Lightning": {
        f"PL_TRAINER_{name}": value
        for name, _, value in (part.partition("=") for part in PARTS.split())
    },
}
"""Variables as each launcher sets them in the fourth of four processes on two machines."""

SMALL = Candidate(
    Architecture(Stem(8, 3, 2), (Stage((Block(8, 4, 8, 4, 8, 8),)),), "conv-bn-relu", 0.2), 0.1
)


@pytest.fixture(params=LAUNCHERS)
def launcher(request: pytest.FixtureRequest) -> dict[str, str]:
    return LAUNCHERS[request.param]


def short_run() -> Any:
    found = find("fashion-mnist")
    settings = Settings(budgets=(500,), data=found.digest, resolution=8)
    result = evaluate(settings.request(SMALL, found.directory))
    return result.accuracy, result.loss, result.curve


def full_training(directory: Path) -> dict[str, torch.Tensor]:
    """The weights of two epochs, the second in a process that goes on from the first's end."""
    found = find("fashion-mnist")
    data = load(found.reading(8, 1))
    job = Job(SMALL, found.name, found.digest, 1, 8, 300, 2, "float32", 1, True)
    about = metadata_of(job, found, data)
    fit(job, about, data, directory, lambda _: None, lambda: None)
    return trained(directory, job, about)[0].network.state_dict()


@pytest.fixture(scope="module")
def without(tmp_path_factory: pytest.TempPathFactory) -> tuple[Any, dict[str, torch.Tensor]]:
    """A short run and a full training where no launcher is."""
    return short_run(), full_training(tmp_path_factory.mktemp("full"))


def test_a_training_is_what_it_is_without_a_launcher(
    launcher: dict[str, str],
    without: tuple[Any, dict[str, torch.Tensor]],
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    for name, value in launcher.items():
        monkeypatch.setenv(name, value)
    before = dict(os.environ)
    assert short_run() == without[0]
    weights = full_training(tmp_path)
    assert all(torch.equal(weights[name], value) for name, value in without[1].items())
    assert dict(os.environ) == before


def test_a_trainer_is_one_process_on_one_device(
    launcher: dict[str, str], monkeypatch: pytest.MonkeyPatch
) -> None:
    for name, value in launcher.items():
        monkeypatch.setenv(name, value)
    with lightning_alone():
        trainer = make_trainer("float32", None, max_epochs=2, enable_checkpointing=False)
        assert (trainer.world_size, trainer.num_devices, trainer.num_nodes) == (1, 1, 1)
        assert (trainer.global_rank, trainer.local_rank, trainer.node_rank) == (0, 0, 0)
    device = "cuda" if torch.cuda.is_available() else "cpu"
    assert trainer.strategy.root_device.type == device
    assert (trainer.max_epochs, trainer.max_steps, trainer.accumulate_grad_batches) == (2, -1, 1)


def test_a_rank_of_the_users_own_training_is_given_back(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(rank_zero_only, "rank", 3)
    with lightning_alone():
        assert rank_zero_only.rank == 0
    assert rank_zero_only.rank == 3


@pytest.mark.slow
def test_nas_run_and_train_under_a_launcher_from_their_start(
    nas: str, nas_in: Run, tiny_toml: Path, tmp_path: Path
) -> None:
    """In processes of their own: Lightning reads some of it once, as it is imported."""
    variables = {**LAUNCHERS["LSF"], **TORCHRUN, **SLURM, "TORCHELASTIC_RUN_ID": "run"}
    small = ["--resolution", "8", "--precision", "float32", "--quiet"]
    run = ["run", "--trials", "2", "--space", str(tiny_toml), "--budget", "256", "--rungs", "1"]
    run += ["--json", *small, "--workers"]
    train = ["train", "0", "--epochs", "2", "--train-size", "300", "--logger", "csv", *small]

    def launched(*command: str) -> str:
        done = subprocess.run(
            [nas, *command],
            cwd=tmp_path,
            env=os.environ | variables,
            capture_output=True,
            text=True,
            check=False,
        )
        assert done.returncode == 0, done.stderr
        assert "Traceback" not in done.stderr
        return done.stdout

    code, front, _ = nas_in(*run, "0", "--study", "plain")
    assert code == 0
    assert (
        json.loads(launched(*run, "1", "--study", "launched"))["front"]
        == (json.loads(front)["front"])
    )
    assert nas_in(*train, "--study", "plain", "--out", "plain")[0] == 0
    launched(*train, "--study", "launched", "--out", "launched")
    plain, under = (
        load_file(tmp_path / name / "model.safetensors") for name in ("plain", "launched")
    )
    assert all(torch.equal(under[name], value) for name, value in plain.items())
    curve = (tmp_path / "launched" / "csv" / "metrics.csv").read_text().splitlines()
    assert len(curve) == 4  # its names, two epochs, the test
