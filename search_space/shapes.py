"""Which resolutions a network runs at, and what is left of the image before its head."""

from bisect import bisect_left
from collections.abc import Callable

from search_space.graph import GlobalPool, Linear, Node, Shape, ShapeError
from search_space.steps import steps

LARGEST = 1024

AtResolution = Callable[[int], Node]
"""The layer graph of a network for square images of so many pixels."""


def last_map(graph: Node, shape: Shape) -> Shape:
    """The last map of the body: what enters the global pool, or else the first linear layer."""
    made = steps(graph, shape)
    for step in made.steps:
        if isinstance(step.node, GlobalPool | Linear):
            return made.shapes[step.inputs[0]]
    return made.shapes[-1]


def smallest(network: AtResolution, channels: int, extent: int = 1) -> int | None:
    """The smallest resolution that runs and leaves a last map of at least extent x extent.

    In pixels; None where none up to 1,024 does.
    """

    def enough(resolution: int) -> bool:
        image = (channels, resolution, resolution)
        try:
            _, height, width = last_map(network(resolution), image)
        except ShapeError:
            return False
        return min(height, width) >= extent

    # What is enough stays enough on larger images: no layer makes a smaller map of a larger one.
    found = bisect_left(range(1, LARGEST + 1), True, key=enough)
    return found + 1 if found < LARGEST else None


def check_runs(network: AtResolution, name: str, shape: Shape) -> None:
    """ValueError that names the layer and the smallest resolution if ``shape`` is too small."""
    try:
        steps(network(shape[1]), shape)
    except ShapeError as error:
        least = smallest(network, shape[0])
        way = f"the smallest resolution that runs is {least}" if least else "no resolution runs"
        raise ValueError(f"{name} can't run at {shape[1]}x{shape[2]}: {error}; {way}") from None
