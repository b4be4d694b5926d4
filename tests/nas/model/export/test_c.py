"""The C file: to the bit what the arithmetic says, as large as foretold, and nothing undefined."""

import json
import re
import shutil
import subprocess
from collections.abc import Callable
from pathlib import Path
from typing import Any

import hypothesis
import numpy as np
import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st

from nas.datasets import find, load_test
from nas.model.export.c.proof import COMPILERS, compiled
from nas.model.export.c.reading import metadata_comment
from nas.model.export.c.source import Source, source
from nas.model.integer.arithmetic import logits, probabilities
from nas.model.loading import load_classifier
from nas.model.model import Model
from search_space.architecture import Architecture
from search_space.catalog import candidate
from search_space.device.arena import arena
from search_space.device.flash import flash

FOUND = [name for name in COMPILERS if shutil.which(name)]
SANITIZED = ("-O1", "-fsanitize=undefined,address", "-fno-sanitize-recover=all")
NAMES = ("a", "b", "c", "d", "e")

pytestmark = pytest.mark.skipif(not FOUND, reason="there is no C compiler")

Small = Callable[[int], Architecture]
Run = Callable[..., tuple[int, str, str]]


def of(integers: Any, names: tuple[str, ...] = NAMES) -> Any:
    return source(integers, arena(integers.operations), names, "network", "a test")


