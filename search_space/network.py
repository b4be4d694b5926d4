"""Torch module of a layer graph, by folding it; no other file here imports torch."""

import torch
from torch import Tensor, nn

from search_space import graph
from search_space.architecture import Architecture
from search_space.expand import expand


def build(architecture: Architecture, channels: int = 1, classes: int = 10) -> nn.Module:
    """A network for images [N, channels, H, W] that returns logits [N, classes]."""
    return module(expand(architecture, channels, classes))


def module(node: graph.Node, owned: bool = False) -> nn.Module:
    """The torch module of ``node``; if ``owned``, a ReLU may overwrite the input."""
    match node:
        case graph.Sequence(children):
            out = nn.Sequential()
            for name, child in children:
                out.add_module(name, module(child, owned))
                owned = owned or not graph.passes(child)
            return out
        case graph.Concat(children):
            return Concat({name: module(child) for name, child in children})
        case graph.Add(children):
            return Add({name: module(child) for name, child in children})
        case graph.Conv():
            return nn.Conv2d(
                node.inputs, node.outputs, node.kernel, node.stride, node.padding, bias=node.bias
            )
        case graph.BatchNorm():
            return nn.BatchNorm2d(node.channels, node.eps)
        case graph.ReLU():
            return nn.ReLU(inplace=owned)
        case graph.Scale():
            return Scale(node.factor)
        case graph.Dropout():
            return nn.Dropout(node.p)
        case graph.Pool("max"):
            return nn.MaxPool2d(node.kernel, node.stride, node.padding, ceil_mode=node.ceil)
        case graph.Pool():
            return nn.AvgPool2d(node.kernel, node.stride, node.padding, node.ceil, False)
        case graph.GlobalPool():
            return nn.AdaptiveAvgPool2d(node.size)
        case graph.Flatten():
            return nn.Flatten()
        case graph.Auxiliary():
            return Auxiliary(module(node.head), node.weight)
        case graph.Linear():
            return nn.Sequential(nn.Flatten(), nn.Linear(node.inputs, node.outputs))
    raise AssertionError(f"no module for {node!r}")


class Concat(nn.ModuleDict):
    """Branches [N, C_i, H, W] of one input, joined along the channels."""

    def forward(self, x: Tensor) -> Tensor:
        return torch.cat([branch(x) for branch in self.values()], 1)


class Add(nn.ModuleDict):
    """Branches [N, C, H, W] of one input, added."""

    def forward(self, x: Tensor) -> Tensor:
        first, *others = self.values()
        total: Tensor = first(x)
        for branch in others:
            total = total + branch(x)
        return total


class Auxiliary(nn.Module):
    """A second head: hands its input on; in training ``logits`` holds what the head says of it."""

    def __init__(self, head: nn.Module, weight: float) -> None:
        super().__init__()
        self.head, self.weight = head, weight
        self.logits: Tensor | None = None

    def forward(self, x: Tensor) -> Tensor:
        self.logits = self.head(x) if self.training else None
        return x


class Scale(nn.Module):
    """Multiplication by a constant."""

    def __init__(self, factor: float) -> None:
        super().__init__()
        self.factor = factor

    def forward(self, x: Tensor) -> Tensor:
        return x * self.factor

    def extra_repr(self) -> str:
        return f"{self.factor}"
