"""SearchSpace: the choices of each dimension, sampling through a chooser, TOML.

The branches of a stage's blocks have widths of their own, unless the space gives a dimension of
those that divide a block's width by shares (``stage.width``, ``stage.share_1x1`` ...): then it is
one of shares, as all were once.

A chooser is asked about every dimension of the stem, of each stage that is there, and of the head;
an answer that changes nothing (the 1xn size where nothing is asymmetric) leaves no trace in the
architecture. So a stage's answers come together, and a sampler can learn them together.

Where earlier answers rule some options out, the name carries the options that are left
(``body.stages[1,2]``), since Optuna allows one name one set of choices only.
"""

import tomllib
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from html import escape
from typing import Any

from search_space.architecture import Architecture, Block, Candidate, Stage, Stem
from search_space.checks import check_range
from search_space.dimensions import (
    BEFORE,
    DEFAULTS_0_1,
    DIMENSIONS,
    DIVIDED,
    MAX_STAGES,
    OF_ONE_STAGE,
    SHARES,
    STEP,
    UNIT,
    WIDTHS,
    Choice,
    general,
)

Choose = Callable[[str, Sequence[Any]], Any]
"""Picks one of the options for the dimension of that name; ``trial.suggest_categorical`` does."""


@dataclass(frozen=True)
class SearchSpace:
    """The choices of each dimension, by the names of ``DIMENSIONS`` (and ``stage1.x`` ... ).

    A dimension that isn't given keeps its default choices. ValueError on an unknown dimension, an
    impossible choice, or a block that can have no branch.
    """

    given: Mapping[str, tuple[Choice, ...]] = field(default_factory=dict)
    divided: bool = field(init=False, compare=False, default=False)
    written: Mapping[str, tuple[Choice, ...]] = field(init=False, compare=False, repr=False)

    def __post_init__(self) -> None:
        checked: dict[str, tuple[Choice, ...]] = {}
        if not isinstance(self.given, Mapping):
            raise ValueError(f"space is {self.given!r}; give choices by the names of dimensions")
        for name, choices in self.given.items():
            choices = tuple(choices) if isinstance(choices, list) else choices
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
        object.__setattr__(self, "written", dict(checked))
        shared = [name for name in checked if _of(name, DIVIDED)]
        own = [name for name in checked if _of(name, WIDTHS)]
        if shared and own:
            raise ValueError(
                f"{shared[0]} and {own[0]} exclude each other; a space either divides the width of "
                f"its blocks by shares ({', '.join(DIVIDED)}) or has widths for its branches "
                f"({', '.join(WIDTHS)})"
            )
        if shared:  # which says of a space that it divides
            checked.setdefault("stage.width", DIMENSIONS["stage.width"].choices)
        object.__setattr__(self, "divided", bool(shared))
        object.__setattr__(self, "given", checked)
        while usual := next(filter(self._says_nothing, self.given), None):
            object.__setattr__(self, "given", {n: c for n, c in self.given.items() if n != usual})
        for stage in range(1, MAX_STAGES + 1):
            branches = SHARES if self.divided else WIDTHS[:4]
            if not any(any(self.choices(f"stage{stage}.{branch}")) for branch in branches):
                what = "share" if self.divided else "width"
                raise ValueError(f"stage{stage}: every {what} can only be 0; allow one above 0")

    def of_0_1(self) -> "SearchSpace":
        """What the same choices were in version 0.1, whose other dimensions had other defaults.

        ValueError where they could not be given then.
        """
        return SearchSpace(DEFAULTS_0_1 | dict(self.written))

    def _says_nothing(self, name: str) -> bool:
        """Whether every dimension's choices would be the same if that one weren't given."""
        if name == "stage.width" and self.divided:
            return False
        rest = {other: found for other, found in self.given.items() if other != name}
        own = {f"stage{number}.{name[6:]}" for number in range(1, MAX_STAGES + 1)}
        concerned = {name, *own} if name.startswith("stage.") else {name}
        return all(self.choices(one) == _choices(one, rest) for one in concerned)

    def choices(self, name: str) -> tuple[Choice, ...]:
        """The choices of the dimension of that name; a stage's own before those of all stages."""
        return _choices(name, self.given)

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
            total = ask(f"{name}.width") if self.divided else 0
            count = ask(f"{name}.blocks")
            branches = self.branch_widths(choose, name, total) | self.kernels(choose, name)
            width = Block(**branches).width
            same = inputs == width
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
        second = None
        if halvings["stem.second"]:
            one, three = ask("stem.second_1x1"), ask("stem.second_3x3")
            second = narrowed(one, width, UNIT), narrowed(three, width, UNIT)
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

    def branch_widths(self, choose: Choose, stage: str, width: int = 0) -> dict[str, int]:
        """Widths of the branches of the block that a stage repeats, and of what is before them.

        ``width`` are the block's channels, where shares divide them.
        """
        ask = _Asker(self, choose)
        if self.divided:
            shares = [ask(f"{stage}.{share}") for share in SHARES]
            if not any(shares):  # the last branch that may be there takes the width
                able = [
                    i for i, share in enumerate(SHARES) if any(self.choices(f"{stage}.{share}"))
                ]
                shares[able[-1]] = 1
            one, three, five, pool = divide(width, shares)
            before_three = before_five = ask(f"{stage}.reduce")
            step = UNIT
        else:
            one, three, five, pool = (ask(f"{stage}.{name}") for name in WIDTHS[:4])
            before_three, before_five = (ask(f"{stage}.{name}") for name in WIDTHS[4:])
            step = STEP
            if not one + three + five + pool:
                one, three, five, pool = self._narrowest(stage)
        return {
            "width_1x1": one,
            "reduce_3x3": narrowed(before_three, three, step),
            "width_3x3": three,
            "reduce_5x5": narrowed(before_five, five, step),
            "width_5x5": five,
            "width_pool": pool,
        }

    def _narrowest(self, stage: str) -> list[int]:
        """Widths of a stage's branches where none was chosen: one branch, of its least width."""
        widths = [0, 0, 0, 0]
        for place in (1, 0, 2, 3):
            above = [int(width) for width in self.choices(f"{stage}.{WIDTHS[place]}") if width]
            if above:
                widths[place] = min(above)
                break
        return widths

    def kernels(self, choose: Choose, stage: str) -> dict[str, Any]:
        """How the branches of a stage's blocks are made: factorization, its n, the pooling."""
        ask = _Asker(self, choose)
        return {name: ask(f"{stage}.{name}") for name in ("factorization", "n", "pool")}

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
        unused = WIDTHS if self.divided else DIVIDED
        own = {*self.given, *OF_ONE_STAGE} - {*DIMENSIONS}
        for name in (*DIMENSIONS, *sorted(own)):
            overridden = name not in self.given and general(name) in self.given
            if not _of(name, unused) and not (name not in DIMENSIONS and overridden):
                yield name, self.choices(name)

    def _repr_html_(self) -> str:
        """The dimensions and their choices, in a notebook."""
        rows = "".join(
            f"<tr><td>{escape(name)}</td><td>{escape(', '.join(map(_toml, choices)))}</td></tr>"
            for name, choices in self.items()
        )
        return f"<table><tr><th>dimension</th><th>choices</th></tr>{rows}</table>"

    def to_json(self) -> dict[str, list[Choice]]:
        """Every dimension's choices as JSON data: equal for equal spaces.

        What was no dimension once, and is as it was then, is left out.
        """
        return {n: list(choices) for n, choices in self.items() if BEFORE.get(n) != choices}

    @classmethod
    def from_json(cls, data: Mapping[str, Sequence[Choice]]) -> "SearchSpace":
        """The space that ``to_json`` described, in this version or an earlier one."""
        return cls(BEFORE | {name: tuple(choices) for name, choices in data.items()})


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


def narrowed(ratio: float, width: int, step: int) -> int:
    """``width`` times a ratio, as a multiple of ``step`` channels, at least one; none of none."""
    return max(step, step * round(ratio * width / step)) if width else 0


def _choices(name: str, given: Mapping[str, tuple[Choice, ...]]) -> tuple[Choice, ...]:
    base = general(name)
    found = given.get(name) or given.get(base)
    return found or OF_ONE_STAGE.get(name) or DIMENSIONS[base].choices


def _of(name: str, keys: Sequence[str]) -> bool:
    """Whether that is one of these dimensions of a stage, or of all stages."""
    table, _, key = general(name).partition(".")
    return table == "stage" and key in keys


def _toml(choice: Choice) -> str:
    return f'"{choice}"' if isinstance(choice, str) else str(choice).lower()
