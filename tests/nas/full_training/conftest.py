"""Small trainings: a tiny network on a few real images."""

import json
from pathlib import Path

import pytest

from nas.datasets import Dataset, Found, find, load
from nas.full_training.job import FullRecipe, Job
from nas.full_training.task import metadata_of
from nas.model.metadata import ModelMetadata
from search_space.architecture import Architecture, Block, Candidate, Stage, Stem

SMALL = Candidate(
    Architecture(Stem(8, 3, 2), (Stage((Block(8, 4, 8, 4, 8, 8),)),), "conv-bn-relu", 0.2), 0.1
)
"""A network with batch norm, dropout and label smoothing: all that a training keeps state of."""


@pytest.fixture(scope="session")
def found() -> Found:
    return find("fashion-mnist")


@pytest.fixture(scope="session")
def dataset(found: Found) -> Dataset:
    return load(found.reading(8, 1))


@pytest.fixture
def job(found: Found) -> Job:
    """Four epochs of five batches."""
    recipe = FullRecipe(flip=True)
    return Job(SMALL, found.name, found.digest, 1, 8, 600, 4, "float32", 1, True, 1, recipe)


@pytest.fixture
def description(job: Job, found: Found, dataset: Dataset) -> ModelMetadata:
    return metadata_of(job, found, dataset)


@pytest.fixture
def network(tmp_path: Path) -> str:
    """The small network as a file for the command line."""
    path = tmp_path / "small.json"
    path.write_text(json.dumps(SMALL.to_json()))
    return str(path)
