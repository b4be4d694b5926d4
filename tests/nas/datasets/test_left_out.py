"""Every file of a folder is used or named with a reason; images are known by their content."""

import io
import shutil
from pathlib import Path

import numpy as np
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from PIL import Image

from nas.datasets import DataError, find, folder, load, load_test, sources
from nas.datasets.folder import PARTS, split
from nas.datasets.found import Reading
from nas.datasets.summary import left_out_words


@pytest.fixture(autouse=True)
def _fresh(own_cache: Path) -> None:
    sources.load.cache_clear()


def encoded(level: int, format: str = "PNG", mode: str = "L") -> bytes:
    content = io.BytesIO()
    Image.new("L", (9, 9), level).convert(mode).save(content, format)
    return content.getvalue()


def put(path: Path, content: bytes) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_bytes(content)


@pytest.fixture
def root(tmp_path: Path) -> Path:
    """Two classes of six images."""
    for number in range(6):
        put(tmp_path / "x" / "a" / f"{number}.png", encoded(number))
        put(tmp_path / "x" / "b" / f"{number}.png", encoded(100 + number))
    return tmp_path / "x"


HEIC = b"\0\0\0\x18ftypmif1\0\0\0\0mif1heic" + bytes(40)


def words(root: Path) -> str:
    return "\n".join(find(f"folder:{root}").words)


@pytest.mark.parametrize(
    ("name", "format"),
    [
        ("x.avif", "AVIF"),
        ("avif.jpg", "AVIF"),
        ("x.jp2", "JPEG2000"),
        ("x.j2k", "JPEG2000"),
        ("x.jfif", "JPEG"),
        ("x.jpe", "JPEG"),
        ("x.pbm", "PPM"),
        ("no ending", "PNG"),
        ("x.dat", "TIFF"),
        ("x.PNG.bak", "WEBP"),
        ("1.5", "QOI"),
    ],
)
def test_images_are_known_by_their_content(root: Path, name: str, format: str) -> None:
    before = find(f"folder:{root}")
    put(root / "a" / name, encoded(200, format, "1" if name == "x.pbm" else "RGB"))
    found = find(f"folder:{root}")
    assert "13 images of 2 classes" in found.words[0]
    assert "left out" not in "\n".join(found.words)
    assert found.digest != before.digest
    assert len(load(Reading(found.name, str(root), 8, 1)).train) == 9


@pytest.mark.parametrize(
    ("name", "content", "reason"),
    [
        ("x.heic", HEIC, "HEIC, which isn't read; convert it to PNG or JPEG"),
        ("phone.jpg", HEIC, "HEIC, which isn't read; convert it to PNG or JPEG"),
        ("x.svg", b"<?xml version='1.0'?>\n<svg/>", "SVG, which isn't read; convert it"),
        ("x.jxl", b"\xff\x0a" + bytes(9), "JPEG XL, which isn't read"),
        ("x.psd", b"8BPS" + bytes(9), "PSD, which isn't read"),
        ("x.nef", encoded(3, "TIFF"), "a camera's raw file, which isn't read; convert it"),
        ("scan", bytes(128) + b"DICM", "DICOM, which isn't read"),
        ("labels.csv", b"1,2\n", "no image"),
        ("Thumbs.db", b"\xd0\xcf\x11\xe0", "no image"),
        ("empty", b"", "no image"),
        ("P5 notes", b"P5 notes of the day", "no image, though it begins like one"),
        (".DS_Store", b"x", "hidden"),
        ("._1.png", b"x", "hidden"),
        (".thumbs/1.png", b"x", "hidden"),
    ],
)
def test_what_is_left_out_is_named(root: Path, name: str, content: bytes, reason: str) -> None:
    digest = find(f"folder:{root}").digest
    put(root / "a" / "deep" / name, content)
    found = find(f"folder:{root}")
    assert found.digest == digest
    top = Path("a/deep") / Path(name).parts[0]
    (line,) = [line for line in found.words if line.startswith("left out: ")]
    assert line.startswith(f"left out: 1 {reason}")
    assert line.endswith(f": '{top}'")


def test_many_that_are_left_out_are_counted(root: Path) -> None:
    for number in range(48):
        put(root / "a" / f"{number:02}.heic", HEIC)
    (line,) = [line for line in find(f"folder:{root}").words if line.startswith("left out: ")]
    assert line.startswith("left out: 48 HEIC, ")
    assert line.endswith("'a/00.heic', 'a/01.heic', 'a/02.heic' and 45 more")


def test_an_image_in_two_classes_is_told(root: Path) -> None:
    assert "in more than one class" not in words(root)
    for number in range(3):
        shutil.copy(root / "b" / f"{number}.png", root / "a" / f"copy {number}.png")
    assert "note: 3 images are in more than one class (6 files, such as 'a/copy " in words(root)
    assert "each keeps all of its labels, in one part of the split" in words(root)


