"""Which precision this machine trains fastest in."""

import time
from collections.abc import Callable

import torch
from torch import nn

ROUNDS = 20
"""Measurements of each, in turn, so that what else the machine does hinders both alike."""


def has_bf16() -> bool:
    """Whether the GPU, or else the CPU, computes in bfloat16 itself.

    That is AVX512_BF16 or AMX on a CPU; elsewhere it is emulated, many times slower.
    """
    if torch.cuda.is_available():
        return bool(torch.cuda.is_bf16_supported(including_emulation=False))
    if torch.backends.mps.is_available():
        return False
    return bool(torch.cpu._is_avx512_bf16_supported() or torch.cpu._is_amx_tile_supported())


def best_precision() -> str:
    """``bf16`` where the hardware has it and, on a CPU, a measurement agrees; else float32."""
    if not has_bf16():
        return "float32"
    if torch.cuda.is_available():
        return "bf16"
    one, other = _convolution(torch.float32), _convolution(torch.bfloat16)
    rounds = [(one(), other()) for _ in range(ROUNDS)]
    float32, bf16 = (min(times) for times in zip(*rounds[1:], strict=True))
    return "bf16" if bf16 < float32 else "float32"


def _convolution(dtype: torch.dtype) -> Callable[[], float]:
    """What runs a convolution forward and back, and gives the seconds that it took."""
    layer = nn.Conv2d(32, 32, 3, padding=1).to(dtype=dtype, memory_format=torch.channels_last)  # type: ignore[call-overload]
    x = torch.ones(32, 32, 28, 28, dtype=dtype).contiguous(memory_format=torch.channels_last)

    def run() -> float:
        started = time.perf_counter()
        layer(x).sum().backward()
        return time.perf_counter() - started

    return run
