"""Cores of microcontrollers: how many cycles each takes for what the C file does, an estimate.

What the kernels do is counted exactly (`search_space.device.work`); these figures say what one of
each takes. Instructions are those of the file's own kernels, compiled by gcc 12.2 for the core with
-O2 and counted by an emulator, one operation of 24 networks at a time (benchmarks/device.py):
a multiply-add 2.9, a row of a kernel 22, a value written 57, a value that a pool looks at 24, a
value of a sum or a normalization 45. Cycles per instruction, waits for flash and caches are not
known of every chip: hence an estimate.
"""

from dataclasses import dataclass

from search_space.figures import Entries

ENTRIES = Entries(
    "device",
    {
        "name": "what it is",
        "source": "where the figures are from",
        "hertz": "cycles per second",
        "multiply_add": "cycles for a multiply-add of a convolution",
        "row": "cycles to begin a row of a kernel, for each value that a convolution writes",
        "value": "cycles to scale and write a value of a convolution or a pool",
        "pooled": "cycles for a value that a pool looks at",
        "pointwise": "cycles for a value of a sum or a normalization",
    },
)
"""Every entry of a device's file, with its unit: the fields of ``Core``."""


@dataclass(frozen=True)
class Core:
    """What a core takes for each thing that the C file does; ``ENTRIES`` has the units.

    ValueError names an entry that can't be.
    """

    name: str
    source: str
    hertz: float
    multiply_add: float
    row: float
    value: float
    pooled: float
    pointwise: float

    def __post_init__(self) -> None:
        ENTRIES.check(self)


_COUNTED = (
    "Instructions of the C file's kernels, gcc 12.2 -O2, counted in QEMU "
    "(benchmarks/device.py), none measured on this chip. "
)

CORES: dict[str, Core] = {
    "cortex-m4": Core(
        name="Arm Cortex-M4 at 120 MHz, such as STM32L4R5",
        source=_COUNTED + "Times 1.27 cycles: the innermost loop's first load 2, four loads after "
        "it 1 each, four multiply-adds 1 each, compare 1, taken branch 3, so 14 for 11 "
        "instructions (Arm, Cortex-M4 Technical Reference Manual, table 3-1), taken for all others "
        "too. Clock: ST's NUCLEO-L4R5ZI in MLPerf Tiny 1.0.",
        hertz=120e6,
        multiply_add=3.7,
        row=28,
        value=72,
        pooled=30,
        pointwise=57,
    ),
    "cortex-m7": Core(
        name="Arm Cortex-M7 at 280 MHz, such as STM32H7A3",
        source=_COUNTED + "The cycles of cortex-m4 by 1.79: so many fewer ST's NUCLEO-H7A3ZI-Q "
        "(Cortex-M7, 280 MHz, 18.401 images/s) took than its NUCLEO-L4R5ZI (Cortex-M4, 120 MHz, "
        "4.407 images/s) for the same ResNet with the same library, X-CUBE-AI 7.3.0 (MLPerf Tiny "
        "1.0, closed division).",
        hertz=280e6,
        multiply_add=2.07,
        row=15.6,
        value=40,
        pooled=17,
        pointwise=32,
    ),
    "esp32s3": Core(
        name="Espressif ESP32-S3 at 240 MHz",
        source="Published: cycles of ESP-NN's kernels in plain C, data in external memory (the "
        "table of its README), which compute one output at a time where the C file computes four: "
        "it should take less, but nobody has counted. "
        "Derived: of convolutions 1x1 on 64 and on 16 channels and 3x3 on 3 channels a "
        "multiply-add, a row and a value; of a 3x3 max-pool, less its values, what it looks at; "
        "of a sum a value.",
        hertz=240e6,
        multiply_add=9,
        row=61,
        value=88,
        pooled=7.4,
        pointwise=193,
    ),
}
"""Name to core."""