@given(seed=st.integers(0, 2**32), size=st.integers(4, 13), channels=st.sampled_from([1, 3]))
@hypothesis.settings(max_examples=max(6, hypothesis.settings.default.max_examples // 4))
def test_every_output_is_that_of_the_arithmetic(
    small_architecture: Small, in_integers: Any, seed: int, size: int, channels: int
) -> None:
    made = in_integers(small_architecture(seed), size, channels, seed)
    with compiled(of(made.integers), FOUND[0], SANITIZED) as program:
        said = program.predict(made.images)
    assert (said.probabilities == probabilities(made.integers, made.images)).all()
    assert (said.classes == logits(made.integers, made.images).argmax(1)).all()


@pytest.mark.parametrize("compiler", FOUND)
@pytest.mark.parametrize("option", ["-O0", "-O3", "-m32"])
def test_every_compiler_says_the_same(
    in_integers: Any, compiler: str, option: str, tmp_path: Path
) -> None:
    if option == "-m32":
        (tmp_path / "empty.c").write_text("#include <stdio.h>\nint main(void) { return 0; }")
        command = [compiler, option, "empty.c", "-o", "empty"]
        if subprocess.run(command, cwd=tmp_path, capture_output=True).returncode:
            pytest.skip("32-bit libraries aren't there")
    made = in_integers(candidate("inception-28").architecture, 28)
    with compiled(of(made.integers), compiler, (option,)) as program:
        said = program.predict(made.images)
    assert (said.probabilities == probabilities(made.integers, made.images)).all()


def test_it_is_as_large_as_foretold(small_architecture: Small, in_integers: Any) -> None:
    codes = set()
    for seed in range(5):
        made = in_integers(small_architecture(seed), 10, 1 + 2 * (seed % 2), seed)
        with compiled(of(made.integers), FOUND[0], ("-Os",)) as program:
            sizes = program.sizes()
        plan = made.integers.operations
        assert sizes.memory == arena(plan).bytes
        assert sizes.constants == flash(plan, 0).constants
        codes.add(sizes.code)
    assert max(codes) < 1.1 * min(codes), "the code is that of the kernels"


def test_names_can_do_no_harm(small_architecture: Small, in_integers: Any) -> None:
    made = in_integers(small_architecture(0), 8)
    names = ("*/ int x;", "a\nb", "/*", "??/", "caf\u00e9\\")
    placed = arena(made.integers.operations)
    text = source(made.integers, placed, names, "a name", "trial */ 7\n#error")
    with compiled(text, FOUND[0]) as program:
        said = program.predict(made.images)
    assert (said.probabilities == probabilities(made.integers, made.images)).all()
    assert not re.search(r"^#error", text.c + text.h, re.MULTILINE)


def test_what_a_compiler_refuses_is_told(small_architecture: Small, in_integers: Any) -> None:
    made = in_integers(small_architecture(0), 8)
    broken = of(made.integers)._replace(c="int unused(void) { return; }")
    with (
        pytest.raises(RuntimeError, match=r"ended with 1: network.c"),
        compiled(broken, FOUND[0]),
    ):
        pass


def test_images_at_their_ends(small_architecture: Small, in_integers: Any) -> None:
    """Black, white, and one white pixel: sums and borders at their extremes."""
    made = in_integers(small_architecture(3), 12)
    images = np.zeros((3, 1, 12, 12), np.uint8)
    images[1] = 255
    images[2, 0, 0, 0] = 255
    with compiled(of(made.integers), FOUND[0], SANITIZED) as program:
        said = program.predict(images)
    assert (said.probabilities == probabilities(made.integers, images)).all()


def test_a_model_becomes_a_program_that_knows_an_image(
    nas_in: Run, saved: Path, tiny_model: Model, tmp_path: Path
) -> None:
    code, out, err = nas_in("export", str(saved), "--format", "c", "--out", "net.c")
    assert (code, err) == (0, "")
    assert "every output is what its arithmetic says" in out
    assert {path.name for path in Path().iterdir()} == {"net.c", "net.h"}
    images = load_test(find("fashion-mnist").reading(28, 1)).pixels.numpy()[:200]
    Path("main.c").write_text(MAIN)
    flags = ["-std=c99", "-pedantic", "-Wall", "-Wextra", "-Werror"]
    subprocess.run([FOUND[0], *flags, "main.c", "net.c", "-o", "main"], check=True)
    given_images = images.transpose(0, 2, 3, 1).tobytes()
    said = subprocess.run(["./main"], input=given_images, capture_output=True, check=True).stdout
    expected = tiny_model.probabilities(torch.from_numpy(images)).numpy().argmax(1)
    assert (np.array(said.split(), int) == expected).mean() > 0.8


def test_the_file_is_a_model_like_others(nas_in: Run, saved: Path, tmp_path: Path) -> None:
    _, out, _ = nas_in("export", str(saved), "--out", "net.c", "--json")
    exported = json.loads(out)
    classifier = load_classifier(Path("net.c"))
    assert classifier.metadata == load_classifier(saved).metadata
    test = load_test(find("fashion-mnist").reading(28, 1))
    found = classifier.probabilities(test.pixels.numpy(), 999)
    with compiled(Source("net", *(Path(f"net.{end}").read_text() for end in "ch")), FOUND[0]) as c:
        said = c.predict(test.pixels.numpy())
    assert (found.argmax(1) == said.classes).all()
    assert np.abs(found - said.probabilities / 255).max() < 1e-5
    code, out, _ = nas_in("evaluate", "net.c", "--json")
    evaluated = json.loads(out)
    assert code == 0
    assert evaluated["accuracy"] == exported["accuracies"][1]
    assert evaluated["runtime"].startswith("C, ")


@given(st.dictionaries(st.text(max_size=12), st.text(max_size=300), max_size=4))
def test_metadata_survives_in_a_comment(metadata: dict[str, str]) -> None:
    """Whatever a class is called; and it ends no comment, nor begins another one."""
    comment = metadata_comment(metadata)
    inside = comment[2:-2]
    assert "/*" not in inside
    assert "*/" not in inside
    assert "?" not in comment
    assert comment.isascii()
    lines = comment.split("\n")[1:-1]
    assert json.loads("".join(line.removeprefix(" *   ") for line in lines)) == metadata


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ("int x;", "net.c is C, but not of `nas export`: its metadata has no 'classes'"),
        (None, "header net.h can't be read: No such file or directory"),
        ("", "net.c is C, but not of `nas export`"),
    ],
)
def test_other_c_is_refused(nas_in: Run, saved: Path, text: str | None, words: str) -> None:
    nas_in("export", str(saved), "--out", "net.c")
    if text is None:
        Path("net.h").unlink()
    else:
        Path("net.c").write_text(text)
    code, out, err = nas_in("evaluate", "net.c")
    assert (code, out) == (2, "")
    assert words in err
    assert err.count("\n") == 1


