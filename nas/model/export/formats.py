"""FORMATS: as what a network can be exported, how each is written, and how it runs."""

import contextlib
import io
import warnings
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from nas.files import suffix
from nas.model.metadata import INPUT
from search_space.checks import check_choice

if TYPE_CHECKING:
    from torch import Tensor, nn

    from nas.model.classifier import Pixels, Probabilities, Run
    from search_space.graph import Shape

Texts = dict[str, str]


@dataclass(frozen=True)
class Format:
    """A kind of file, and its suffixes.

    ``needs`` are modules that not every installation has; the ``extra`` of this package brings
    them.
    """

    words: str
    suffixes: tuple[str, ...]
    needs: tuple[str, ...] = ()
    extra: str = ""


@dataclass(frozen=True, kw_only=True)
class RuntimeFormat(Format):
    """One that a runtime reads, which says what the model says in float32.

    write: its content, from a network in evaluation mode, the shape of an image, and metadata.
    read: what it holds of the metadata under the names given, and what runs it.
    """

    write: "Callable[[nn.Module, Shape, Mapping[str, str]], bytes]"
    read: "Callable[[Path, Mapping[str, str]], tuple[Texts, Run]]"


def _write_onnx(network: "nn.Module", image: "Shape", metadata: Mapping[str, str]) -> bytes:
    from nas.model.export.onnx_file import onnx_bytes

    return onnx_bytes(network, image, metadata)


def _read_onnx(path: Path, names: Mapping[str, str]) -> "tuple[Texts, Run]":
    from nas.model.export.onnx_file import open_session, session_run

    session = open_session(path)
    found = session.get_modelmeta().custom_metadata_map
    return {name: found[name] for name in names if name in found}, session_run(session)


def _write_program(network: "nn.Module", image: "Shape", metadata: Mapping[str, str]) -> bytes:
    import torch

    shapes = {INPUT: {0: torch.export.Dim("N")}}
    program = torch.export.export(network, (_example(image),), dynamic_shapes=shapes)
    for node in program.graph.nodes:
        node.meta.pop("stack_trace", None)  # this machine's paths
    content = io.BytesIO()
    torch.export.save(program, content, extra_files=dict(metadata))
    return content.getvalue()


def _read_program(path: Path, names: Mapping[str, str]) -> "tuple[Texts, Run]":
    import torch

    found = dict.fromkeys(names, "")
    # as a file that is open: by its name it would have to end in .pt2
    with path.open("rb") as file:
        program = torch.export.load(file, extra_files=found)
    return found, _torch_run(program.module())


def _write_torchscript(network: "nn.Module", image: "Shape", metadata: Mapping[str, str]) -> bytes:
    import torch

    content = io.BytesIO()
    with _deprecated(), torch.no_grad():
        traced = torch.jit.trace(network, (_example(image),), check_trace=False)
        torch.jit.save(traced, content, _extra_files=dict(metadata))
    return content.getvalue()


def _read_torchscript(path: Path, names: Mapping[str, str]) -> "tuple[Texts, Run]":
    import torch

    found: dict[str, str | bytes] = dict.fromkeys(names, "")
    with _deprecated():
        run = _torch_run(torch.jit.load(path, _extra_files=found))
    return {n: v.decode() if isinstance(v, bytes) else v for n, v in found.items()}, run


def _write_tflite(network: "nn.Module", image: "Shape", metadata: Mapping[str, str]) -> bytes:
    from nas.model.export.tflite_file import tflite_bytes

    return tflite_bytes(network, image, metadata)


def _read_tflite(path: Path, names: Mapping[str, str]) -> "tuple[Texts, Run]":
    from nas.model.export.tflite_file import read_tflite

    return read_tflite(path, names)


def _write_executorch(network: "nn.Module", image: "Shape", metadata: Mapping[str, str]) -> bytes:
    from nas.model.export.executorch_file import executorch_bytes

    return executorch_bytes(network, image, metadata)


def _read_executorch(path: Path, names: Mapping[str, str]) -> "tuple[Texts, Run]":
    from nas.model.export.executorch_file import read_executorch

    return read_executorch(path, names)


def _example(image: "Shape") -> "Tensor":
    """Two images: of one, exporters would conclude that it is always one."""
    import torch

    return torch.zeros(2, *image, dtype=torch.uint8)


def _torch_run(network: "Callable[[Tensor], Tensor]") -> "Run":
    import torch

    def run(pixels: "Pixels") -> "Probabilities":
        with torch.inference_mode():
            found: Probabilities = network(torch.from_numpy(pixels)).numpy()
        return found

    return run


@contextlib.contextmanager
def _deprecated() -> Iterator[None]:
    """TorchScript is deprecated; for who asks for it by name, its runtimes are why."""
    with warnings.catch_warnings():
        warnings.filterwarnings("ignore", r"`torch\.jit\.\w+` is deprecated", Warning)
        yield


RUNTIMES: dict[str, RuntimeFormat] = {
    "onnx": RuntimeFormat(
        "for ONNX Runtime and others",
        (".onnx",),
        ("onnx", "onnxscript", "onnxruntime"),
        "onnx",
        write=_write_onnx,
        read=_read_onnx,
    ),
    "torch-export": RuntimeFormat(
        "a program for torch.export.load",
        (".pt2",),
        write=_write_program,
        read=_read_program,
    ),
    "torchscript": RuntimeFormat(
        "for torch.jit.load and libtorch; deprecated by PyTorch",
        (".pt", ".torchscript"),
        write=_write_torchscript,
        read=_read_torchscript,
    ),
    "tflite": RuntimeFormat(
        "for LiteRT, TensorFlow Lite's successor",
        (".tflite",),
        ("litert_torch", "ai_edge_litert"),
        "tflite",
        write=_write_tflite,
        read=_read_tflite,
    ),
    "executorch": RuntimeFormat(
        "for ExecuTorch, PyTorch's runtime on devices",
        (".pte",),
        ("executorch",),
        "executorch",
        write=_write_executorch,
        read=_read_executorch,
    ),
}
"""Each is tested as it stands here: a new one needs no new test."""

C = "c"

FORMATS: dict[str, Format] = {
    **RUNTIMES,
    C: Format("C99 for a device, in 8-bit integers, and its header beside it", (".c",)),
}


def format_by_suffix(path: Path) -> str | None:
    """The format whose suffix a file has, None where it is none's."""
    said = suffix(path)
    return next((name for name, known in FORMATS.items() if said in known.suffixes), None)


def format_of(name: str | None, out: Path) -> str:
    """The format that is asked for by its name, or by the suffix of the file, else onnx.

    ValueError where there is no such format, or the two contradict each other.
    """
    if name is not None:
        check_choice("format", name, FORMATS)
    said = suffix(out)
    meant = format_by_suffix(out)
    if said and meant is None:
        own = ", ".join(f"{known.suffixes[0]} ({format})" for format, known in FORMATS.items())
        raise ValueError(f"--out is {out}, but {said} is of no format here; give one of: {own}")
    if name is not None and meant not in (name, None):
        fitting = out.with_suffix(FORMATS[name].suffixes[0])
        raise ValueError(
            f"--out is {out}, of {meant}, but --format is {name}; give {fitting}, "
            f"or --format {meant}"
        )
    return name or meant or "onnx"
