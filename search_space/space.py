"""SearchSpace: the choices of each dimension, sampling through a chooser, TOML.

A chooser is asked about every dimension of the stem, of each stage that is there, and of the head;
an answer that changes nothing (the 1xn size where nothing is asymmetric) leaves no trace in the
architecture. So a stage's answers come together, and a sampler can learn them together.

Where earlier answers rule some options out, the name carries the options that are left
(``body.stages[1,2]``), since Optuna allows one name one set of choices only.
"""

import tomllib
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from search_space.architecture import Architecture, Block, Candidate, Stage, Stem
from search_space.checks import check_range
from search_space.dimensions import DIMENSIONS, MAX_STAGES, UNIT, Choice, general

Choose = Callable[[str, Sequence[Any]], Any]
"""Picks one of the options for the dimension of that name; ``trial.suggest_categorical`` does."""

SHARES = ("share_1x1", "share_3x3", "share_5x5", "share_pool")


@dataclass(frozen=True)
class SearchSpace:
    """The choices of each dimension, by the names of ``DIMENSIONS`` (and ``stage1.x`` ... ).

    A dimension that isn't given keeps its default choices. ValueError on an unknown dimension, an
    impossible choice, or a block that can have no branch.
    """

    given: Mapping[str, tuple[Choice, ...]] = field(default_factory=dict)

    def __post_init__(self) -> None:
        checked: dict[str, tuple[Choice, ...]] = {}
        for name, choices in self.given.items():
            dimension = DIMENSIONS.get(general(name))
            if dimension is None:
                raise ValueError(
                    f"dimension {name!r} is unknown; the dimensions are: {', '.join(DIMENSIONS)}"
                )
            if not isinstance(choices, tuple) or not choices:
                raise ValueError(f"{name} is {choices!r}; give a list of at least one choice")
            checked[name] = tuple(dimension.check(name, choice) for choice in choices)
            if len(set(checked[name])) < len(choices):
                raise ValueError(f"{name} is {list(choices)}; a choice is given twice")
        same = [n for n in checked if n in DIMENSIONS and checked[n] == DIMENSIONS[n].choices]
        object.__setattr__(self, "given", {n: checked[n] for n in checked if n not in same})
        for stage in range(1, MAX_STAGES + 1):
            if not any(any(self.choices(f"stage{stage}.{share}")) for share in SHARES):
                raise ValueError(f"stage{stage}: every share can only be 0; allow one above 0")

    def choices(self, name: str) -> tuple[Choice, ...]:
        """The choices of the dimension of that name; a stage's own before those of all stages."""
        base = general(name)
        return self.given.get(name) or self.given.get(base) or DIMENSIONS[base].choices

    def sample(self, choose: Choose, resolution: int = 28) -> Candidate:
        """A candidate for square images of ``resolution`` pixels, one question a dimension.

        ValueError if no candidate of the space can run at that resolution.
        """
        stem, extent = self.stem(choose, resolution)
        ask = _Asker(self, choose)
        width = stem.second[1] if stem.second else stem.width
        stages = []
        for number in range(1, ask("body.stages", self.stage_counts(extent)) + 1):
            name = f"stage{number}"
            reduction = ask(f"{name}.reduction") if number > 1 else "none"
            inputs = 2 * width if reduction == "inception" else width
            width = ask(f"{name}.width")
            count = ask(f"{name}.blocks")
            same = inputs == width
            branches = self.branches(choose, name, width)
            residual = self.residual(choose, name, applies=same or count > 1)
            block = Block(**branches, **residual)
            first = block if same or block.residual != "block" else Block(**branches)
            stages.append(Stage((first, *[block] * (count - 1)), reduction))
        batch_norm, order = ask("body.batch_norm"), ask("body.order")
        norm = order if batch_norm else "none"
        architecture = Architecture(stem, tuple(stages), norm, ask("head.dropout"))
        return Candidate(architecture, ask("head.label_smoothing"))

    def stem(self, choose: Choose, resolution: int) -> tuple[Stem, int]:
        """A stem, and the extent in pixels of the maps that it hands to the first stage."""
        check_range("resolution", resolution, 8, 224)
        ask = _Asker(self, choose)
        extent = resolution
        halvings: dict[str, Choice] = {}
        names = ("stem.stride", "stem.pool", "stem.second")
        for index, name in enumerate(names):
            rest = [self.choices(other) for other in names[index + 1 :]]
            fits = [
                choice
                for choice in self.choices(name)
                if self.stage_counts(_least_halved(_halved(extent, choice), rest))
            ]
            if not fits:
                raise ValueError(
                    f"resolution is {resolution}; no candidate of this space can run at it: every "
                    "reduction needs maps of at least 2x2 (allow fewer stages or less pooling)"
                )
            halvings[name] = ask(name, fits)
            extent = _halved(extent, halvings[name])
        kernel, width = ask("stem.kernel"), ask("stem.width")
        second = (width, 2 * width) if halvings["stem.second"] else None
        stem = Stem(
            width, kernel, int(halvings["stem.stride"]), bool(halvings["stem.pool"]), second
        )
        return stem, extent

    def stage_counts(self, extent: int) -> list[Choice]:
        """Numbers of stages whose reductions all see maps of at least 2x2."""
        most = 1
        while extent >= 2:
            extent, most = (extent + 1) // 2, most + 1
        return [count for count in self.choices("body.stages") if int(count) <= most]

    def branches(self, choose: Choose, stage: str, width: int) -> dict[str, Any]:
        """Fields of the block that a stage of ``width`` channels repeats, but for its residual."""
        ask = _Asker(self, choose)
        shares = [ask(f"{stage}.{share}") for share in SHARES]
        if not any(shares):  # the last branch that may be there takes the width
            able = [i for i, share in enumerate(SHARES) if any(self.choices(f"{stage}.{share}"))]
            shares[able[-1]] = 1
        one, three, five, pool = divide(width, shares)
        ratio = ask(f"{stage}.reduce")
        return {
            "width_1x1": one,
            "reduce_3x3": _reduced(ratio, three),
            "width_3x3": three,
            "reduce_5x5": _reduced(ratio, five),
            "width_5x5": five,
            "width_pool": pool,
            "factorization": ask(f"{stage}.factorization"),
            "n": ask(f"{stage}.n"),
            "pool": ask(f"{stage}.pool"),
        }

    def residual(self, choose: Choose, stage: str, applies: bool) -> dict[str, Any]:
        """A stage's residual and its scale; ``applies``: some block is as wide as its input."""
        ask = _Asker(self, choose)
        residual, scale = ask(f"{stage}.residual"), ask(f"{stage}.scale")
        if residual == "block" and not applies:
            residual = "none"
        return {"residual": residual, "scale": scale}

    @classmethod
    def from_toml(cls, text: str) -> "SearchSpace":
        """The space that a TOML text describes: tables ``[stem] [body] [stage] [stage1] [head]``.

        ValueError on text that isn't TOML, and as the constructor raises.
        """
        try:
            data = tomllib.loads(text)
        except tomllib.TOMLDecodeError as error:
            raise ValueError(f"not TOML: {error}") from None
        given: dict[str, tuple[Choice, ...]] = {}
        for table, entries in data.items():
            if not isinstance(entries, dict):
                raise ValueError(
                    f"{table!r} stands outside the tables [stem] [body] [stage] [head]"
                )
            for name, choices in entries.items():
                given[f"{table}.{name}"] = tuple(choices) if isinstance(choices, list) else choices
        return cls(given)

    def to_toml(self) -> str:
        """All dimensions and their choices; ``from_toml`` gives an equal space back."""
        tables: dict[str, list[str]] = {}
        for name, choices in self.items():
            table, key = name.split(".")
            words = f"  # {DIMENSIONS[name].words}" if name in DIMENSIONS else ""
            line = f"{key} = [{', '.join(map(_toml, choices))}]{words}"
            tables.setdefault(table, []).append(line)
        return "\n\n".join("\n".join([f"[{name}]", *tables[name]]) for name in tables) + "\n"

    def items(self) -> Iterator[tuple[str, tuple[Choice, ...]]]:
        """Every dimension's name and choices: first those of ``DIMENSIONS``, then stages' own."""
        for name in (*DIMENSIONS, *sorted(name for name in self.given if name not in DIMENSIONS)):
            yield name, self.choices(name)

    def to_json(self) -> dict[str, list[Choice]]:
        """Every dimension's choices as JSON data: equal for equal spaces."""
        return {name: list(choices) for name, choices in self.items()}

    @classmethod
    def from_json(cls, data: Mapping[str, Sequence[Choice]]) -> "SearchSpace":
        """The space that ``to_json`` described."""
        return cls({name: tuple(choices) for name, choices in data.items()})