@pytest.mark.parametrize("part", ["val", "test"])
def test_what_is_in_two_splits_stays_in_the_later_one(tmp_path: Path, part: str) -> None:
    for name, low in (("a", 0), ("b", 100)):
        for number in range(6):
            put(tmp_path / "train" / name / f"{number}.png", encoded(low + number))
        for number in range(4, 8):
            put(tmp_path / part / name / f"again {number}.png", encoded(low + number))
    found = find(f"folder:{tmp_path}")
    (line,) = [line for line in found.words if line.startswith("left out: ")]
    assert line.startswith(f"left out: 4 in '{part}' too, which keeps it: 'train/a/4.png'")
    data = load(Reading(found.name, str(tmp_path), 8, 1))
    test = load_test(Reading(found.name, str(tmp_path), 8, 1))
    sides = [set(some.pixels[:, 0, 0, 0].tolist()) for some in (data.train, data.validation, test)]
    assert sum(map(len, sides)) == len(set().union(*sides)) == 16


def test_classes_that_look_alike_have_their_code_points(tmp_path: Path) -> None:
    names = ("\N{LATIN SMALL LETTER E WITH ACUTE}", "e\N{COMBINING ACUTE ACCENT}", "f")
    for label, name in enumerate(names):
        for number in range(3):
            put(tmp_path / name / f"{number}.png", encoded(10 * label + number))
    said = words(tmp_path)
    assert f"'{names[0]}' (U+00E9) " in said
    assert f"'{names[1]}' (U+0065 U+0301) " in said
    assert "  'f' " in said


NAMES = st.sampled_from(["a.png", "b.JPG", "c", "d.txt", "ü.tif", ".e.png", "f.bmp", "g.heic"])
CONTENTS = st.one_of(
    st.tuples(st.just("image"), st.integers(0, 15), st.sampled_from(["PNG", "BMP", "TIFF", "GIF"])),
    st.tuples(st.just("deep"), st.integers(0, 15), st.just("PNG")),
    st.tuples(st.just("text"), st.integers(0, 3), st.just("")),
    st.tuples(st.just("heic"), st.integers(0, 3), st.just("")),
)
PLACES = st.sampled_from(["", "deep", "deep/er", ".hidden"])
FILES = st.lists(st.tuples(st.integers(0, 1), PLACES, NAMES, CONTENTS), max_size=14)
LAYOUTS = st.sampled_from(
    [("",), ("train",), ("Train", "Test"), ("seg_train", "seg_val", "seg_test"), ("train", "dev")]
)


def content_of(kind: str, number: int, format: str) -> bytes:
    if kind == "image":
        return encoded(16 * number, format, "RGB" if number % 2 else "L")
    if kind == "deep":
        made = io.BytesIO()
        Image.fromarray(np.full((5, 7), 4096 * number + 4095, np.uint16)).save(made, format)
        return made.getvalue()
    return HEIC + bytes([number]) if kind == "heic" else b"text %d" % number


@settings(suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(layout=LAYOUTS, files=st.lists(FILES, min_size=3, max_size=3))
def test_every_file_is_used_or_named_and_on_one_side(
    tmp_path_factory: pytest.TempPathFactory,
    layout: tuple[str, ...],
    files: list[list[tuple[int, str, str, tuple[str, int, str]]]],
) -> None:
    root = tmp_path_factory.mktemp("one") / "it"
    for place, some in zip(layout, files, strict=False):
        for label in range(2):
            (root / place / "xy"[label]).mkdir(parents=True)
            # some that are always there, so that no class is empty
            for number in range(3):
                path = root / place / "xy"[label] / f"own {number}.png"
                put(path, content_of("image", 3 * label + number + 6 * len(place), "PNG"))
        for label, deeper, name, what in some:
            put(root / place / "xy"[label] / deeper / name, content_of(*what))
    try:
        found = find(f"folder:{root}")
    except DataError as error:
        refused = str(error)
    else:
        refused = ""
    if refused:
        rules = ("can't be used", "fewer than", "no image", "of unknown range")
        assert any(words in refused for words in rules), refused
        return
    through = folder._look_through(root)
    parts = split(through)
    used = {file.path for part in PARTS for file in parts[part]}
    assert len(used) == sum(len(parts[part]) for part in PARTS)
    named = {path for path, _ in through.left_out}
    for path in root.rglob("*"):
        if path.is_file():
            covered = bool(named & {path, *path.parents})
            assert (path in used) != covered, path
    sides = [{file.sha256 for file in parts[part]} for part in PARTS]
    assert sum(map(len, sides)) == len(set[str]().union(*sides)), "no content is on two sides"
    said = "\n".join(left_out_words(through.left_out, root))
    counted = [int(line.split()[2].replace(",", "")) for line in said.splitlines()]
    assert sum(counted) == len(through.left_out)

    other = tmp_path_factory.mktemp("other") / "moved"
    shutil.copytree(root, other)
    again = find(f"folder:{other}")
    assert again.digest == found.digest
    assert again.membership == found.membership
    assert load(again.reading(8, 1)).digest == found.digest
