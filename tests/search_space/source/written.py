"""A small network with most kinds of blocks, as it must be written.

Input [N, 1, 16, 16], output [N, 3]; sizes below are without N.
4,107 parameters, 420,574 multiply-adds (MACs) an image.
"""

import torch
from torch import nn


class Network(nn.Module):
    """1x16x16 to 3."""

    def __init__(self):
        super().__init__()
        self.stem = stem()
        self.stage1 = stage1()
        self.reduction2 = reduction2()
        self.stage2 = stage2()
        self.head = head()

    def forward(self, x):
        x = self.stem(x)  # 16x8x8
        x = self.stage1(x)  # 16x8x8
        x = self.reduction2(x)  # 32x4x4
        x = self.stage2(x)  # 10x4x4
        x = self.head(x)  # 3
        return x


def stem():
    """1x16x16 to 16x8x8."""
    return sequence(
        {
            "first": conv_bn_relu(1, 8, 3),  # 8x16x16
            "1x1": conv_bn_relu(8, 8, 1),
            "3x3": conv_bn_relu(8, 16, 3),  # 16x16x16
            "pool2": nn.MaxPool2d(3, 2, 1),  # 16x8x8
        }
    )


def stage1():
    """16x8x8 to 16x8x8."""
    # 16x8x8 to 16x8x8
    block1 = Concat()
    block1["1x1"] = conv_bn_relu(16, 4, 1)
    block1["3x3"] = sequence(
        {
            "reduce": conv_bn_relu(16, 2, 1),
            "1": Concat({"1x3": conv_bn_relu(2, 2, (1, 3)), "3x1": conv_bn_relu(2, 2, (3, 1))}),
        }
    )
    block1["5x5"] = sequence(
        {
            "reduce": conv_bn_relu(16, 2, 1),
            "1": conv_bn_relu(2, 4, 3),
            "2": Concat({"1x3": conv_bn_relu(4, 2, (1, 3)), "3x1": conv_bn_relu(4, 2, (3, 1))}),
        }
    )
    block1["pool"] = sequence(
        {"pool": nn.AvgPool2d(3, 1, 1, count_include_pad=False), "1x1": conv_bn_relu(16, 4, 1)}
    )

    # 16x8x8 to 16x8x8
    branches = Concat()
    branches["1x1"] = conv_bn_relu(16, 4, 1)
    branches["3x3"] = sequence(
        {
            "reduce": conv_bn_relu(16, 2, 1),
            "1": conv_bn_relu(2, 4, (1, 3)),
            "2": conv_bn_relu(4, 4, (3, 1)),
        }
    )
    block2 = add_relu(
        sequence({"branches": branches, "project": nn.Conv2d(8, 16, 1), "scale": Scale(0.2)}),
        nn.Identity(),
    )

    return sequence({"block1": block1, "block2": block2})


def reduction2():
    """16x8x8 to 32x4x4."""
    branches = Concat()
    branches["3x3"] = sequence(
        {"reduce": conv_bn_relu(16, 4, 1), "3x3": conv_bn_relu(4, 8, 3, stride=2, padding=1)}
    )
    branches["double 3x3"] = sequence(
        {
            "reduce": conv_bn_relu(16, 4, 1),
            "3x3a": conv_bn_relu(4, 8, 3),
            "3x3b": conv_bn_relu(8, 8, 3, stride=2, padding=1),
        }
    )
    branches["pool"] = nn.MaxPool2d(3, 2, 1)
    return branches


def stage2():
    """32x4x4 to 10x4x4."""
    # 32x4x4 to 10x4x4
    block1 = Concat()
    block1["1x1"] = add_relu(conv_bn(32, 4, 1), nn.Conv2d(32, 4, 1))
    block1["3x3"] = add_relu(
        sequence({"reduce": conv_bn_relu(32, 2, 1), "1": conv_bn(2, 6, 3)}),
        nn.Conv2d(32, 6, 1),
    )

    return sequence({"block1": block1})


def head():
    """10x4x4 to 3."""
    return sequence(
        {
            "pool": nn.AdaptiveAvgPool2d(1),  # 10x1x1
            "dropout": nn.Dropout(0.2),
            "linear": nn.Sequential(nn.Flatten(), nn.Linear(10, 3)),  # 3
        }
    )


def conv_bn(inputs, outputs, kernel, stride=1, padding="same"):
    """Convolution, batch norm."""
    return sequence(
        {
            "conv": nn.Conv2d(inputs, outputs, kernel, stride, padding, bias=False),
            "bn": nn.BatchNorm2d(outputs),
        }
    )


def conv_bn_relu(inputs, outputs, kernel, stride=1, padding="same"):
    """Convolution, batch norm, ReLU."""
    return sequence(
        {
            "conv": nn.Conv2d(inputs, outputs, kernel, stride, padding, bias=False),
            "bn": nn.BatchNorm2d(outputs),
            "relu": nn.ReLU(inplace=True),
        }
    )


def add_relu(path, shortcut):
    """path(x) + shortcut(x), then ReLU."""
    return sequence({"add": Add(path, shortcut), "relu": nn.ReLU(inplace=True)})


def sequence(layers):
    """The layers one after the other, under their names."""
    network = nn.Sequential()
    for name, layer in layers.items():
        network.add_module(name, layer)
    return network


class Concat(nn.ModuleDict):
    """Branches side by side on one input, their outputs joined along the channels."""

    def forward(self, x):
        return torch.cat([branch(x) for branch in self.values()], 1)


class Add(nn.Module):
    """path(x) + shortcut(x)."""

    def __init__(self, path, shortcut):
        super().__init__()
        self.path = path
        self.shortcut = shortcut

    def forward(self, x):
        return self.path(x) + self.shortcut(x)


class Scale(nn.Module):
    """Multiplication by a constant."""

    def __init__(self, factor):
        super().__init__()
        self.factor = factor

    def forward(self, x):
        return x * self.factor
