"""What the kernels do is counted as a loop over every value counts it; cores and their sources."""

import re
from dataclasses import fields, replace
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from search_space.architecture import Architecture, Block, Stage, Stem
from search_space.catalog import CATALOG, candidate
from search_space.cost import cost
from search_space.device.cores import CORES, ENTRIES, Core
from search_space.device.needs import needs
from search_space.device.operations import ADD, AFFINE, CONV, COPY, GLOBAL_POOL, operations
from search_space.device.work import Work, cycles, work
from search_space.expand import expand
from search_space.graph import Conv, GlobalPool, Linear, Sequence

M7 = CORES["cortex-m7"]


def counted(architecture: Architecture, size: int, channels: int) -> Work:
    """The same by the loops of the C file."""
    plan = operations(expand(architecture, channels, 10), (channels, size, size))
    rectified = plan.rectified()
    sums = dict.fromkeys(Work._fields, 0)
    for one in plan.operations:
        outputs, height, width = plan.shapes[one.output]
        inputs, in_height, in_width = plan.shapes[one.inputs[0]]
        if one.kind in (ADD, AFFINE, COPY):
            sums["pointwise"] += outputs * height * width
            continue
        if one.kind == GLOBAL_POOL:
            sums["values"] += outputs
            sums["pooled"] += outputs * in_height * in_width
            continue
        if one.kind != CONV:
            sums["values"] += outputs * height * width
            sums["pooled"] += outputs * height * width * one.window.kernel**2  # type: ignore[union-attr,operator]
            continue
        window = one.window
        kernel, pad, stride = (in_height, in_width), (0, 0), 1
        if isinstance(window, Conv):
            kernel, pad, stride = window.kernel, window.padding, window.stride
        zero = rectified[plan.root(one.inputs[0])]
        for y in range(height):
            for x in range(width):
                sums["values"] += outputs
                for line in range(y * stride - pad[0], y * stride - pad[0] + kernel[0]):
                    there = 0 <= line < in_height
                    sums["rows"] += outputs if there else 0
                    for column in range(x * stride - pad[1], x * stride - pad[1] + kernel[1]):
                        if (there and 0 <= column < in_width) or not zero:
                            sums["multiply_adds"] += outputs * inputs
    return Work(**sums)


@given(
    block=st.builds(
        Block,
        width_1x1=st.sampled_from([0, 8]),
        reduce_3x3=st.just(4),
        width_3x3=st.just(8),
        reduce_5x5=st.just(4),
        width_5x5=st.just(16),
        width_pool=st.sampled_from([0, 8]),
        factorization=st.sampled_from(["none", "stacked", "expanded"]),
        residual=st.sampled_from(["none", "block", "branch"]),
    ),
    stride=st.sampled_from([1, 2]),
    size=st.integers(3, 9),
    channels=st.sampled_from([1, 3]),
    norm=st.sampled_from(["none", "conv-bn-relu", "bn-relu-conv"]),
)
@settings(max_examples=40)
def test_it_is_what_the_loops_do(
    block: Block, stride: int, size: int, channels: int, norm: str
) -> None:
    architecture = Architecture(Stem(width=8, stride=stride), (Stage((block,)),), norm=norm)
    plan = operations(expand(architecture, channels, 10), (channels, size, size))
    assert work(plan) == counted(architecture, size, channels)


def test_inside_of_a_map_every_multiply_add_is_one() -> None:
    """Where nothing lies beyond the border, they are those of the exact cost."""
    graph = Sequence(
        (
            ("c", Conv(16, 8, (1, 1), 1, True, (0, 0))),
            ("pool", GlobalPool(1)),
            ("linear", Linear(8, 10)),
        )
    )
    plan = operations(graph, (16, 6, 6))
    assert work(plan).multiply_adds == 36 * 16 * 8 + 80
    assert work(plan).rows == 36 * 8 + 10


def test_cycles_are_none_without_a_core() -> None:
    architecture = candidate("inception-28").architecture
    graph = expand(architecture, 1, 10)
    without, with_core = needs(graph, (1, 28, 28)), needs(graph, (1, 28, 28), M7)
    assert without.cycles is None
    assert with_core == without._replace(cycles=cycles(operations(graph, (1, 28, 28)), M7))
    assert cost(architecture, device=M7).cycles == with_core.cycles
    assert cost(architecture, device=True).cycles is None


@pytest.mark.parametrize("name", ["googlenet-28", "inception-28"])
def test_a_catalog_network_takes_about_as_long_as_its_multiply_adds_say(name: str) -> None:
    assert name in CATALOG
    total = cost(candidate(name).architecture, device=M7)
    assert total.cycles is not None
    assert 0.8 < total.cycles / (M7.multiply_add * total.macs) < 2


# Of ESP-NN's table: input, weights, cycles of the kernel in plain C.
PUBLISHED = [
    ((64, 10, 10), Conv(64, 64, (1, 1), 1, True, (0, 0)), 4_642_259),
    ((16, 8, 8), Conv(16, 16, (1, 1), 1, True, (0, 0)), 300_032),
    ((3, 10, 10), Conv(3, 64, (3, 3), 1, True, (0, 0)), 2_106_801),
]


@pytest.mark.parametrize(("image", "layer", "published"), PUBLISHED)
def test_what_is_published_of_the_esp32s3_is_met(
    image: tuple[int, int, int], layer: Conv, published: int
) -> None:
    plan = operations(Sequence((("c", layer),)), image)
    assert cycles(plan, CORES["esp32s3"]) == pytest.approx(published, rel=0.03)


def test_the_m7_is_as_much_faster_as_published() -> None:
    """Images/s of MLPerf Tiny's ResNet on ST's two boards, by their clocks."""
    m4, faster = CORES["cortex-m4"], (120e6 / 4.407) / (280e6 / 18.401)
    for entry in ("multiply_add", "row", "value", "pooled", "pointwise"):
        assert getattr(m4, entry) / getattr(M7, entry) == pytest.approx(faster, rel=0.03)


def test_the_entries_are_the_fields() -> None:
    assert list(ENTRIES.words) == [field.name for field in fields(Core)]


@pytest.mark.parametrize("name", CORES)
def test_a_core_says_where_it_is_from_and_survives_toml(name: str) -> None:
    core = ENTRIES.preset(name, CORES)
    assert "http" not in core.source
    assert ENTRIES.from_toml(Core, ENTRIES.to_toml(core)) == core


def test_what_cannot_be_is_named() -> None:
    with pytest.raises(ValueError, match="row is 0; it must be a positive number"):
        replace(M7, row=0)
    with pytest.raises(ValueError, match="'m3' is no known device; choose one of: cortex-m4, "):
        ENTRIES.preset("m3", CORES)


def test_the_guides_own_core_can_be_read() -> None:
    guide = (Path(__file__).parents[3] / "docs" / "devices.md").read_text("utf-8")
    (block,) = re.findall(r"^```toml\n(.*?)^```", guide, re.MULTILINE | re.DOTALL)
    assert ENTRIES.from_toml(Core, block).hertz == 133e6
