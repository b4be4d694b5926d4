"""Hardware as a roofline sees it: presets with the sources of their figures.

.. [Horowitz2014] M. Horowitz, Computing's Energy Problem (and What We Can Do about It), ISSCC 2014.
.. [Han2015] S. Han et al., Learning both Weights and Connections, NeurIPS 2015, table 1.
.. [OConnor2017] M. O'Connor et al., Fine-Grained DRAM, MICRO 2017.
"""

from dataclasses import dataclass

from search_space.figures import Entries

MIB = 2**20

ENTRIES = Entries(
    "hardware",
    {
        "name": "what it is",
        "source": "where the figures are from",
        "peak_flops": "FLOPs per second at its precision; a multiply-add is 2",
        "bandwidth": "bytes per second from and to off-chip memory",
        "on_chip_bytes": "bytes of memory on the chip",
        "bytes_per_value": "4 for float32, 2 for bf16 and fp16, 1 for int8",
        "flop_energy": "joules per FLOP, arithmetic alone",
        "byte_energy": "joules per byte from or to off-chip memory",
    },
    whole=("on_chip_bytes", "bytes_per_value"),
)
"""Every entry of a hardware file, with its unit: the fields of ``Hardware``."""


@dataclass(frozen=True)
class Hardware:
    """Figures of a machine; ``ENTRIES`` has their units. ValueError names one that can't be.

    The energy model is a fixed amount per FLOP and per off-chip byte: no leakage, no control, no
    on-chip memory.
    """

    name: str
    source: str
    peak_flops: float
    bandwidth: float
    on_chip_bytes: int
    bytes_per_value: int
    flop_energy: float
    byte_energy: float

    def __post_init__(self) -> None:
        ENTRIES.check(self)

    @property
    def ridge(self) -> float:
        """FLOPs per byte above which compute is the limit and below which memory is."""
        return self.peak_flops / self.bandwidth


PRESETS: dict[str, Hardware] = {
    "laptop-core": Hardware(
        name="one core of a laptop CPU, Intel Core i7-8650U, float32",
        source=(
            "Published: 4.2 GHz single-core turbo, 8 MB last-level cache, 2 channels of DDR4-2400 "
            "(Intel, Core i7-8650U product specification, 2017); two 256-bit FMA units a core "
            "(Intel 64 and IA-32 Architectures Optimization Reference Manual, Skylake client). "
            "Derived: 2 units x 8 float32 x 2 FLOPs x 4.2 GHz; 2 channels x 8 bytes x 2.4 GT/s; "
            "the cache taken whole, as if the other cores were idle. "
            "Energy, published for 45 nm: float32 multiply 3.7 pJ, add 0.9 pJ (Horowitz, "
            "Computing's Energy Problem, ISSCC 2014), 640 pJ per 32 bits of DRAM (Han et al., "
            "Learning both Weights and Connections, NeurIPS 2015, table 1). Derived: half of their "
            "sum per FLOP, a quarter per byte. None measured on this chip."
        ),
        peak_flops=2 * 8 * 2 * 4.2e9,
        bandwidth=2 * 8 * 2.4e9,
        on_chip_bytes=8 * MIB,
        bytes_per_value=4,
        flop_energy=2.3e-12,
        byte_energy=160e-12,
    ),
    "edge-tpu": Hardware(
        name="an edge accelerator, Google Coral USB Accelerator (Edge TPU), int8",
        source=(
            "Published: 4 TOPS of int8, 2 TOPS per watt, USB 3.1 Gen 1 (Google, Coral USB "
            "Accelerator datasheet, version 1.4, 2020); roughly 8 MB of SRAM (Google, Edge TPU "
            "Compiler documentation, 2020). "
            "Derived: 5 Gbit/s x 8/10 line code is 500 MB/s; there is no DRAM beside the chip, so "
            "its memory is the host's, over USB. "
            "Energy, published for 45 nm: int8 multiply 0.2 pJ, add 0.03 pJ (Horowitz, Computing's "
            "Energy Problem, ISSCC 2014), 640 pJ per 32 bits of DRAM (Han et al., Learning both "
            "Weights and Connections, NeurIPS 2015, table 1). Derived: half of their sum per FLOP, "
            "a quarter per byte, without USB's own. By its 2 TOPS per watt the whole chip takes "
            "0.5 pJ per operation. None measured on this chip."
        ),
        peak_flops=4e12,
        bandwidth=500e6,
        on_chip_bytes=8 * MIB,
        bytes_per_value=1,
        flop_energy=0.115e-12,
        byte_energy=160e-12,
    ),
    "a100": Hardware(
        name="a data-centre GPU, NVIDIA A100 80GB SXM, bf16",
        source=(
            "Published: 312 TFLOP/s of dense bf16 and 2,039 GB/s (NVIDIA, A100 Tensor Core GPU "
            "datasheet, 2021, SXM column); 40 MB of L2 cache (NVIDIA, A100 Tensor Core GPU "
            "Architecture whitepaper, version 1.0, 2020); registers and L1 are left out. "
            "Energy, published: fp16 multiply 1.1 pJ, add 0.4 pJ at 45 nm (Horowitz, Computing's "
            "Energy Problem, ISSCC 2014), taken for bf16 too; 3.92 pJ per bit of HBM2 (O'Connor et "
            "al., Fine-Grained DRAM, MICRO 2017), taken for HBM2e too. "
            "Derived: half of their sum per FLOP, eight bits per byte. None measured on this chip."
        ),
        peak_flops=312e12,
        bandwidth=2039e9,
        on_chip_bytes=40 * MIB,
        bytes_per_value=2,
        flop_energy=0.75e-12,
        byte_energy=31.4e-12,
    ),
}
"""Name to hardware; energy after [Horowitz2014]_, [Han2015]_ and [OConnor2017]_."""
