"""The C file on an emulated Cortex-M: what it says, its bytes, and instructions of each operation.

Networks of the default space with random weights, quantized on noise, up to --params parameters,
are compiled for the core and run in QEMU, where an instruction takes a nanosecond. Every output is
compared with the arithmetic's; then each operation's instructions are fitted by what it does
(`search_space.device.work`), and those of whole networks foretold by that. Needs Debian's
gcc-arm-none-eabi, libnewlib-arm-none-eabi and qemu-system-arm.
"""

import argparse
import shutil
import subprocess
import sys
import tempfile
from collections.abc import Sequence
from pathlib import Path
from random import Random
from typing import Any, NamedTuple

import numpy as np
import torch
from machine import machine
from scipy.optimize import nnls
from torch import nn

from nas.model.export.c.proof import STRICT
from nas.model.export.c.source import Source, source
from nas.model.integer.arithmetic import probabilities
from nas.model.integer.floating import folded
from nas.model.integer.quantization import IntegerNetwork, choose_grids, integers
from search_space.architecture import Architecture
from search_space.device.arena import arena
from search_space.device.flash import flash
from search_space.device.operations import operations
from search_space.device.work import Work, work, work_of
from search_space.expand import expand
from search_space.network import module
from search_space.space import SearchSpace
from search_space.spread import Spread

BOARDS = {"cortex-m4": "mps2-an386", "cortex-m7": "mps2-an500"}
IMAGES = 2
CLASSES = tuple(map(str, range(10)))
TICK = 40
"""Instructions of a tick of the system's timer, at 25 MHz."""

START = """
#include <stdint.h>
extern uint32_t _stack, _source, _data, _data_end, _bss, _bss_end;
int main(void);
void reset(void)
{
    uint32_t *from = &_source, *to = &_data;
    while (to < &_data_end)
        *to++ = *from++;
    for (to = &_bss; to < &_bss_end;)
        *to++ = 0;
    main();
    for (;;)
        ;
}
__attribute__((section(".vectors"), used)) void *const vectors[2] = {&_stack, (void *)reset};
void call(int number, const void *argument)
{
    register int r0 __asm__("r0") = number;
    register const void *r1 __asm__("r1") = argument;
    __asm__ volatile("bkpt 0xab" : "+r"(r0) : "r"(r1) : "memory");
}
void say(uint32_t value)
{
    char text[12] = {0};
    int place = 10;
    text[place] = ' ';
    do
        text[--place] = (char)('0' + value % 10);
    while (value /= 10);
    call(4, text + place);
}
"""
"""Before main: memory as C expects it; `say` writes a number to the emulator's console."""

MEMORY = """
MEMORY { FLASH (rx) : ORIGIN = 0, LENGTH = 4M
         RAM (rwx) : ORIGIN = 0x20000000, LENGTH = 4M }
_stack = 0x20400000;
SECTIONS {
  .text : { KEEP(*(.vectors)) *(.text*) *(.rodata*) . = ALIGN(4); } > FLASH
  _source = LOADADDR(.data);
  .data : { _data = .; *(.data*) . = ALIGN(4); _data_end = .; } > RAM AT> FLASH
  .bss : { _bss = .; *(.bss*) *(COMMON) . = ALIGN(4); _bss_end = .; } > RAM
}
"""

MAIN = """
extern void call(int, const void *), say(uint32_t);
#define TIMER ((volatile uint32_t *)0xE000E010)
volatile uint32_t limit = OPERATIONS;
int main(void)
{
    static uint8_t said[NAS_CLASSES];
    TIMER[1] = 0xffffff;
    TIMER[2] = 0;
    TIMER[0] = 5;
    for (uint32_t image = 0; image < IMAGES; image++) {
        nas_predict(images[image], said);
        for (int k = 0; k < NAS_CLASSES; k++)
            say(said[k]);
    }
    for (limit = 0; limit <= OPERATIONS; limit++) {
        const uint32_t before = TIMER[2];
        nas_predict(images[0], said);
        say((before - TIMER[2]) & 0xffffff);
    }
    call(0x18, (const void *)0x20026);
    return 0;
}
"""


class Emulated(NamedTuple):
    """What a network said of the images [N, classes], and instructions of its operations."""

    said: Any
    instructions: Any
    code: int


def random_network(architecture: Architecture, seed: int) -> tuple[IntegerNetwork, Any]:
    """An architecture with random weights in integers, and images."""
    graph, image = expand(architecture, 1, 10), (1, 28, 28)
    plan = operations(graph, image)
    torch.manual_seed(seed)
    network = module(graph).eval()
    for norm in network.modules():
        if isinstance(norm, nn.BatchNorm2d):
            assert norm.running_mean is not None
            assert norm.running_var is not None
            nn.init.uniform_(norm.running_mean, -0.5, 0.5)
            nn.init.uniform_(norm.running_var, 0.2, 1.5)
    images = np.random.default_rng(seed).integers(0, 256, (8, *image), np.uint8)
    weights = folded(plan, network)
    normalized = (torch.from_numpy(images) / 255 - 0.3) / 0.35
    grids = choose_grids(plan, weights, [normalized])
    return integers(plan, weights, grids, (0.3,), (0.35,)), images


