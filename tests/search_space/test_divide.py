"""Tests of how a stage's width is divided among the branches of its blocks."""

from hypothesis import given
from hypothesis import strategies as st

from search_space.space import divide


@given(
    st.integers(4, 512).map(lambda units: 4 * units),
    st.lists(st.integers(0, 16), min_size=4, max_size=4).filter(any),
)
def test_divide_gives_the_whole_width_away(width: int, shares: list[int]) -> None:
    parts = divide(width, shares)
    assert sum(parts) == width
    for part, share in zip(parts, shares, strict=True):
        assert part % 4 == 0
        assert (part == 0) if share == 0 else (part >= 4)
    for one, other in ((a, b) for a in range(4) for b in range(4)):
        if shares[one] > shares[other]:
            assert parts[one] >= parts[other]
    # Exact where it can be: only the rounding and the minimum of one unit move a part.
    exact = [width * share / sum(shares) for share in shares]
    if all(e % 4 == 0 for e in exact):
        assert parts == exact


def test_divide_by_hand() -> None:
    assert divide(64, [1, 1, 1, 1]) == [16, 16, 16, 16]
    assert divide(16, [16, 1, 1, 1]) == [4, 4, 4, 4]
    assert divide(32, [2, 0, 1, 0]) == [20, 0, 12, 0]
    assert divide(20, [1, 1, 0, 0]) == [12, 8, 0, 0]
    assert divide(48, [0, 0, 0, 2]) == [0, 0, 0, 48]
