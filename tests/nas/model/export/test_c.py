"""The C file: to the bit what the arithmetic says, as large as foretold, and nothing undefined."""

import re
import shutil
from collections.abc import Callable
from typing import Any

import hypothesis
import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from nas.model.export.c.proof import COMPILERS, compiled
from nas.model.export.c.source import source
from nas.model.integer.arithmetic import logits, probabilities
from search_space.architecture import Architecture
from search_space.catalog import candidate
from search_space.device.arena import arena
from search_space.device.flash import flash

FOUND = [name for name in COMPILERS if shutil.which(name)]
SANITIZED = ("-O1", "-fsanitize=undefined,address", "-fno-sanitize-recover=all")
NAMES = ("a", "b", "c", "d", "e")

pytestmark = pytest.mark.skipif(not FOUND, reason="there is no C compiler")

Small = Callable[[int], Architecture]


def of(integers: Any, names: tuple[str, ...] = NAMES) -> Any:
    return source(integers, names, "network", "a test")


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
@pytest.mark.parametrize("option", ["-O0", "-O3"])
def test_every_compiler_says_the_same(in_integers: Any, compiler: str, option: str) -> None:
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
    text = source(made.integers, names, "network", "trial */ 7\n#error")
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
