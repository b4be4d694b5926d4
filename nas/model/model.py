"""A trained model: its weights and what it takes to use them, in one safetensors file."""

import json
import os
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

import torch
from safetensors import SafetensorError, safe_open
from safetensors.torch import save
from torch import Tensor, nn

from nas.datasets.normalization import Normalization
from nas.files import replace_file
from nas.model.metadata import ModelMetadata
from search_space.expand import expand
from search_space.network import build
from search_space.shapes import check_runs

FILE = "model.safetensors"
"""Of a model in its directory."""

METADATA = "inception-nas"
"""Under which the metadata's JSON is in the file's metadata."""


@dataclass(frozen=True, eq=False)
class Model:
    """A network in evaluation mode, with its metadata."""

    metadata: ModelMetadata
    network: nn.Module

    @torch.inference_mode()
    def probabilities(self, pixels: Tensor) -> Tensor:
        """Float32 [N, classes] of uint8 pixels [N, C, R, R]."""
        images = Normalization(self.metadata.mean, self.metadata.std)(pixels)
        # as `load_model` lays out the weights: several times as fast on a CPU
        logits: Tensor = self.network(images.contiguous(memory_format=torch.channels_last))
        return logits.float().softmax(1)


def save_model(model: Model, directory: Path) -> None:
    """Write the model into its directory, all of it or nothing."""
    weights = {name: value.contiguous() for name, value in model.network.state_dict().items()}
    text = json.dumps(model.metadata.to_json(), sort_keys=True)
    replace_file(directory / FILE, save(weights, {METADATA: text}))


def load_model(path: Path) -> Model:
    """The model in a directory or file that `save_model` wrote; ValueError for anything else.

    Nothing in the file is executed: it is read as safetensors alone. No more memory is taken than
    the file's weights need, whatever its metadata asks for.
    """
    file = path / FILE if os.path.isdir(path) else path
    metadata, weights = _read(file)
    architecture = metadata.candidate.architecture
    channels, classes = metadata.channels, len(metadata.classes)
    image = (channels, metadata.resolution, metadata.resolution)
    check_runs(lambda _: expand(architecture, channels, classes), f"the network of {file}", image)
    with torch.device("meta"), torch.random.fork_rng([]):
        network = build(architecture, channels, classes)
    if _kinds(network.state_dict()) != _kinds(weights):
        raise ValueError(
            f"{file} has weights of another network than its metadata's; train it anew"
        )
    for name, value in weights.items():
        if not value.isfinite().all():
            raise ValueError(
                f"{file} has NaN or infinity among its weights, first in {name}: the training "
                "diverged; train it anew"
            )
    network.load_state_dict(weights, assign=True)
    return Model(metadata, network.eval().to(memory_format=torch.channels_last))


def _kinds(weights: Mapping[str, Tensor]) -> dict[str, object]:
    return {name: (value.shape, value.dtype) for name, value in weights.items()}


def _read(file: Path) -> tuple[ModelMetadata, Mapping[str, Tensor]]:
    if not os.path.isfile(file):
        raise ValueError(
            f"there is no model at {file}; give the directory that `nas train --out` wrote"
        )
    try:
        os.close(os.open(file, os.O_RDONLY))  # safetensors' own error has no reason in it
        with safe_open(file, "pt") as opened:
            metadata = opened.metadata() or {}
            weights = {name: opened.get_tensor(name) for name in opened.keys()}  # noqa: SIM118
    except OSError as error:
        raise ValueError(f"{file} can't be read: {error.strerror or error}") from None
    except SafetensorError as error:
        raise ValueError(
            f"{file} is no model, or is truncated ({error}); "
            "give the directory that `nas train --out` wrote"
        ) from None
    if METADATA not in metadata:
        raise ValueError(f"{file} has weights, but no metadata by `nas train`; train with that")
    try:
        return ModelMetadata.from_json(json.loads(metadata[METADATA])), weights
    except (ValueError, RecursionError, TypeError) as error:
        raise ValueError(f"{file} has metadata of no model: {error}") from None
