"""A network under a roofline: least time and energy, layer by layer, and what fits on the chip.

.. [Williams2009] S. Williams et al., Roofline: An Insightful Visual Performance Model for Multicore
   Architectures, Communications of the ACM 2009.
"""

from typing import NamedTuple

from search_space.analysis.hardware import Hardware
from search_space.checks import check_range
from search_space.graph import Sequence, Shape
from search_space.steps import Program, fuse, steps


class LayerTime(NamedTuple):
    """One fused step: what it computes and moves for the whole batch, and the least time for it.

    ``intensity`` is FLOPs per byte. ``bound`` is "compute" where the FLOPs take the longer time (or
    as long), else "memory".
    """

    name: str
    kind: str
    flops: int
    bytes: int
    intensity: float
    seconds: float
    bound: str


class Roofline(NamedTuple):
    """A network on a hardware, for a whole batch ([Williams2009]_); plain data.

    ``bytes`` are those moved by the rule of ``Measures.moved_bytes``, in the hardware's precision:
    activations go to memory and back between fused steps, weights are read once for the batch.
    ``seconds`` is the least latency: every layer at its roof, layers one after the other with no
    overlap. ``memory_share`` is the part of it, from 0 to 1, in which memory is the limit.
    ``energy`` is in joules, per FLOP and per off-chip byte alone. ``intensity`` and ``ridge`` are
    FLOPs per byte: a layer below the ridge is bound by memory.

    ``on_chip_activations`` are the bytes that keep every activation on the chip: the most that are
    alive at one moment as fused steps run in order. The image is alive from the start, any other
    tensor from the step that first writes it, each until the last step that reads it. A step needs
    inputs and output at once; an element-wise layer works in place; the branches of a concatenation
    stand in its memory, which is all alive from its first branch on. ``on_chip_total`` adds all
    weights. The two ``fits`` say whether the hardware's memory has room for them.
    ``on_chip_seconds`` and ``on_chip_energy`` are what is left if activations stay on the chip,
    whether or not they fit: only weights, the image and the output move.
    """

    layers: tuple[LayerTime, ...]
    flops: int
    bytes: int
    intensity: float
    ridge: float
    seconds: float
    memory_share: float
    energy: float
    on_chip_activations: int
    on_chip_total: int
    activations_fit: bool
    total_fits: bool
    on_chip_seconds: float
    on_chip_energy: float


def roofline(graph: Sequence, shape: Shape, hardware: Hardware, batch: int = 1) -> Roofline:
    """The roofline of ``graph`` for ``batch`` images of ``shape`` on ``hardware``.

    ShapeError names a layer that can't run; ValueError on a batch that isn't 1 or more.
    """
    check_range("batch", batch, 1, 1_000_000)
    program = fuse(steps(graph, shape))
    size = hardware.bytes_per_value
    layers = _times(program, hardware, batch, _moved(program))
    inside = _times(program, hardware, batch, _moved_at_the_ends(program))
    seconds = sum(layer.seconds for layer in layers)
    in_memory = sum(layer.seconds for layer in layers if layer.bound == "memory")
    flops, moved = sum(layer.flops for layer in layers), sum(layer.bytes for layer in layers)
    weights = size * sum(step.params for step in program.steps)
    activations = size * batch * _peak(program)
    return Roofline(
        layers=layers,
        flops=flops,
        bytes=moved,
        intensity=flops / moved if moved else 0.0,
        ridge=hardware.ridge,
        seconds=seconds,
        memory_share=in_memory / seconds if seconds else 0.0,
        energy=_energy(hardware, layers),
        on_chip_activations=activations,
        on_chip_total=activations + weights,
        activations_fit=activations <= hardware.on_chip_bytes,
        total_fits=activations + weights <= hardware.on_chip_bytes,
        on_chip_seconds=sum(layer.seconds for layer in inside),
        on_chip_energy=_energy(hardware, inside),
    )


def _moved(program: Program) -> list[int]:
    """Values of one image that each step moves if nothing stays on the chip."""
    return [sum(map(program.values, (*step.reads, step.writes))) for step in program.steps]


def _moved_at_the_ends(program: Program) -> list[int]:
    """Values of one image that each step moves if activations stay on the chip."""
    moved = [0] * len(program.steps)
    for index, step in enumerate(program.steps):
        if program.buffers[step.writes] == program.result:
            moved[index] += program.values(step.writes)
    first = next((index for index, step in enumerate(program.steps) if 0 in step.reads), None)
    if first is not None:
        moved[first] += program.values(0)
    return moved


def _times(
    program: Program, hardware: Hardware, batch: int, moved: list[int]
) -> tuple[LayerTime, ...]:
    """Every step at its roof, if it moves its parameters and ``moved`` values an image."""
    out = []
    for step, values in zip(program.steps, moved, strict=True):
        flops = batch * step.flops
        size = hardware.bytes_per_value * (step.params + batch * values)
        compute, memory = flops / hardware.peak_flops, size / hardware.bandwidth
        bound = "compute" if compute >= memory else "memory"
        intensity = flops / size if size else 0.0
        longer = max(compute, memory)
        out.append(LayerTime(step.name, step.kind, flops, size, intensity, longer, bound))
    return tuple(out)


def _energy(hardware: Hardware, layers: tuple[LayerTime, ...]) -> float:
    return sum(
        layer.flops * hardware.flop_energy + layer.bytes * hardware.byte_energy for layer in layers
    )


def _peak(program: Program) -> int:
    """The most values of one image that are alive at one step, by the rule of ``Roofline``."""
    alive = {program.buffers[0]: (0, 0)}
    for index, step in enumerate(program.steps):
        for tensor in (*step.reads, step.writes):
            buffer = program.buffers[tensor]
            alive[buffer] = (alive.get(buffer, (index, index))[0], index)
    return max(
        sum(program.values(b) for b, (first, last) in alive.items() if first <= index <= last)
        for index in range(max(1, len(program.steps)))
    )
