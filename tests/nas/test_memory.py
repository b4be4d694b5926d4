"""Tests of kept memory: pages don't come anew in every step, whatever the environment asks for."""

import os
import subprocess
import sys

import pytest

from nas.memory import keep_freed

STEPS = """
import resource, sys
from nas.memory import keep_freed
import torch
if sys.argv[1] == "kept":
    assert keep_freed()
torch.set_num_threads(1)
blocks = [torch.ones(2_000_000) for _ in range(4)]  # 32 MB, freed and taken again
before = resource.getrusage(resource.RUSAGE_SELF).ru_minflt
for _ in range(50):
    del blocks
    blocks = [torch.ones(2_000_000) for _ in range(4)]
print(resource.getrusage(resource.RUSAGE_SELF).ru_minflt - before)
"""


def faults(how: str) -> int:
    """Pages that came anew over fifty steps of a process as Dask begins its workers."""
    environment = {**os.environ, "MALLOC_TRIM_THRESHOLD_": "65536"}
    command = [sys.executable, "-c", STEPS, how]
    done = subprocess.run(command, env=environment, capture_output=True, text=True, check=True)
    return int(done.stdout)


@pytest.mark.skipif(not keep_freed(), reason="no glibc here")
def test_pages_of_freed_tensors_are_used_again() -> None:
    given_back, kept = faults("given back"), faults("kept")
    assert kept < given_back / 10
