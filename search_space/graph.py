"""The layer graph: the kinds of layers, and how layers are joined (sequence, concat, add).

A layer knows its output shape, its parameters and its FLOPs; nothing here builds a module.
Shapes are (channels, height, width), without the batch.

FLOPs are 2 x multiply-adds of convolutions and linear layers, as torch's FlopCounterMode counts
them; biases, batch norm, activations, pooling and additions count 0.
"""

from dataclasses import dataclass
from functools import lru_cache

Shape = tuple[int, int, int]


class Layer:
    """A leaf of the graph. Layers compare by identity; make them with the functions below."""

    kind: str
    elementwise = False
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
        return (
            self.outputs,
            (height + 2 * self.padding[0] - self.kernel[0]) // self.stride + 1,
            (width + 2 * self.padding[1] - self.kernel[1]) // self.stride + 1,
        )

    def flops(self, output: Shape) -> int:
        channels, height, width = output
        return 2 * channels * height * width * self.inputs * self.kernel[0] * self.kernel[1]


@dataclass(frozen=True, eq=False)
class BatchNorm(Layer):
    """Batch norm with a learned scale and shift for each of ``channels``."""

    channels: int
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


@dataclass(frozen=True, eq=False)
class Pool(Layer):
    """3x3 pooling with padding 1; ``mode`` is max or avg (which leaves the padding out)."""

    mode: str
    stride: int

    @property
    def kind(self) -> str:  # type: ignore[override]
        return f"{self.mode}-pool 3x3"

    def output(self, shape: Shape) -> Shape:
        channels, height, width = shape
        return channels, (height - 1) // self.stride + 1, (width - 1) // self.stride + 1


@dataclass(frozen=True, eq=False)
class GlobalPool(Layer):
    """Average over height and width: (channels, 1, 1)."""

    kind = "global avg-pool"

    def output(self, shape: Shape) -> Shape:
        return shape[0], 1, 1


@dataclass(frozen=True, eq=False)
class Linear(Layer):
    """Fully connected layer on the flattened (channels, 1, 1) input, with bias."""

    inputs: int
    outputs: int
    kind = "linear"

    @property
    def params(self) -> int:  # type: ignore[override]
        return self.outputs * (self.inputs + 1)

    def output(self, shape: Shape) -> Shape:
        assert shape == (self.inputs, 1, 1), f"linear layer of {self.inputs} got {shape}"
        return self.outputs, 1, 1

    def flops(self, output: Shape) -> int:
        return 2 * self.inputs * output[0]


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


@lru_cache(maxsize=65536)
def conv(
    inputs: int, outputs: int, kernel: tuple[int, int], stride: int = 1, bias: bool = True
) -> Conv:
    """A convolution with 'same' padding (kernel // 2)."""
    return Conv(inputs, outputs, kernel, stride, bias, (kernel[0] // 2, kernel[1] // 2))


# One object for equal layers, so that a layer's cost at a shape can be remembered by identity.
batch_norm = lru_cache(maxsize=4096)(BatchNorm)
relu = lru_cache(maxsize=1)(ReLU)
scale = lru_cache(maxsize=64)(Scale)
dropout = lru_cache(maxsize=64)(Dropout)
pool = lru_cache(maxsize=16)(Pool)
global_pool = lru_cache(maxsize=1)(GlobalPool)
linear = lru_cache(maxsize=4096)(Linear)
