"""A C source compiled and run: what it says of images, and how large it is."""

import contextlib
import re
import shutil
import subprocess
import tempfile
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import NamedTuple

import numpy as np

from nas.model.classifier import Pixels
from nas.model.export.c.source import Source
from nas.model.integer.arithmetic import Bytes

COMPILERS = ("gcc", "clang", "cc")
"""Which of them is there is taken, the first one first."""

STRICT = ("-std=c99", "-pedantic", "-Wall", "-Wextra", "-Werror", "-Wconversion")
"""What the source is compiled with; a warning is an error."""

NAME = "network"
"""What the object file is called, whatever the header is."""

DRIVER = """
#include <stdio.h>

int main(void)
{
    static uint8_t image[NAS_HEIGHT * NAS_WIDTH * NAS_CHANNELS], said[NAS_CLASSES];
    while (fread(image, 1, sizeof image, stdin) == sizeof image) {
        const uint32_t best = (uint32_t)nas_predict(image, said);
        for (int k = 0; k < 4; k++)
            putchar((int)(best >> (8 * k) & 255));
        fwrite(said, 1, sizeof said, stdout);
    }
    return 0;
}
"""
"""A program, once it includes the header: of each image its class, 4 bytes, and probabilities."""


class Sizes(NamedTuple):
    """Bytes of the compiled network: its code, its constants, and its memory."""

    code: int
    constants: int
    memory: int


class Said(NamedTuple):
    """Of each image the class [N] and the probabilities [N, classes], 0..255."""

    classes: "np.ndarray[tuple[int], np.dtype[np.int64]]"
    probabilities: Bytes


def compiler() -> str | None:
    """The path of a C compiler, None where there is none."""
    return next((found for name in COMPILERS if (found := shutil.which(name))), None)


@contextlib.contextmanager
def compiled(source: Source, path: str, options: Sequence[str] = ("-O2",)) -> Iterator["Program"]:
    """A network's source, compiled by that compiler while the context lasts.

    ``options`` are added to STRICT. RuntimeError with what the compiler says where it refuses.
    """
    with tempfile.TemporaryDirectory(prefix="inception-nas-") as scratch:
        directory = Path(scratch)
        (directory / f"{NAME}.c").write_text(source.c, "utf-8")
        (directory / f"{source.name}.h").write_text(source.h, "utf-8")
        (directory / "main.c").write_text(f'#include "{source.name}.h"\n{DRIVER}', "utf-8")
        flags = [path, *STRICT, *options]
        _run([*flags, "-c", f"{NAME}.c"], directory)
        _run([*flags, "main.c", f"{NAME}.o", "-o", "main"], directory)
        yield Program(directory)


def _run(command: Sequence[str], directory: Path) -> str:
    ended = subprocess.run(command, cwd=directory, capture_output=True, text=True)
    if ended.returncode:
        raise RuntimeError(f"{' '.join(command)} ended with {ended.returncode}: {ended.stderr}")
    return ended.stdout


class Program(NamedTuple):
    """A compiled network in a directory."""

    directory: Path

    def predict(self, images: Pixels) -> Said:
        """What it says of images uint8 [N, C, R, R]."""
        given = np.ascontiguousarray(images.transpose(0, 2, 3, 1)).tobytes()
        ended = subprocess.run([self.directory / "main"], input=given, capture_output=True)
        if ended.returncode or ended.stderr:
            said = ended.stderr.decode(errors="replace")
            raise RuntimeError(f"the program ended with {ended.returncode}: {said}")
        rows = np.frombuffer(ended.stdout, np.uint8).reshape(len(images), -1)
        best = rows[:, :4].astype(np.int64) @ (256 ** np.arange(4))
        return Said(best, rows[:, 4:])

    def sizes(self) -> Sizes:
        """How large the compiled network is, without what aligns its parts."""
        tool = shutil.which("nm")
        if tool is None:
            raise RuntimeError("nm, of binutils, isn't there")
        shown = _run([tool, "--print-size", "--radix=d", f"{NAME}.o"], self.directory)
        found = {"t": 0, "r": 0, "b": 0}
        for count, kind in re.findall(r"^\d+ (\d+) ([a-zA-Z]) ", shown, re.MULTILINE):
            if kind.lower() in found:
                found[kind.lower()] += int(count)
        return Sizes(found["t"], found["r"], found["b"])