@pytest.mark.parametrize("line", ["#define NAS_CLASSES 11", "#define NAS_WIDTH 32", ""])
def test_another_network_than_its_metadata_says_is_not_run(
    nas_in: Run, saved: Path, line: str
) -> None:
    nas_in("export", str(saved), "--out", "net.c")
    name = line.split()[1] if line else "NAS_CHANNELS"
    text = Path("net.h").read_text()
    Path("net.h").write_text(re.sub(rf"^#define {name} .*$", line, text, flags=re.MULTILINE))
    code, _, err = nas_in("predict", "net.c", "net.h")
    assert code == 2
    assert "net.c has another network than its metadata says; export it anew" in err


def test_what_cannot_be_compiled_is_told_in_one_line(nas_in: Run, saved: Path) -> None:
    nas_in("export", str(saved), "--out", "net.c")
    Path("net.c").write_text("int x = y;\n" + Path("net.c").read_text())
    code, _, err = nas_in("evaluate", "net.c")
    assert (code, err.count("\n")) == (2, 1)
    assert "net.c can't be compiled: " in err


def test_without_a_compiler_it_cannot_be_run(
    nas_in: Run, saved: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    nas_in("export", str(saved), "--out", "net.c")
    monkeypatch.setattr("nas.model.export.c.reading.compiler", lambda: None)
    code, _, err = nas_in("evaluate", "net.c")
    assert code == 2
    assert "net.c must be compiled to be run, and there is no gcc or clang here" in err


def test_it_is_told_in_json_too(nas_in: Run, saved: Path) -> None:
    code, out, _ = nas_in("export", str(saved), "--int8", "--out", "net.c", "--json")
    found = json.loads(out)
    assert (code, found["format"], found["difference"]) == (0, "c", 0.0)
    assert found["device"]["least"] <= found["device"]["arena"]
    assert Path(found["device"]["compiler"]).name in COMPILERS


def test_without_a_compiler_it_is_called_unproved(
    nas_in: Run, saved: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("nas.model.export.c.writing.compiler", lambda: None)
    code, out, err = nas_in("export", str(saved), "--out", "net.c")
    assert code == 0
    assert "note: there is no C compiler here (gcc or clang), so that net-unproved.c" in err
    assert out.startswith("net-unproved.c: c, ")
    assert {path.name for path in Path().iterdir()} == {"net-unproved.c", "net-unproved.h"}
    assert '#include "net-unproved.h"' in Path("net-unproved.c").read_text()


def test_what_says_something_else_than_its_arithmetic_is_not_kept(
    nas_in: Run, saved: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    from nas.model.export.c import writing

    def wrong(*given: Any) -> Any:
        text = source(*given)
        return text._replace(c=text.c.replace("return best;", "return 0;"))

    monkeypatch.setattr(writing, "source", wrong)
    code, out, err = nas_in("export", str(saved), "--out", "net.c")
    assert (code, out) == (2, "")
    assert err.startswith("error: the compiled C says something else than its arithmetic of ")
    assert list(Path().iterdir()) == []


@pytest.mark.parametrize(
    ("options", "words"),
    [
        (("--format", "c", "--out", "net.onnx"), "--out is net.onnx, of onnx, but --format is c"),
        (("--format", "onnx", "--out", "net.c"), "--out is net.c, of c, but --format is onnx"),
        (("--out", "x.c"), "--out is x.h, a directory"),
        (("--out", 'a"b.c'), "which C can't include; give a name without quotes"),
    ],
)
def test_bad_options(nas_in: Run, saved: Path, options: tuple[str, ...], words: str) -> None:
    Path("x.h").mkdir()
    code, _, err = nas_in("export", str(saved), *options)
    assert code == 2
    assert words in err
    assert [path.name for path in Path().iterdir()] == ["x.h"]


MAIN = """\
#include "net.h"
#include <stdio.h>

int main(void)
{
    static uint8_t image[NAS_HEIGHT * NAS_WIDTH * NAS_CHANNELS], said[NAS_CLASSES];
    while (fread(image, 1, sizeof image, stdin) == sizeof image)
        printf("%d\\n", nas_predict(image, said));
    return 0;
}
"""
