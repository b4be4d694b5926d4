"""What several tests share: a small space, settings on it, the installed command."""

import os
import sys
from pathlib import Path

# Before torch is imported: tests run side by side, one process a core.
os.environ.setdefault("OMP_NUM_THREADS", "1")

import pytest

from nas.settings import Settings
from search_space.space import SearchSpace

TINY = """\
[stem]
kernel = [3]
stride = [2]
width = [4, 8]
pool = [false]
second = [false]
[body]
stages = [1]
batch_norm = [true, false]
[stage]
blocks = [1]
width = [16, 24]
"""


@pytest.fixture(scope="session")
def tiny_toml(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A TOML file of networks that train in a moment."""
    path = tmp_path_factory.mktemp("space") / "tiny.toml"
    path.write_text(TINY)
    return path


@pytest.fixture
def tiny_settings() -> Settings:
    """Settings of a study on the small space, sampled at random."""
    return Settings(
        space=SearchSpace.from_toml(TINY), sampler="random", budgets=(256,), resolution=8
    )


@pytest.fixture(scope="session")
def nas() -> str:
    """The installed console script."""
    return str(Path(sys.executable).parent / "nas")
