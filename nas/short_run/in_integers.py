"""How many validation images a trained network recognizes in 8-bit integers, as its C file does."""

import torch
from torch import nn

from nas.datasets import Dataset
from nas.metrics import Tally
from nas.model.export.int8 import calibration
from nas.model.integer.quantization import quantize_network
from nas.model.integer.simulated import classes
from search_space.graph import Node


def tally_in_integers(graph: Node, network: nn.Module, dataset: Dataset) -> Tally:
    """Of each class the validation images that it recognizes, and all.

    ``network`` is the graph's module; training images show the range of its activations. Takes
    about as long as the same images take in float32.
    """
    train, validation = dataset.train, dataset.validation
    some = torch.from_numpy(calibration(train.labels.numpy()))
    network = network.cpu().eval()
    made = quantize_network(graph, network, train.pixels[some], dataset.mean, dataset.std)
    labels, count = validation.labels, len(dataset.classes)
    right = labels[classes(made, validation.pixels) == labels]
    of_class = (torch.bincount(one, minlength=count).tolist() for one in (right, labels))
    return Tally(*map(tuple, of_class))
