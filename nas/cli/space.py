"""`nas space`: the search space, its dimensions, its exact size, and itself as TOML."""

from collections.abc import Sequence
from itertools import pairwise
from typing import TYPE_CHECKING, Annotated, Any, NamedTuple

import typer
from rich.console import Console

from nas.cli.options import Json, Resolution, Space, print_json
from nas.defaults import CLASSES
from nas.reporting.tables import new_table
from studies.wording import counted

if TYPE_CHECKING:
    from search_space.space import SearchSpace


def space(
    space: Space = None,
    resolution: Resolution = 28,
    samples: Annotated[
        int,
        typer.Option(min=0, max=100_000, help="Random candidates whose sizes are shown."),
    ] = 500,
    toml: Annotated[bool, typer.Option("--toml", help="Print the space as TOML alone.")] = False,
    as_json: Json = False,
) -> None:
    """Print the search space: dimensions, size, what random candidates cost, itself as TOML."""
    from nas.cli.parsing import read_space
    from search_space.dimensions import DIMENSIONS, general
    from search_space.size import size
    from search_space.space import SearchSpace

    chosen = SearchSpace() if space is None else read_space(space)
    if toml:
        print(chosen.to_toml(), end="")
        return
    total = size(chosen, resolution)
    inside = catalog_inside(chosen, resolution)
    rows = sizes(chosen, resolution, samples) if samples else []
    if as_json:
        sampled = [row._asdict() for row in rows]
        data = {"dimensions": chosen.to_json(), **total._asdict()}
        print_json(data | {"inside": inside, "samples": samples, "sizes": sampled})
        return
    print_space(
        [(name, choices, DIMENSIONS[general(name)].words) for name, choices in chosen.items()]
    )
    print(f"{counted(total.architectures, 'architecture')} at {resolution}x{resolution}")
    print(f"{counted(total.candidates, 'candidate')} with label smoothing")
    if inside:
        print(f"of the catalog it has: {', '.join(inside)}")
    print()
    if rows:
        print_sizes(rows, samples, resolution)
    print(chosen.to_toml(), end="")


class Size(NamedTuple):
    """Random candidates of ``low`` to less than ``high`` parameters: their share, and FLOPs.

    ``flops`` are the 5 %, 50 % and 95 % quantiles.
    """

    low: int
    high: int
    share: float
    flops: tuple[int, int, int]


def sizes(space: "SearchSpace", resolution: int, count: int) -> list[Size]:
    """What so many candidates cost that the sampler random draws, by half decades of parameters.

    ValueError where no candidate of the space can run at that resolution.
    """
    from random import Random

    from search_space.spread import Spread

    spread, rng = Spread(space, (1, resolution, resolution), CLASSES), Random(0)
    drawn = [spread.draw(rng).cost for _ in range(count)]
    edges = [0, *(round(10 ** (half / 2)) for half in range(4, 19))]
    rows = []
    for low, high in pairwise(edges):
        flops = sorted(one.flops for one in drawn if low <= one.params < high)
        if flops:
            at = [flops[int(share * (len(flops) - 1))] for share in (0.05, 0.5, 0.95)]
            rows.append(Size(low, high, len(flops) / count, (at[0], at[1], at[2])))
    return rows


def print_sizes(rows: Sequence[Size], count: int, resolution: int) -> None:
    """Sizes of random candidates."""
    image = f"{resolution}x{resolution} images of one channel, {CLASSES} classes"
    table = new_table(f"{counted(count, 'random candidate')} on {image}")
    for name in ("parameters", "share", "FLOPs: 5 %", "median", "95 %"):
        table.add_column(name, justify="right", no_wrap=True)
    for row in rows:
        words = f"{row.low:,} to {row.high:,}" if row.low else f"below {row.high:,}"
        table.add_row(words, f"{row.share:.1%}", *(f"{flops:,}" for flops in row.flops))
    Console().print(table)
    print()


def catalog_inside(space: "SearchSpace", resolution: int) -> list[str]:
    """Names of the catalog's networks for such images that the space has."""
    from search_space.catalog import CATALOG
    from search_space.inside import params_of

    return [
        name
        for name, entry in CATALOG.items()
        if entry.candidate is not None
        and entry.image[1] == resolution
        and params_of(space, entry.candidate, resolution) is not None
    ]


def print_space(rows: Sequence[tuple[str, Sequence[Any], str]]) -> None:
    """The dimensions of a space and their choices."""
    table = new_table("Dimensions (those of a stage are chosen for each stage)")
    table.add_column("dimension")
    table.add_column("choices", overflow="fold")
    table.add_column("what it is", overflow="fold")
    for name, choices, words in rows:
        table.add_row(name, ", ".join(str(choice).lower() for choice in choices), words)
    Console().print(table)
