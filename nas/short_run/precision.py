"""Which precision this machine trains fastest in."""

import time

import torch
from torch import nn


def best_precision() -> str:
    """``bf16`` where the GPU, or else the CPU, is good at it and a measurement agrees.

    bf16 autocast pays only on CPUs with AVX512_BF16 or AMX; elsewhere it is emulated, many times
    slower.
    """
    if torch.cuda.is_available():
        return "bf16" if torch.cuda.is_bf16_supported(including_emulation=False) else "float32"
    if torch.backends.mps.is_available():
        return "float32"
    if not (torch.cpu._is_avx512_bf16_supported() or torch.cpu._is_amx_tile_supported()):
        return "float32"
    times = {dtype: _convolution_seconds(dtype) for dtype in (torch.float32, torch.bfloat16)}
    return "bf16" if times[torch.bfloat16] < times[torch.float32] else "float32"


def _convolution_seconds(dtype: torch.dtype) -> float:
    layer = nn.Conv2d(32, 32, 3, padding=1).to(dtype=dtype, memory_format=torch.channels_last)  # type: ignore[call-overload]
    x = torch.ones(32, 32, 28, 28, dtype=dtype).contiguous(memory_format=torch.channels_last)
    times = []
    for _ in range(6):
        started = time.perf_counter()
        layer(x).sum().backward()
        times.append(time.perf_counter() - started)
    return min(times[1:])
