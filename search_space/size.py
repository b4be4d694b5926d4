"""The exact number of architectures and candidates in a search space.

Stems, branches and residuals are enumerated by answering the space's own questions in every
possible way; whole architectures are counted stage by stage from the distinct ones of these.
"""

from collections.abc import Callable, Iterator, Sequence
from functools import cache
from typing import Any, NamedTuple, TypeVar

from search_space.architecture import Block
from search_space.space import Choose, SearchSpace

T = TypeVar("T")


class Size(NamedTuple):
    """Numbers of distinct networks, and of networks with their label-smoothing epsilon."""

    architectures: int
    candidates: int


def size(space: SearchSpace, resolution: int = 28) -> Size:
    """Exact size of ``space`` at ``resolution`` pixels. ValueError where no candidate can run."""

    @cache
    def kernels(name: str, three: int, five: int, pool: int) -> int:
        """Ways to make a block of these branches, whatever is before them and beside them."""
        found = every(lambda choose: space.kernels(choose, name))
        return len({Block(1, 1, three, 1, five, pool, **fields) for fields in found})

    @cache
    def branches(name: str, total: int) -> dict[int, int]:
        """Ways to build a stage's block, by its width; ``total`` where shares divide one."""
        found = every(lambda choose: space.branch_widths(choose, name, total))
        counts: dict[int, int] = {}
        for fields in {tuple(fields.items()) for fields in found}:
            of = dict(fields)
            three, five, pool = of["width_3x3"], of["width_5x5"], of["width_pool"]
            width = of["width_1x1"] + three + five + pool
            counts[width] = counts.get(width, 0) + kernels(name, three, five, pool)
        return counts

    @cache
    def residuals(name: str, applies: bool) -> int:
        answers = every(lambda choose: space.residual(choose, name, applies))
        return len({Block(width_1x1=1, **fields) for fields in answers})

    @cache
    def stages(number: int, count: int, width: int) -> int:
        """Ways to build stages ``number`` to ``count`` on maps of ``width`` channels."""
        if number > count:
            return 1
        name, total = f"stage{number}", 0
        totals = space.choices(f"{name}.width") if space.divided else (0,)
        for reduction in space.choices(f"{name}.reduction") if number > 1 else ("none",):
            inputs = 2 * width if reduction == "inception" else width
            for divided in map(int, totals):
                for outputs, ways in branches(name, divided).items():
                    blocks = sum(
                        residuals(name, outputs == inputs or int(repeats) > 1)
                        for repeats in space.choices(f"{name}.blocks")
                    )
                    total += blocks * ways * stages(number + 1, count, outputs)
        return total

    bodies = 0
    for stem, extent in set(every(lambda choose: space.stem(choose, resolution))):
        width = stem.second[1] if stem.second else stem.width
        bodies += sum(stages(1, int(count), width) for count in space.stage_counts(extent))
    norms = {
        norm
        for use in space.choices("body.batch_norm")
        for norm in (space.choices("body.order") if use else ("none",))
    }
    architectures = bodies * len(norms) * len(space.choices("head.dropout"))
    return Size(architectures, architectures * len(space.choices("head.label_smoothing")))


def every(sample: Callable[[Choose], T]) -> Iterator[T]:
    """What ``sample`` gives for every possible sequence of answers to its questions."""
    path: list[list[int]] = []
    while True:
        asked = 0

        def choose(name: str, options: Sequence[Any]) -> Any:
            nonlocal asked
            del name
            if asked == len(path):
                path.append([0, len(options)])
            asked += 1
            return options[path[asked - 1][0]]

        yield sample(choose)
        while path and path[-1][0] + 1 == path[-1][1]:
            path.pop()
        if not path:
            return
        path[-1][0] += 1
