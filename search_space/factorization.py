"""How the 3x3 and 5x5 convolutions of an Inception block are factorized: one table, one entry each.

.. [Szegedy2016] C. Szegedy et al., Rethinking the Inception Architecture for Computer Vision,
   CVPR 2016, sections 3.1 (stacked), 3.2 (asymmetric) and 6 (expanded, figure 7).
"""

from collections.abc import Callable
from typing import NamedTuple


class Kernel(NamedTuple):
    """One convolution: its kernel's height and width in pixels, its output width in channels."""

    height: int
    width: int
    channels: int


Step = tuple[Kernel, ...]
"""Convolutions side by side on one input, their outputs concatenated; mostly just one."""

Steps = tuple[Step, ...]
"""Steps one after the other, each with its own activation."""


def _none(kernel: int, width: int, _n: int) -> Steps:
    return ((Kernel(kernel, kernel, width),),)


def _stacked(kernel: int, width: int, _n: int) -> Steps:
    """5x5 as two 3x3; a 3x3 stays as it is."""
    return ((Kernel(3, 3, width),),) * ((kernel - 1) // 2)


def _asymmetric(kernel: int, width: int, n: int) -> Steps:
    """1xn then nx1: once for the 3x3 branch, twice for the 5x5 branch."""
    return ((Kernel(1, n, width),), (Kernel(n, 1, width),)) * ((kernel - 1) // 2)


def _expanded(kernel: int, width: int, _n: int) -> Steps:
    """The last 3x3 becomes 1x3 and 3x1 side by side, each of half the branch's width."""
    halves = (Kernel(1, 3, width - width // 2), Kernel(3, 1, width // 2))
    return (*_stacked(kernel, width, 3)[:-1], halves)


FACTORIZATIONS: dict[str, Callable[[int, int, int], Steps]] = {
    "none": _none,
    "stacked": _stacked,
    "asymmetric": _asymmetric,
    "expanded": _expanded,
}
"""Name to a function of the branch's kernel (3 or 5), its output width in channels, and n."""
