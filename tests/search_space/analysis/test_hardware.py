"""Tests of hardware: presets and their sources, the round trip through TOML, errors of a file."""

import tomllib
from dataclasses import asdict, fields, replace
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from search_space.analysis.hardware import ENTRIES, PRESETS, Hardware, read, to_toml

CORE = PRESETS["laptop-core"]
POSITIVE = st.floats(1e-30, 1e30) | st.integers(1, 10**30)
TEXT = st.text().filter(str.strip)


def test_the_entries_are_the_fields() -> None:
    assert list(ENTRIES) == [field.name for field in fields(Hardware)]


@pytest.mark.parametrize("name", PRESETS)
def test_presets_say_where_their_figures_are_from(name: str) -> None:
    preset = read(name)
    assert preset is PRESETS[name]
    for word in ("Published", "Derived", "Energy", "None measured", "Horowitz", "ISSCC 2014"):
        assert word in preset.source
    assert "http" not in preset.source
    assert preset.bytes_per_value in (1, 2, 4)
    # A byte from memory costs more than an operation on it, and less than a nanojoule.
    assert preset.flop_energy < preset.byte_energy < 1e-9


def test_there_are_a_core_an_edge_accelerator_and_a_gpu() -> None:
    core, edge, gpu = (PRESETS[name] for name in ("laptop-core", "edge-tpu", "a100"))
    assert (core.bytes_per_value, edge.bytes_per_value, gpu.bytes_per_value) == (4, 1, 2)
    assert core.peak_flops < edge.peak_flops < gpu.peak_flops
    assert edge.bandwidth < core.bandwidth < gpu.bandwidth
    assert core.ridge == pytest.approx(3.5)
    assert edge.ridge == pytest.approx(8000)
    assert gpu.ridge == pytest.approx(153, abs=0.1)


@pytest.mark.parametrize("name", PRESETS)
def test_a_preset_printed_and_read_is_itself(name: str, tmp_path: Path) -> None:
    path = tmp_path / "mine.toml"
    path.write_text(to_toml(PRESETS[name]), encoding="utf-8")
    assert read(str(path)) == PRESETS[name]


@settings(deadline=None)
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
        read("a1000")
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
def test_an_impossible_value_is_named_with_its_rule(
    entry: str, value: str, message: str, tmp_path: Path
) -> None:
    lines = to_toml(CORE).splitlines()
    lines[list(ENTRIES).index(entry)] = f"{entry} = {value}"
    path = tmp_path / "odd.toml"
    path.write_text("\n".join(lines), encoding="utf-8")
    with pytest.raises(ValueError, match=message) as error:
        read(str(path))
    assert str(error.value).startswith(f"hardware {path}: ")
    assert "\n" not in str(error.value)
    assert ENTRIES[entry] in str(error.value)


@pytest.mark.parametrize("entry", ENTRIES)
def test_a_missing_entry_is_named(entry: str, tmp_path: Path) -> None:
    lines = [line for line in to_toml(CORE).splitlines() if not line.startswith(f"{entry} =")]
    path = tmp_path / "short.toml"
    path.write_text("\n".join(lines), encoding="utf-8")
    with pytest.raises(ValueError, match=f"short.toml: no {entry}; every one of these must be"):
        read(str(path))


@pytest.mark.parametrize("line", ["peek_flops = 1", "[tables]\nx = 1", '"" = 2'])
def test_an_unknown_entry_is_named_with_the_valid_ones(line: str, tmp_path: Path) -> None:
    path = tmp_path / "long.toml"
    path.write_text(f"{to_toml(CORE)}{line}\n", encoding="utf-8")
    with pytest.raises(ValueError, match=r"entry '(peek_flops|tables|)' is unknown") as error:
        read(str(path))
    assert str(error.value).endswith(", ".join(ENTRIES))


@pytest.mark.parametrize(
    "content",
    [b"peak_flops 4", b"\xff\xfe", b"a = 1\na = 2", b"x = " + b"[" * 5000, b"x = " + b"9" * 5000],
)
def test_a_file_that_is_not_toml_is_one_line_that_names_it(content: bytes, tmp_path: Path) -> None:
    path = tmp_path / "broken.toml"
    path.write_bytes(content)
    with pytest.raises(ValueError, match=r"broken\.toml is not TOML: ") as error:
        read(str(path))
    assert type(error.value) is ValueError
    assert "\n" not in str(error.value)


def test_a_file_that_cannot_be_read_is_named(tmp_path: Path) -> None:
    (tmp_path / "folder.toml").mkdir()
    for name, reason in (("none.toml", "No such file"), ("folder.toml", "Is a directory")):
        with pytest.raises(ValueError, match=rf"{name} can't be read: {reason}"):
            read(str(tmp_path / name))
