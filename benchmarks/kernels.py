"""Where a training step's time goes, by kind of kernel, and how near convolutions get to the peak.

Networks of about 1, 5 and 15 MMACs, one thread, batches of 64, as a short run trains them. The peak
is what a large matrix product reaches on the same thread. Shares are of the time that PyTorch's
profiler finds inside operators.
"""

import argparse
import json
import os
import time
from collections import Counter
from collections.abc import Callable
from pathlib import Path

os.environ["OMP_NUM_THREADS"] = "1"

import torch
from machine import machine
from problem import TABLE
from torch import nn
from torch.profiler import ProfilerActivity, profile

from nas.memory import keep_freed
from nas.short_run.precision import best_precision
from nas.short_run.training import initialize
from search_space.architecture import Candidate
from search_space.cost import cost
from search_space.network import build
from studies.table import read_table

HERE = Path(__file__).parent
BATCH = 64
STEPS = 12

KINDS = {
    "convolution, backward": ("aten::convolution_backward", "aten::mkldnn_convolution_backward"),
    "convolution, forward": ("aten::mkldnn_convolution", "aten::_slow_conv2d_forward"),
    "batch norm": ("aten::native_batch_norm", "aten::native_batch_norm_backward"),
    "ReLU": ("aten::clamp_min", "aten::clamp_min_", "aten::relu", "aten::threshold_backward"),
    "pooling": ("aten::max_pool2d_with_indices", "aten::max_pool2d_with_indices_backward"),
    "copies, concatenation": ("aten::copy_", "aten::cat", "aten::add_", "aten::add"),
    "optimizer": ("Optimizer.step#SGD.step", "aten::_foreach_add_", "aten::_foreach_mul_"),
}


def chosen(mmacs: float) -> Candidate:
    """The most accurate recorded network within a fifth of so many million multiply-adds."""
    table = read_table(TABLE)
    best: dict[str, float] = {}
    for run, outcome in table.outcomes.items():
        if run.budget == 20_000 and outcome.accuracy is not None:
            best[run.key] = max(best.get(run.key, 0.0), outcome.accuracy)
    known = {key: Candidate.from_json(table.candidates[key]) for key in best}
    near = [
        key
        for key, one in known.items()
        if abs(cost(one.architecture).flops / 2e6 / mmacs - 1) < 0.2
    ]
    return known[max(near, key=lambda key: best[key])]


def step_of(network: nn.Module, bf16: bool) -> Callable[[], None]:
    """One step of training on random images."""
    network.train().to(memory_format=torch.channels_last)
    optimizer = torch.optim.SGD(network.parameters(), lr=0.1, momentum=0.9, nesterov=True)
    pixels = torch.randn(BATCH, 1, 28, 28).contiguous(memory_format=torch.channels_last)
    labels = torch.randint(10, (BATCH,))

    def step() -> None:
        with torch.autocast("cpu", torch.bfloat16, enabled=bf16):
            logits = network(pixels)
        optimizer.zero_grad()
        loss = nn.functional.cross_entropy(logits.float(), labels, label_smoothing=0.1)
        torch.autograd.backward(loss)
        optimizer.step()

    return step


def seconds(what: Callable[[], object], least: float = 0.3) -> float:
    """The fastest of at least five calls, after two."""
    for _ in range(2):
        what()
    times: list[float] = []
    while sum(times) < least or len(times) < 5:
        started = time.perf_counter()
        what()
        times.append(time.perf_counter() - started)
    return min(times)


def peak(bf16: bool) -> float:
    """FLOPs a second of a large matrix product."""
    kind = torch.bfloat16 if bf16 else torch.float32
    a, b = torch.randn(2048, 2048, dtype=kind), torch.randn(2048, 2048, dtype=kind)
    return 2 * 2048**3 / seconds(lambda: a @ b)


