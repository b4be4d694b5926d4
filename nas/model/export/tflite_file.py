"""The format tflite: a file for LiteRT, once TensorFlow Lite, by litert-torch; and run.

Its metadata are entries of the file's own list, each a text of its own.
"""

import tempfile
from collections.abc import Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from nas.model.classifier import Pixels, Probabilities, Run
from nas.model.export.needed import quiet
from search_space.graph import Shape

if TYPE_CHECKING:
    from torch import nn

MAGIC = b"TFL3"
"""What identifies a TFLite file, after its first four bytes."""


def tflite_bytes(network: "nn.Module", image: Shape, metadata: Mapping[str, str]) -> bytes:
    """A network as one TFLite file, of one image uint8 [1, C, R, R] at a time."""
    import torch

    with quiet(), tempfile.TemporaryDirectory(prefix="inception-nas-") as scratch:
        import litert_torch

        path = Path(scratch) / "network.tflite"
        example = torch.zeros(1, *image, dtype=torch.uint8)
        litert_torch.convert(network.eval(), (example,)).export(str(path))
        content = path.read_bytes()
    return _with_metadata(content, metadata)


def _with_metadata(content: bytes, metadata: Mapping[str, str]) -> bytes:
    import flatbuffers
    from ai_edge_litert import schema_py_generated as schema

    model = schema.ModelT.InitFromPackedBuf(content, 0)
    model.metadata = list(model.metadata or [])
    for name, text in metadata.items():
        buffer = schema.BufferT()
        buffer.data = np.frombuffer(text.encode("utf-8"), np.uint8)
        entry = schema.MetadataT()
        entry.name, entry.buffer = name, len(model.buffers)
        model.buffers.append(buffer)
        model.metadata.append(entry)
    builder = flatbuffers.Builder(len(content))
    builder.Finish(model.Pack(builder), MAGIC)
    return bytes(builder.Output())


def read_tflite(path: Path, names: Mapping[str, str]) -> tuple[dict[str, str], Run]:
    """What a file holds of the metadata under these names, and LiteRT's interpreter of it."""
    with quiet():
        from ai_edge_litert import schema_py_generated as schema
        from ai_edge_litert.interpreter import Interpreter

        content = path.read_bytes()
        interpreter = Interpreter(model_content=content, num_threads=1)
        interpreter.allocate_tensors()
    model = schema.ModelT.InitFromPackedBuf(content, 0)
    found = {
        entry.name.decode(): bytes(model.buffers[entry.buffer].data).decode("utf-8")
        for entry in model.metadata
        if entry.name.decode() in names
    }
    return {name: found[name] for name in names if name in found}, _run(interpreter)


def _run(interpreter: Any) -> Run:
    (into,), (out,) = interpreter.get_input_details(), interpreter.get_output_details()

    def one(image: Pixels) -> Probabilities:
        interpreter.set_tensor(into["index"], image[None])
        interpreter.invoke()
        found: Probabilities = interpreter.get_tensor(out["index"])
        return found

    def run(pixels: Pixels) -> Probabilities:
        return np.concatenate([one(image) for image in pixels])

    return run
