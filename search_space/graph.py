"""The layer graph: the kinds of layers, and how layers are joined (sequence, concat, add).

A layer knows its output shape, its parameters and its FLOPs; nothing here builds a module.
Shapes are (channels, height, width), without the batch.

FLOPs are 2 x multiply-adds of convolutions and linear layers, as torch's FlopCounterMode counts
them; biases, batch norm, activations, pooling and additions count 0.
"""

from dataclasses import dataclass
from functools import lru_cache
from math import prod

Shape = tuple[int, int, int]


class ShapeError(ValueError):
    """A layer whose kernel is larger than its padded input; ``layer`` is its dotted name."""

    def __init__(self, kind: str, shape: Shape, layer: str = "") -> None:
        self.kind, self.shape, self.layer = kind, shape, layer
        size = "x".join(map(str, shape))
        super().__init__(f"layer {layer} ({kind}) can't run on a {size} map")

    def within(self, name: str) -> "ShapeError":
        """The same error, told from the node ``name`` that the layer is in."""
        inner = f"{name}.{self.layer}" if self.layer else name
        return ShapeError(self.kind, self.shape, inner)


class Layer:
    """A leaf of the graph. Layers compare by identity; make them with the functions below.

    ``elementwise``: every output element needs one input element, so a compiler fuses the layer
    into the one before. ``passes``: in evaluation it hands on the very tensor that it is given.
    """

    kind: str
    elementwise = False
    passes = False
    params = 0

    def output(self, shape: Shape) -> Shape:
        """The shape that this layer makes of ``shape``."""
        return shape

    def flops(self, output: Shape) -> int:
        """FLOPs of one image, from the layer's output shape."""
        del output
        return 0


@dataclass(frozen=True, eq=False)
class Conv(Layer):
    """2-D convolution, padded so that stride 1 keeps height and width unless ``padding`` is given.

    ``kernel`` and ``padding`` are (height, width) in pixels.
    """

    inputs: int
    outputs: int
    kernel: tuple[int, int]
    stride: int
    bias: bool
    padding: tuple[int, int]

    @property
    def kind(self) -> str:  # type: ignore[override]
        return f"conv {self.kernel[0]}x{self.kernel[1]}"

    @property
    def params(self) -> int:  # type: ignore[override]
        height, width = self.kernel
        return self.outputs * (self.inputs * height * width + self.bias)

    def output(self, shape: Shape) -> Shape:
        channels, height, width = shape
        assert channels == self.inputs, f"convolution of {self.inputs} channels got {channels}"
        height += 2 * self.padding[0] - self.kernel[0]
        width += 2 * self.padding[1] - self.kernel[1]
        if height < 0 or width < 0:
            raise ShapeError(self.kind, shape)
        return self.outputs, height // self.stride + 1, width // self.stride + 1

    def flops(self, output: Shape) -> int:
        channels, height, width = output
        return 2 * channels * height * width * self.inputs * self.kernel[0] * self.kernel[1]


@dataclass(frozen=True, eq=False)
class BatchNorm(Layer):
    """Batch norm with a learned scale and shift for each of ``channels``."""

    channels: int
    eps: float
    kind = "batch norm"
    elementwise = True

    @property
    def params(self) -> int:  # type: ignore[override]
        return 2 * self.channels


@dataclass(frozen=True, eq=False)
class ReLU(Layer):
    """max(x, 0)."""

    kind = "relu"
    elementwise = True


@dataclass(frozen=True, eq=False)
class Scale(Layer):
    """Multiplication by a constant, on residual paths."""

    factor: float
    kind = "scale"
    elementwise = True


@dataclass(frozen=True, eq=False)
class Dropout(Layer):
    """Zeroes activations with probability ``p`` in training; the identity afterwards."""

    p: float
    kind = "dropout"
    elementwise = True
    passes = True


