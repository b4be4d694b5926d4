"""The format executorch: a program for PyTorch's runtime on devices, with XNNPACK; and run.

Its metadata are a method of the program that returns them as JSON.
"""

import json
from collections.abc import Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from nas.model.classifier import Pixels, Probabilities, Run
from nas.model.export.needed import quiet
from search_space.graph import Shape

if TYPE_CHECKING:
    from torch import nn

METADATA = "metadata"


def executorch_bytes(network: "nn.Module", image: Shape, metadata: Mapping[str, str]) -> bytes:
    """A network as one ExecuTorch program, of one image uint8 [1, C, R, R] at a time."""
    import torch

    with quiet():
        from executorch.backends.xnnpack.partition.xnnpack_partitioner import XnnpackPartitioner
        from executorch.exir import to_edge_transform_and_lower

        example = torch.zeros(1, *image, dtype=torch.uint8)
        program = torch.export.export(network.eval(), (example,))
        lowered = to_edge_transform_and_lower(
            program,
            partitioner=[XnnpackPartitioner()],
            constant_methods={METADATA: json.dumps(dict(metadata))},
        )
        content = bytes(lowered.to_executorch().buffer)
    return content


def read_executorch(path: Path, names: Mapping[str, str]) -> tuple[dict[str, str], Run]:
    """What a file holds of the metadata under these names, and ExecuTorch's runtime of it."""
    with quiet():
        from executorch.runtime import Runtime

        content = path.read_bytes()
        program = Runtime.get().load_program(content)
        (text,) = program.load_method(METADATA).execute([])
        method = program.load_method("forward")
    found = json.loads(text)
    return {name: found[name] for name in names if name in found}, _run(method, (program, content))


def _run(method: Any, of: Any) -> Run:
    """``of`` is what the method lies in, and must stay while it is called."""
    import torch

    def one(image: Pixels) -> Probabilities:
        assert of
        (found,) = method.execute([torch.from_numpy(np.ascontiguousarray(image[None]))])
        said: Probabilities = found.numpy().copy()
        return said

    def run(pixels: Pixels) -> Probabilities:
        return np.concatenate([one(image) for image in pixels])

    return run
