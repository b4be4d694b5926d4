"""A C file that `nas export` wrote as a classifier: compiled on this machine, and called."""

import contextlib
import ctypes
import json
import re
import subprocess
import tempfile
from collections.abc import Iterator, Mapping
from pathlib import Path

import numpy as np

from nas.model.classifier import Classifier, Pixels, Probabilities, Run
from nas.model.export.c.proof import compiler
from nas.model.metadata import Metadata
from nas.text import read_text

BEGIN, END = "/* What `nas predict` and `nas evaluate` read of this file:", " */"
WIDTH = 90
OPTIONS = ("-std=c99", "-O2", "-shared", "-fPIC")


def metadata_comment(metadata: Mapping[str, str]) -> str:
    """Metadata as a comment of a C file, of letters that can do nothing in one."""
    text = json.dumps(dict(metadata), separators=(",", ":"))
    for letter in " ?/*":
        text = text.replace(letter, f"\\u{ord(letter):04x}")
    lines = (text[start : start + WIDTH] for start in range(0, len(text), WIDTH))
    return "\n".join([BEGIN, *(f" *   {line}" for line in lines), END])


def _metadata(path: Path, text: str) -> Metadata:
    """What that comment says; ValueError where there is none."""
    _, begun, rest = text.partition(BEGIN)
    lines = [line.strip().removeprefix("*").strip() for line in rest.partition(END)[0].split("\n")]
    try:
        return Metadata.from_text(json.loads("".join(lines)) if begun else {})
    except ValueError as error:
        raise ValueError(
            f"{path} is C, but not of `nas export`: {error}; export a model with that"
        ) from None


def _check_header(path: Path, text: str, known: Metadata) -> None:
    """ValueError where the network has other images or classes than the metadata say."""
    included = re.search(r'^#include "([^"]+)"$', text, re.MULTILINE)
    header = path.with_name(included[1]) if included else path.with_suffix(".h")
    found = dict(
        re.findall(r"^#define (NAS_\w+) (\d+)$", read_text(header, "header"), re.MULTILINE)
    )
    channels, height, width = known.image
    expected = {
        "NAS_HEIGHT": height,
        "NAS_WIDTH": width,
        "NAS_CHANNELS": channels,
        "NAS_CLASSES": len(known.classes),
    }
    if any(found.get(name) != str(value) for name, value in expected.items()):
        raise ValueError(f"{path} has another network than its metadata says; export it anew")


def c_classifier(path: Path) -> Classifier:
    """What `nas export` wrote, compiled with -O2 and run: the same code that a device would run.

    Its probabilities are in steps of 1/255. ValueError for any other file, and where there is no
    compiler.
    """
    text = read_text(path, "model")
    known = _metadata(path, text)
    _check_header(path, text, known)
    tool = compiler()
    if tool is None:
        raise ValueError(f"{path} must be compiled to be run, and there is no gcc or clang here")
    with tempfile.TemporaryDirectory(prefix="inception-nas-", ignore_cleanup_errors=True) as made:
        library = Path(made) / "network.so"
        command = [tool, *OPTIONS, str(path.resolve()), "-o", str(library)]
        ended = subprocess.run(command, capture_output=True, text=True)
        if ended.returncode:
            first = next(iter(ended.stderr.strip().splitlines()), f"exit {ended.returncode}")
            raise ValueError(f"{path} can't be compiled: {first}")
        network = ctypes.CDLL(str(library)).nas_predict  # stays when the file is gone
    network.argtypes = (ctypes.c_void_p, ctypes.c_void_p)
    classes = len(known.classes)

    def run(pixels: Pixels) -> Probabilities:
        images = np.ascontiguousarray(pixels.transpose(0, 2, 3, 1))
        said, best = np.empty((len(images), classes), np.uint8), np.empty(len(images), np.intp)
        for place, image in enumerate(images):
            best[place] = network(image.ctypes.data, said[place].ctypes.data)
        found = said.astype(np.float32) / 255
        # Of classes that round to the same the network means one.
        found[np.arange(len(images)), best] += np.float32(1e-6)
        return np.minimum(found, np.float32(1))

    @contextlib.contextmanager
    def on_threads(count: int | None) -> Iterator[Run]:
        yield run  # on one, whatever is asked for

    return Classifier(known, f"C, {Path(tool).name} -O2", on_threads)
