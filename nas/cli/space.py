"""`nas space`: the search space, its dimensions, its exact size, and itself as TOML."""

from collections.abc import Sequence
from typing import Annotated, Any

import typer
from rich.console import Console

from nas.cli.options import Json, Resolution, Space, print_json
from nas.reporting.tables import new_table
from studies.wording import counted


def space(
    space: Space = None,
    resolution: Resolution = 28,
    toml: Annotated[bool, typer.Option("--toml", help="Print the space as TOML alone.")] = False,
    as_json: Json = False,
) -> None:
    """Print the search space: its dimensions, its exact size, and itself as TOML."""
    from nas.cli.parsing import read_space
    from search_space.dimensions import DIMENSIONS, general
    from search_space.size import size
    from search_space.space import SearchSpace

    chosen = SearchSpace() if space is None else read_space(space)
    if toml:
        print(chosen.to_toml(), end="")
        return
    total = size(chosen, resolution)
    if as_json:
        print_json({"dimensions": chosen.to_json(), **total._asdict()})
        return
    print_space(
        [(name, choices, DIMENSIONS[general(name)].words) for name, choices in chosen.items()]
    )
    print(f"{counted(total.architectures, 'architecture')} at {resolution}x{resolution}")
    print(f"{counted(total.candidates, 'candidate')} with label smoothing\n")
    print(chosen.to_toml(), end="")


def print_space(rows: Sequence[tuple[str, Sequence[Any], str]]) -> None:
    """The dimensions of a space and their choices."""
    table = new_table("Dimensions (those of a stage are chosen for each stage)")
    table.add_column("dimension")
    table.add_column("choices", overflow="fold")
    table.add_column("what it is", overflow="fold")
    for name, choices, words in rows:
        table.add_row(name, ", ".join(str(choice).lower() for choice in choices), words)
    Console().print(table)
