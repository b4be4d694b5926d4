"""Tests of hardware: presets and their sources, the round trip through TOML, errors of a file."""

import tomllib
from dataclasses import asdict, fields, replace

import pytest
from hypothesis import given
from hypothesis import strategies as st

from search_space.analysis.hardware import ENTRIES as HARDWARE_ENTRIES
from search_space.analysis.hardware import PRESETS, Hardware

ENTRIES = HARDWARE_ENTRIES.words
to_toml = HARDWARE_ENTRIES.to_toml
CORE = PRESETS["laptop-core"]
POSITIVE = st.floats(1e-30, 1e30) | st.integers(1, 10**30)
TEXT = st.text().filter(str.strip)


def from_toml(text: str) -> Hardware:
    return HARDWARE_ENTRIES.from_toml(Hardware, text)


def preset(name: str) -> Hardware:
    return HARDWARE_ENTRIES.preset(name, PRESETS)


def test_the_entries_are_the_fields() -> None:
    assert list(ENTRIES) == [field.name for field in fields(Hardware)]


@pytest.mark.parametrize("name", PRESETS)
def test_presets_say_where_their_figures_are_from(name: str) -> None:
    found = preset(name)
    assert found is PRESETS[name]
    for word in ("Published", "Derived", "Energy", "None measured", "Horowitz", "ISSCC 2014"):
        assert word in found.source
    assert "http" not in found.source
    assert found.bytes_per_value in (1, 2, 4)
    # A byte from memory costs more than an operation on it, and less than a nanojoule.
    assert found.flop_energy < found.byte_energy < 1e-9


def test_there_are_a_core_an_edge_accelerator_and_a_gpu() -> None:
    core, edge, gpu = (PRESETS[name] for name in ("laptop-core", "edge-tpu", "a100"))
    assert (core.bytes_per_value, edge.bytes_per_value, gpu.bytes_per_value) == (4, 1, 2)
    assert core.peak_flops < edge.peak_flops < gpu.peak_flops
    assert edge.bandwidth < core.bandwidth < gpu.bandwidth
    assert core.ridge == pytest.approx(3.5)
    assert edge.ridge == pytest.approx(8000)
    assert gpu.ridge == pytest.approx(153, abs=0.1)


@pytest.mark.parametrize("name", PRESETS)
def test_a_preset_printed_and_read_is_itself(name: str) -> None:
    assert from_toml(to_toml(PRESETS[name])) == PRESETS[name]


@given(TEXT, TEXT, POSITIVE, POSITIVE, st.integers(1, 10**30), POSITIVE)
def test_round_trip(
    name: str, source: str, peak: float, bandwidth: float, chip: int, energy: float
) -> None:
    hardware = Hardware(name, source, peak, bandwidth, chip, 4, energy, energy)
    assert Hardware(**tomllib.loads(to_toml(hardware))) == hardware


def test_printed_numbers_are_short_and_say_their_units() -> None:
    lines = to_toml(PRESETS["a100"]).splitlines()
    assert lines[2].startswith("peak_flops = 3.12e+14  # FLOPs per second")
    assert "on_chip_bytes = 41943040  # bytes of memory on the chip" in lines
    assert len(lines) == len(ENTRIES)


def test_texts_of_any_kind_survive() -> None:
    odd = replace(CORE, name='a "quoted" \\ name\x7f', source="two\nlines\tand \u2028 \x00 é")
    assert tomllib.loads(to_toml(odd)) == asdict(odd)
    assert len(to_toml(odd).rstrip("\n").split("\n")) == len(ENTRIES)


def test_numbers_are_read_as_their_types() -> None:
    read_as = replace(CORE, peak_flops=10**12, on_chip_bytes=8e6)  # type: ignore[arg-type]
    assert type(read_as.peak_flops) is float
    assert type(read_as.on_chip_bytes) is int


def test_an_unknown_preset_lists_the_presets_and_says_what_a_file_is() -> None:
    with pytest.raises(ValueError, match="'a1000' is no known hardware") as error:
        preset("a1000")
    assert all(name in str(error.value) for name in PRESETS)
    assert str(error.value).endswith("or give a file that ends with .toml")


VALUES = [
    ("peak_flops", "0", "peak_flops is 0; it must be a positive number"),
    ("peak_flops", "-4e12", r"peak_flops is -4e\+12|peak_flops is -4000000000000.0"),
    ("bandwidth", "nan", "bandwidth is nan; it must be a positive number"),
    ("bandwidth", "inf", "bandwidth is inf; it must be a positive number"),
    ("bandwidth", "1" + "0" * 400, "bandwidth is 10+; it must be a positive number"),
    ("flop_energy", '"2 pJ"', "flop_energy is '2 pJ'; it must be a positive number"),
    ("byte_energy", "true", "byte_energy is True; it must be a positive number"),
    ("byte_energy", "[1]", r"byte_energy is \[1\]; it must be a positive number"),
    ("byte_energy", "1979-05-27", "byte_energy is datetime.*; it must be a positive number"),
    ("on_chip_bytes", "0.5", "on_chip_bytes is 0.5; it must be a positive whole number"),
    ("bytes_per_value", "-1", "bytes_per_value is -1; it must be a positive whole number"),
    ("name", '" "', "name is ' '; it must be a text"),
    ("source", "7", "source is 7; it must be a text"),
]


@pytest.mark.parametrize(("entry", "value", "message"), VALUES)
def test_an_impossible_value_is_named_with_its_rule(entry: str, value: str, message: str) -> None:
    lines = to_toml(CORE).splitlines()
    lines[list(ENTRIES).index(entry)] = f"{entry} = {value}"
    with pytest.raises(ValueError, match=message) as error:
        from_toml("\n".join(lines))
    assert "\n" not in str(error.value)
    assert ENTRIES[entry] in str(error.value)


@pytest.mark.parametrize("entry", ENTRIES)
def test_a_missing_entry_is_named(entry: str) -> None:
    lines = [line for line in to_toml(CORE).splitlines() if not line.startswith(f"{entry} =")]
    with pytest.raises(ValueError, match=f"no {entry}; every one of these must be"):
        from_toml("\n".join(lines))


@pytest.mark.parametrize("line", ["peek_flops = 1", "[tables]\nx = 1", '"" = 2'])
def test_an_unknown_entry_is_named_with_the_valid_ones(line: str) -> None:
    with pytest.raises(ValueError, match=r"entry '(peek_flops|tables|)' is unknown") as error:
        from_toml(f"{to_toml(CORE)}{line}\n")
    assert str(error.value).endswith(", ".join(ENTRIES))


@pytest.mark.parametrize(
    "text", ["peak_flops 4", "a = 1\na = 2", "x = " + "[" * 5000, "x = " + "9" * 5000]
)
def test_a_text_that_is_not_toml_is_one_line(text: str) -> None:
    with pytest.raises(ValueError, match="it is not TOML: ") as error:
        from_toml(text)
    assert type(error.value) is ValueError
    assert "\n" not in str(error.value)