def emulate(written: Source, images: Any, core: str, count: int, option: str) -> Emulated:
    """Compile a network for a core, and run it there."""
    text = written.c.replace("number < OPERATIONS", "number < limit")
    assert text != written.c
    flat = images[:IMAGES].transpose(0, 2, 3, 1).reshape(IMAGES, -1).tolist()
    rows = ",".join("{" + ",".join(map(str, row)) + "}" for row in flat)
    main = f'#include "{written.name}.h"\n#define OPERATIONS {count}\n#define IMAGES {IMAGES}\n'
    main += f"static const uint8_t images[IMAGES][{len(flat[0])}] = {{{rows}}};\n{MAIN}"
    with tempfile.TemporaryDirectory() as scratch:
        directory = Path(scratch)
        header = written.h.replace(
            "int nas_predict", "extern volatile uint32_t limit;\nint nas_predict"
        )
        for name, content in {
            "network.c": text,
            f"{written.name}.h": header,
            "main.c": main,
            "start.c": START,
            "memory.ld": MEMORY,
        }.items():
            (directory / name).write_text(content)
        compiler = ["arm-none-eabi-gcc", f"-mcpu={core}", "-mthumb", "-ffreestanding"]

        def run(*command: str) -> str:
            ended = subprocess.run(command, cwd=directory, capture_output=True, text=True)
            if ended.returncode:
                raise RuntimeError(f"{' '.join(command)}: {ended.stderr}")
            return ended.stdout + ended.stderr

        run(*compiler, *STRICT, option, "-c", "network.c")
        link = ("-nostartfiles", "-T", "memory.ld", "--specs=nosys.specs", "-o", "program")
        run(*compiler, "-O2", "main.c", "start.c", "network.o", *link)
        console = ("-semihosting-config", "enable=on,target=native", "-icount", "shift=0")
        said = run(
            *("qemu-system-arm", "-M", BOARDS[core], "-nographic", *console, "-kernel", "program")
        )
        sizes = run("arm-none-eabi-size", "-A", "network.o")
    numbers = np.array(said.split(), dtype=np.int64)
    classes = len(CLASSES) * IMAGES
    return Emulated(
        numbers[:classes].reshape(IMAGES, -1),
        np.diff(numbers[classes:]) * TICK,
        sum(int(row.split()[1]) for row in sizes.splitlines() if row.startswith(".text")),
    )


def fitted(does: Sequence[Work], took: Sequence[float]) -> Any:
    """Instructions for one of each thing that is done, by the least relative error."""
    counts, instructions = np.array(does, float), np.array(took)
    found, _ = nnls(counts / instructions[:, None], np.ones(len(instructions)))
    return found


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--core", choices=BOARDS, default="cortex-m4")
    parser.add_argument("--networks", type=int, default=24)
    parser.add_argument("--params", type=int, default=100_000)
    parser.add_argument("--flops", type=int, default=6_000_000, help="of each: the timer's end")
    parser.add_argument("--option", default="-O2")
    asked = parser.parse_args()
    for tool in ("arm-none-eabi-gcc", "qemu-system-arm"):
        if shutil.which(tool) is None:
            sys.exit(f"{tool} isn't there")
    limits = {"params": asked.params, "flops": asked.flops}
    spread, rng = Spread(SearchSpace(), (1, 28, 28), 10, limits), Random(5)
    does: list[Work] = []
    took: list[float] = []
    networks, differ, codes = [], 0, []
    for seed in range(asked.networks):
        made, images = random_network(spread.draw(rng).candidate.architecture, seed)
        plan = made.operations
        placed = arena(plan)
        written = source(made, placed, CLASSES, "network", "emulated")
        found = emulate(written, images, asked.core, len(placed.order), asked.option)
        differ += int((found.said != probabilities(made, images[:IMAGES])).any(1).sum())
        rectified = plan.rectified()
        does += [work_of(plan, one, rectified) for one in placed.order]
        took += found.instructions.tolist()
        networks.append((work(plan), float(found.instructions.sum())))
        codes.append(found.code)
        assert flash(plan, 0).constants > 0
    each = fitted(does, took)
    print(f"{asked.core}, gcc {asked.option}, {asked.networks} networks, {len(does)} operations")
    print(f"outputs that differ from the arithmetic's: {differ} of {IMAGES * asked.networks}")
    print(f"bytes of code: {min(codes):,} to {max(codes):,}")
    for name, count in zip(Work._fields, each, strict=True):
        print(f"  instructions for one of {name}: {count:.1f}")
    errors = np.array([np.array(one) @ each / whole - 1 for one, whole in networks])
    print(
        f"whole networks, foretold against counted: {errors.mean():+.1%} on average, "
        f"{np.abs(errors).mean():.1%} away, at most {np.abs(errors).max():.1%}"
    )
    print(machine())


if __name__ == "__main__":
    main()