class _Asker:
    """Asks a chooser about a dimension of a space; a single option isn't a question."""

    def __init__(self, space: SearchSpace, choose: Choose) -> None:
        self.space, self.choose = space, choose

    def __call__(self, name: str, options: Sequence[Any] | None = None) -> Any:
        choices = self.space.choices(name)
        options = choices if options is None else options
        if len(options) == 1:
            return options[0]
        if len(options) < len(choices):
            name += f"[{','.join(map(str, options))}]"
        return self.choose(name, options)


def divide(width: int, shares: Sequence[int]) -> list[int]:
    """``width`` divided by ``shares`` in units of 4 channels, largest remainders first.

    The parts add up to ``width``; a share above 0 gets at least one unit.
    """
    units, total = width // UNIT, sum(shares)
    exact = [units * share / total for share in shares]
    parts = [max(int(part), share > 0) for part, share in zip(exact, shares, strict=True)]
    while sum(parts) != units:
        step = 1 if sum(parts) < units else -1
        able = [i for i, share in enumerate(shares) if share and parts[i] + step > 0]
        parts[max(able, key=lambda i: step * (exact[i] - parts[i]))] += step
    return [part * UNIT for part in parts]


def _halved(extent: int, halve: Choice) -> int:
    """Extent after a layer that halves it: stride 2, or a pool that is there."""
    return (extent + 1) // 2 if halve is True or halve == 2 else extent


def _least_halved(extent: int, rest: Sequence[tuple[Choice, ...]]) -> int:
    for choices in rest:
        extent = max(_halved(extent, choice) for choice in choices)
    return extent


def _reduced(ratio: float, width: int) -> int:
    return max(UNIT, UNIT * round(ratio * width / UNIT)) if width else 0


def _toml(choice: Choice) -> str:
    return f'"{choice}"' if isinstance(choice, str) else str(choice).lower()