def shares(step: Callable[[], None]) -> dict[str, float]:
    """Of the operators' own time, each kind's share."""
    for _ in range(2):
        step()
    with profile(activities=[ProfilerActivity.CPU]) as found:
        for _ in range(STEPS):
            step()
    spent: Counter[str] = Counter()
    for event in found.key_averages():
        kind = next((kind for kind, names in KINDS.items() if event.key in names), "other")
        spent[kind] += event.self_cpu_time_total
    whole = sum(spent.values())
    return {kind: spent[kind] / whole for kind in [*KINDS, "other"]}


def convolutions(network: nn.Module, bf16: bool, limit: float) -> None:
    """Of every kind of convolution of a network its share of the peak, forward and backward."""
    shapes: Counter[tuple[int, ...]] = Counter()

    def seen(layer: nn.Module, given: tuple[torch.Tensor, ...], _: torch.Tensor) -> None:
        assert isinstance(layer, nn.Conv2d)
        kernel = tuple(int(side) for side in layer.kernel_size)
        shapes[(layer.in_channels, layer.out_channels, *kernel, *given[0].shape[2:])] += 1

    hooks = [
        layer.register_forward_hook(seen)
        for layer in network.modules()
        if isinstance(layer, nn.Conv2d)
    ]
    network(torch.randn(2, 1, 28, 28))
    for hook in hooks:
        hook.remove()
    print("\n| in | out | kernel | map | times | GFLOP | ms | of the peak |")
    print(f"|{' --- |' * 8}")
    for (inner, outer, high, wide, rows, columns), count in sorted(shapes.items()):
        layer = nn.Conv2d(inner, outer, (high, wide), padding=(high // 2, wide // 2), bias=False)
        layer = layer.to(memory_format=torch.channels_last)
        x = torch.randn(BATCH, inner, rows, columns).contiguous(memory_format=torch.channels_last)
        x.requires_grad_()

        def both(layer: nn.Conv2d = layer, x: torch.Tensor = x) -> None:
            with torch.autocast("cpu", torch.bfloat16, enabled=bf16):
                y = layer(x)
            torch.autograd.backward(y, torch.ones_like(y))

        flops = 3 * 2 * BATCH * inner * outer * high * wide * rows * columns
        took = seconds(both, 0.1)
        print(
            f"| {inner} | {outer} | {high}x{wide} | {rows}x{columns} | {count} | "
            f"{flops / 1e9:.2f} | {1000 * took:.2f} | {flops / took / limit:.0%} |"
        )


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--precision", choices=("auto", "float32", "bf16"), default="auto")
    asked = parser.parse_args()
    precision = best_precision() if asked.precision == "auto" else asked.precision
    bf16 = precision == "bf16"
    keep_freed()
    limit = peak(bf16)
    print(f"{machine()}; {precision}, a matrix product reaches {limit / 1e9:.0f} GFLOP/s\n")
    middle = Candidate.from_json(json.loads((HERE / "networks" / "100k.json").read_text()))
    networks = {"1 MMAC": chosen(1), "5 MMACs": chosen(5), "100k.json": middle}
    built = {}
    columns = []
    for name, one in networks.items():
        torch.manual_seed(0)
        built[name] = build(one.architecture)
        initialize(built[name])
        step = step_of(built[name], bf16)
        took = seconds(step, 2.0)
        flops = 3 * BATCH * cost(one.architecture).flops
        columns.append((name, flops / took / limit, BATCH / took, shares(step)))
    print("| | " + " | ".join(name for name, *_ in columns) + " |")
    print(f"|{' --- |' * (len(columns) + 1)}")
    print("| images/s | " + " | ".join(f"{speed:.0f}" for _, _, speed, _ in columns) + " |")
    print("| of the peak | " + " | ".join(f"{of:.0%}" for _, of, _, _ in columns) + " |")
    for kind in [*KINDS, "other"]:
        print(f"| {kind} | " + " | ".join(f"{found[kind]:.0%}" for *_, found in columns) + " |")
    for name, network in built.items():
        print(f"\n{name}")
        convolutions(network, bf16, limit)


if __name__ == "__main__":
    main()
