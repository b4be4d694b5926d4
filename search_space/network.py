"""Torch module of a layer graph, by folding it; no other file here imports torch."""

import torch
from torch import Tensor, nn

from search_space import graph
from search_space.architecture import Architecture
from search_space.expand import expand


def build(architecture: Architecture, channels: int = 1, classes: int = 10) -> nn.Module:
    """A network for images [N, channels, H, W] that returns logits [N, classes]."""
    return module(expand(architecture, channels, classes))


def module(node: graph.Node) -> nn.Module:
    """The torch module of ``node``."""
    match node:
        case graph.Sequence(children):
            out = nn.Sequential()
            for name, child in children:
                out.add_module(name, module(child))
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
            return nn.BatchNorm2d(node.channels)
        case graph.ReLU():
            return nn.ReLU()
        case graph.Scale():
            return Scale(node.factor)
        case graph.Dropout():
            return nn.Dropout(node.p)
        case graph.Pool("max"):
            return nn.MaxPool2d(3, node.stride, 1)
        case graph.Pool():
            return nn.AvgPool2d(3, node.stride, 1, count_include_pad=False)
        case graph.GlobalPool():
            return nn.AdaptiveAvgPool2d(1)
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


class Scale(nn.Module):
    """Multiplication by a constant."""

    def __init__(self, factor: float) -> None:
        super().__init__()
        self.factor = factor

    def forward(self, x: Tensor) -> Tensor:
        return x * self.factor

    def extra_repr(self) -> str:
        return f"{self.factor}"
