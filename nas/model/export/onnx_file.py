"""The format onnx: a file for ONNX Runtime and whatever else reads ONNX; written, and run."""

import contextlib
import os
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from nas.model.classifier import Classifier, Pixels, Probabilities, Run
from nas.model.export.needed import need
from nas.model.metadata import INPUT, OUTPUT, Metadata
from search_space.graph import Shape

if TYPE_CHECKING:
    from torch import nn

OPSET, IR = 18, 8
"""Those of ONNX 1.13 of 2022: the oldest opset that torch's exporter writes, and its own IR."""


def onnx_bytes(network: "nn.Module", image: Shape, metadata: Mapping[str, str]) -> bytes:
    """A network as one ONNX file that is the same every time.

    It has the tensors INPUT, of any number of images, and OUTPUT.
    """
    import onnx
    import torch

    program = torch.onnx.export(
        network,
        (torch.zeros(2, *image, dtype=torch.uint8),),
        dynamic_shapes={INPUT: {0: torch.export.Dim("N")}},
        input_names=[INPUT],
        output_names=[OUTPUT],
        opset_version=OPSET,
        external_data=False,
        verbose=False,
    )
    assert program is not None, "of the dynamo exporter there is always one"
    proto = program.model_proto
    proto.ir_version = IR
    graph = proto.graph
    # what the exporter notes of its own work: stack traces with this machine's paths, and IR 10
    for part in (proto, graph, *graph.node, *graph.input, *graph.output, *graph.value_info):
        del part.metadata_props[:]
    for tensor in graph.initializer:
        del tensor.metadata_props[:]
    onnx.checker.check_model(proto, full_check=True)
    return with_metadata(proto.SerializeToString(), metadata)


def with_metadata(content: bytes, metadata: Mapping[str, str]) -> bytes:
    """An ONNX file's bytes with this metadata and no other."""
    import onnx

    proto = onnx.load_from_string(content)
    onnx.helper.set_model_props(proto, dict(metadata))
    result: bytes = proto.SerializeToString(deterministic=True)
    return result


def open_session(content: bytes | Path, threads: int | None = None) -> Any:
    """ONNX Runtime's session of a file or its bytes; its own errors where it can't be one."""
    import onnxruntime

    options = onnxruntime.SessionOptions()
    options.log_severity_level = 4  # what goes wrong is raised; it need not be printed as well
    if threads is not None:
        options.intra_op_num_threads = threads
    source = content if isinstance(content, bytes) else str(content)
    return onnxruntime.InferenceSession(source, options, providers=["CPUExecutionProvider"])


def session_run(session: Any) -> Run:
    """A function from images to probabilities that runs a session."""

    def run(pixels: Pixels) -> Probabilities:
        (found,) = session.run([OUTPUT], {INPUT: np.ascontiguousarray(pixels)})
        probabilities: Probabilities = found
        return probabilities

    return run


def onnx_classifier(path: Path) -> Classifier:
    """What `nas export` wrote, run by ONNX Runtime alone; ValueError for any other file."""
    need("onnx", "onnxruntime")
    import onnxruntime

    if not os.path.isfile(path):
        raise ValueError(f"there is no ONNX file {path}; `nas export` writes one")
    try:
        content = path.read_bytes()
        session = open_session(content)
    except OSError as error:
        raise ValueError(f"{path} can't be read: {error.strerror or error}") from None
    except Exception as error:  # the runtime's errors have no class in common
        raise ValueError(f"{path} is no ONNX file that can be run: {error}") from None
    known = _metadata(path, session)

    @contextlib.contextmanager
    def on_threads(count: int | None) -> Iterator[Run]:
        yield session_run(session if count is None else open_session(content, count))

    return Classifier(known, f"ONNX Runtime {onnxruntime.__version__}", on_threads)


def _metadata(path: Path, session: Any) -> Metadata:
    """The metadata of a session; ValueError where it doesn't fit the graph."""
    try:
        known = Metadata.from_text(session.get_modelmeta().custom_metadata_map)
    except ValueError as error:
        raise ValueError(
            f"{path} is ONNX, but not of `nas export`: {error}; export a model with that"
        ) from None
    takes = [(put.name, put.type, put.shape[1:]) for put in session.get_inputs()]
    gives = [(put.name, put.type, put.shape[1:]) for put in session.get_outputs()]
    image = [known.channels, known.resolution, known.resolution]
    if takes != [(INPUT, "tensor(uint8)", image)] or gives != [
        (OUTPUT, "tensor(float)", [len(known.classes)])
    ]:
        raise ValueError(f"{path} has another network than its metadata says; export it anew")
    return known
