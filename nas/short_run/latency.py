"""How long a network takes for a batch of images on this machine, measured."""

import statistics
import time
from collections.abc import Callable
from typing import NamedTuple

import torch

from nas.threads import one_thread
from search_space.graph import Node, Shape
from search_space.network import module

WARM_UP = 2
RUNS = (3, 400)
"""Least and most runs; between them ``SECONDS`` decides."""

SECONDS = 0.5


class Latency(NamedTuple):
    """Seconds of one forward pass: median and quartiles of ``runs``, on ``device``.

    By `measure_latency` on a CPU they are seconds of the one thread that computes, so that what
    else the machine does meanwhile, a search's own workers for one, counts little.
    """

    median: float
    low: float
    high: float
    runs: int
    batch: int
    device: str


def measure_latency(graph: Node, shape: Shape, batch: int = 1) -> Latency:
    """Time the network of ``graph`` on ``batch`` images of ``shape``, float32, channels last.

    On a GPU if there is one, Apple's included, else on one thread of the CPU. Weights are random:
    they don't matter.
    """
    device = torch.accelerator.current_accelerator(check_available=True) or torch.device("cpu")
    gpu = device.type != "cpu"
    gpus = [0] if device.type == "cuda" else []
    with torch.random.fork_rng(gpus), one_thread(), torch.inference_mode():
        network = module(graph).eval().to(device).to(memory_format=torch.channels_last)
        images = torch.rand(batch, *shape, device=device)
        images = images.contiguous(memory_format=torch.channels_last)

        def run() -> None:
            network(images)
            if gpu:
                torch.accelerator.synchronize()

        return timed(run, batch, time.perf_counter if gpu else time.thread_time, device.type)


def timed(
    run: Callable[[], object],
    batch: int,
    clock: Callable[[], float] = time.thread_time,
    device: str = "cpu",
) -> Latency:
    """Time ``run``, which takes ``batch`` images each time that it is called, by ``clock``."""
    times: list[float] = []
    until = float("inf")
    for count in range(WARM_UP + RUNS[1]):
        if count == WARM_UP:
            until = clock() + SECONDS
        started = clock()
        run()
        ended = clock()
        if count >= WARM_UP:
            times.append(ended - started)
        if len(times) >= RUNS[0] and ended > until:
            break
    low, median, high = statistics.quantiles(times, n=4)
    return Latency(median, low, high, len(times), batch, device)
