"""AlexNet, VGG-11 and NiN as layer graphs: what GoogLeNet is compared with.

They are the textbook versions of [Zhang2023]_, without local response normalization. The linear
layers of AlexNet and VGG-11 are sized for the resolution that is asked for.

.. [Krizhevsky2012] A. Krizhevsky et al., ImageNet Classification with Deep CNNs, NeurIPS 2012.
.. [Simonyan2015] K. Simonyan and A. Zisserman, Very Deep Convolutional Networks, ICLR 2015.
.. [Lin2014] M. Lin et al., Network In Network, ICLR 2014.
.. [Zhang2023] A. Zhang et al., Dive into Deep Learning, Cambridge 2023, sections 8.1 to 8.3.
"""

from math import prod

from search_space.cost import graph_cost
from search_space.graph import (
    Node,
    Sequence,
    Shape,
    conv,
    dropout,
    flatten,
    global_pool,
    linear,
    pool,
    relu,
)

HIDDEN = 4096

Parts = list[tuple[str, Node]]


def alexnet(resolution: int, channels: int, classes: int) -> Sequence:
    """[Krizhevsky2012]_: five convolutions and three linear layers."""
    features: Parts = [
        ("conv1", _conv(channels, 96, 11, 4, 1)),
        ("pool1", pool("max", 2, 3, 0)),
        ("conv2", _conv(96, 256, 5, 1, 2)),
        ("pool2", pool("max", 2, 3, 0)),
        ("conv3", _conv(256, 384, 3, 1, 1)),
        ("conv4", _conv(384, 384, 3, 1, 1)),
        ("conv5", _conv(384, 256, 3, 1, 1)),
        ("pool5", pool("max", 2, 3, 0)),
    ]
    return _with_linear_layers(features, (channels, resolution, resolution), classes)


def vgg11(resolution: int, channels: int, classes: int) -> Sequence:
    """[Simonyan2015]_ configuration A: 3x3 convolutions, 2x2/2 pools, three linear layers."""
    features: Parts = []
    inputs = channels
    for stage, (count, width) in enumerate(((1, 64), (1, 128), (2, 256), (2, 512), (2, 512)), 1):
        for number in range(1, count + 1):
            features.append((f"conv{stage}_{number}", _conv(inputs, width, 3, 1, 1)))
            inputs = width
        features.append((f"pool{stage}", pool("max", 2, 2, 0)))
    return _with_linear_layers(features, (channels, resolution, resolution), classes)


def nin(resolution: int, channels: int, classes: int) -> Sequence:
    """[Lin2014]_: every convolution is followed by two 1x1; the classes are averaged maps."""
    del resolution
    return Sequence(
        (
            ("nin1", _nin(channels, 96, 11, 4, 0)),
            ("pool1", pool("max", 2, 3, 0)),
            ("nin2", _nin(96, 256, 5, 1, 2)),
            ("pool2", pool("max", 2, 3, 0)),
            ("nin3", _nin(256, 384, 3, 1, 1)),
            ("pool3", pool("max", 2, 3, 0)),
            ("dropout", dropout(0.5)),
            ("nin4", _nin(384, classes, 3, 1, 1)),
            ("pool4", global_pool()),
            ("flatten", flatten()),
        )
    )


def _conv(inputs: int, outputs: int, kernel: int, stride: int, padding: int) -> Sequence:
    layer = conv(inputs, outputs, (kernel, kernel), stride, True, (padding, padding))
    return Sequence((("conv", layer), ("relu", relu())))


def _nin(inputs: int, outputs: int, kernel: int, stride: int, padding: int) -> Sequence:
    return Sequence(
        (
            ("conv", _conv(inputs, outputs, kernel, stride, padding)),
            ("1x1a", _conv(outputs, outputs, 1, 1, 0)),
            ("1x1b", _conv(outputs, outputs, 1, 1, 0)),
        )
    )


def _with_linear_layers(features: Parts, image: Shape, classes: int) -> Sequence:
    inputs = prod(graph_cost(Sequence(tuple(features)), image).output)
    return Sequence(
        (
            *features,
            ("flatten", flatten()),
            ("linear1", linear(inputs, HIDDEN)),
            ("relu1", relu()),
            ("dropout1", dropout(0.5)),
            ("linear2", linear(HIDDEN, HIDDEN)),
            ("relu2", relu()),
            ("dropout2", dropout(0.5)),
            ("linear3", linear(HIDDEN, classes)),
        )
    )
