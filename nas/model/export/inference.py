"""The network that is exported: normalization inside, batch norms folded, nothing for training."""

import copy
from collections.abc import Iterable, Iterator

import torch
from torch import Tensor, nn
from torch.nn.utils.fusion import fuse_conv_bn_eval

from nas.datasets.normalization import Normalization
from nas.model.model import Model
from search_space.network import Auxiliary


class Inference(nn.Module):
    """Float32 probabilities [N, classes] of uint8 images [N, C, R, R]."""

    def __init__(self, model: Model) -> None:
        super().__init__()
        self.network = folded(model.network)
        for weights in self.network.parameters():
            # a copy even where it has that layout as well: torch.export saves no other strides
            weights.data = weights.data.clone(memory_format=torch.contiguous_format)
        self.normalization = Normalization(model.metadata.mean, model.metadata.std)
        self.eval()

    def forward(self, images: Tensor) -> Tensor:
        pixels = self.normalization(images)
        # several times as fast in PyTorch; ONNX has but one layout
        logits = self.network(pixels.contiguous(memory_format=torch.channels_last))
        probabilities: Tensor = logits.softmax(1)
        return probabilities


@torch.no_grad()
def folded(network: nn.Module) -> nn.Module:
    """A copy of a network in evaluation mode, the same function with fewer layers.

    A batch norm that directly follows a convolution goes into its weights, computed in float64;
    one that comes first stays. Dropout and auxiliary heads are left out.
    """
    if isinstance(network, nn.ModuleDict):
        out = type(network)({name: folded(branch) for name, branch in network.items()})
        return out.eval()
    if not isinstance(network, nn.Sequential):
        return copy.deepcopy(network).eval()
    layers: list[nn.Module] = []
    for layer in map(folded, _flat(network)):
        if isinstance(layer, nn.BatchNorm2d) and layers and isinstance(layers[-1], nn.Conv2d):
            dtype = layers[-1].weight.dtype
            layers[-1] = fuse_conv_bn_eval(layers[-1].double(), layer.double()).to(dtype)
        else:
            layers.append(layer)
    return nn.Sequential(*layers).eval()


def _flat(layers: Iterable[nn.Module]) -> Iterator[nn.Module]:
    """The layers of sequences in sequences, in order, without those that pass their input on."""
    for layer in layers:
        if isinstance(layer, nn.Sequential):
            yield from _flat(layer)
        elif not isinstance(layer, nn.Dropout | nn.Identity | Auxiliary):
            yield layer