@dataclass(frozen=True, eq=False)
class Pool(Layer):
    """``kernel`` x ``kernel`` pooling; ``mode`` is max or avg (which leaves the padding out).

    ``padding`` is in pixels on every side. ``ceil`` rounds the output up instead of down, as
    long as the last window begins inside the input or its padding.
    """

    mode: str
    stride: int
    kernel: int
    padding: int
    ceil: bool

    @property
    def kind(self) -> str:  # type: ignore[override]
        return f"{self.mode}-pool {self.kernel}x{self.kernel}"

    def output(self, shape: Shape) -> Shape:
        channels, height, width = shape
        height, width = self._along(height), self._along(width)
        if height < 1 or width < 1:
            raise ShapeError(self.kind, shape)
        return channels, height, width

    def _along(self, size: int) -> int:
        room = size + 2 * self.padding - self.kernel
        if not self.ceil:
            return room // self.stride + 1
        steps = -(-room // self.stride)
        return steps + (steps * self.stride < size + self.padding)


@dataclass(frozen=True, eq=False)
class GlobalPool(Layer):
    """Average over height and width, to (channels, size, size)."""

    size: int

    @property
    def kind(self) -> str:  # type: ignore[override]
        return "global avg-pool" if self.size == 1 else f"avg-pool to {self.size}x{self.size}"

    def output(self, shape: Shape) -> Shape:
        return shape[0], self.size, self.size


@dataclass(frozen=True, eq=False)
class Flatten(Layer):
    """(channels, height, width) to (channels x height x width, 1, 1), without a copy."""

    kind = "flatten"
    passes = True

    def output(self, shape: Shape) -> Shape:
        return prod(shape), 1, 1


@dataclass(frozen=True, eq=False)
class Linear(Layer):
    """Fully connected layer on the flattened input, with bias."""

    inputs: int
    outputs: int
    kind = "linear"

    @property
    def params(self) -> int:  # type: ignore[override]
        return self.outputs * (self.inputs + 1)

    def output(self, shape: Shape) -> Shape:
        assert prod(shape) == self.inputs, f"linear layer of {self.inputs} got {shape}"
        return self.outputs, 1, 1

    def flops(self, output: Shape) -> int:
        return 2 * self.inputs * output[0]


@dataclass(frozen=True, eq=False)
class Auxiliary(Layer):
    """A second head, for training alone: hands its input on, and costs nothing afterwards.

    In training ``head``'s logits are gathered, and their loss times ``weight`` is added.
    """

    head: "Node"
    weight: float
    kind = "auxiliary head"
    passes = True


@dataclass(frozen=True, eq=False)
class Sequence:
    """Children one after the other. The empty sequence is the identity."""

    children: tuple[tuple[str, "Node"], ...]


@dataclass(frozen=True, eq=False)
class Concat:
    """Children side by side on one input, their outputs joined along the channels."""

    children: tuple[tuple[str, "Node"], ...]


@dataclass(frozen=True, eq=False)
class Add:
    """Children side by side on one input, their outputs (of one shape) added."""

    children: tuple[tuple[str, "Node"], ...]


Node = Layer | Sequence | Concat | Add

IDENTITY = Sequence(())


def passes(node: Node) -> bool:
    """Whether ``node``, in evaluation, hands on the very tensor that it is given."""
    if isinstance(node, Layer):
        return node.passes
    return isinstance(node, Sequence) and all(passes(child) for _, child in node.children)


@lru_cache(maxsize=65536)
def conv(
    inputs: int,
    outputs: int,
    kernel: tuple[int, int],
    stride: int = 1,
    bias: bool = True,
    padding: tuple[int, int] | None = None,
) -> Conv:
    """A convolution, by default with 'same' padding (kernel // 2)."""
    same = kernel[0] // 2, kernel[1] // 2
    return Conv(inputs, outputs, kernel, stride, bias, same if padding is None else padding)


@lru_cache(maxsize=4096)
def batch_norm(channels: int, eps: float = 1e-5) -> BatchNorm:
    """A batch norm; ``eps`` is added to the variance."""
    return BatchNorm(channels, eps)


@lru_cache(maxsize=64)
def pool(
    mode: str, stride: int, kernel: int = 3, padding: int | None = None, ceil: bool = False
) -> Pool:
    """A pooling layer, by default 3x3 with 'same' padding."""
    return Pool(mode, stride, kernel, kernel // 2 if padding is None else padding, ceil)


@lru_cache(maxsize=16)
def global_pool(size: int = 1) -> GlobalPool:
    """The average over all of a map, or over ``size`` x ``size`` parts of it."""
    return GlobalPool(size)


# One object for equal layers, so that a layer's cost at a shape can be remembered by identity.
relu = lru_cache(maxsize=1)(ReLU)
scale = lru_cache(maxsize=64)(Scale)
dropout = lru_cache(maxsize=64)(Dropout)
flatten = lru_cache(maxsize=1)(Flatten)
linear = lru_cache(maxsize=4096)(Linear)
