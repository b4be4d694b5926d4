"""Text files of users in any encoding of Unicode: spaces, tables, hardware, networks."""

import shutil
from collections.abc import Callable
from pathlib import Path

import pytest

from search_space.analysis.hardware import ENTRIES, PRESETS
from search_space.space import SearchSpace

Run = Callable[..., tuple[int, str, str]]
MADE = Path(__file__).parents[1] / "made_by_0_1"


@pytest.fixture
def studied(tmp_path: Path) -> Path:
    """A directory with a study in nas.db."""
    shutil.copy(MADE / "study.sqlite", tmp_path / "nas.db")
    return tmp_path


ENCODINGS = ["utf-8", "utf-8-sig", "utf-16", "utf-16-le", "utf-32"]


@pytest.mark.parametrize("encoding", ENCODINGS)
@pytest.mark.parametrize("ends", ["\n", "\r\n"])
def test_text_of_any_unicode_is_read(nas_in: Run, tmp_path: Path, encoding: str, ends: str) -> None:
    def write(name: str, text: str) -> None:
        (tmp_path / name).write_bytes(text.replace("\n", ends).encode(encoding))

    space = SearchSpace().to_toml()
    write("space.toml", space)
    write("mine.toml", ENTRIES.to_toml(PRESETS["a100"]))
    write("network.json", nas_in("show", "inception-28", "--json")[1])
    for command in (
        ("space", "--space", "space.toml", "--toml"),
        ("compare", "network.json", "--hardware", "mine.toml"),
        ("shapes", "network.json"),
    ):
        code, out, err = nas_in(*command)
        assert (code, err) == (0, "")
        if "--toml" in command:
            assert out == space


@pytest.mark.parametrize("encoding", ENCODINGS)
def test_a_table_of_any_unicode_is_read_and_added_to(
    nas_in: Run, studied: Path, encoding: str
) -> None:
    assert nas_in("studies", "--export", "t.jsonl")[0] == 0
    plain = Path("t.jsonl").read_bytes()
    Path("t.jsonl").write_bytes(plain.decode().encode(encoding))
    code, _, err = nas_in("studies", "--export", "t.jsonl")
    assert code == 0
    assert ", 0 of them new" in err
    assert Path("t.jsonl").read_bytes() == plain


@pytest.mark.parametrize("content", [b"caf\xe9 = 1", bytes(range(128, 256)), b"\xfe\xff\xd8\x00"])
def test_what_is_no_unicode_is_one_line(nas_in: Run, tmp_path: Path, content: bytes) -> None:
    for name in ("x.toml", "x.json"):
        (tmp_path / name).write_bytes(content)
    for command in (
        ("space", "--space", "x.toml"),
        ("compare", "inception-28", "--hardware", "x.toml"),
        ("show", "x.json"),
    ):
        code, out, err = nas_in(*command)
        assert (code, out) == (2, "")
        assert "save it as UTF-8" in err
        assert err.count("\n") == 1
