"""Architectures and candidates: frozen data, validation, JSON round trip, canonical key.

Equal networks are equal values: a choice that changes nothing (a 1xn size where nothing is
asymmetric, a pooling kind without a pool branch) is set to its default on construction.

.. [Szegedy2015] C. Szegedy et al., Going Deeper with Convolutions, CVPR 2015.
.. [Szegedy2016] C. Szegedy et al., Rethinking the Inception Architecture, CVPR 2016.
.. [Szegedy2017] C. Szegedy et al., Inception-v4, Inception-ResNet, AAAI 2017.
.. [Ioffe2015] S. Ioffe and C. Szegedy, Batch Normalization, ICML 2015.
.. [He2016] K. He et al., Identity Mappings in Deep Residual Networks, ECCV 2016.
"""

import dataclasses
import hashlib
import json
from collections.abc import Collection, Mapping
from dataclasses import dataclass, field
from functools import cached_property
from typing import Any, Self

from search_space.factorization import FACTORIZATIONS

POOLS = ("max", "avg")
RESIDUALS = ("none", "block", "branch")
REDUCTIONS = ("none", "max-pool", "inception")
NORMS = ("none", "conv-bn-relu", "bn-relu-conv")
N_SIZES = (3, 5, 7)


def check_choice(name: str, value: object, options: Collection[object]) -> None:
    """Raise a ValueError that names the valid options unless ``value`` is one of them."""
    if not any(type(value) is type(option) and value == option for option in options):
        listed = ", ".join(str(option) for option in options)
        raise ValueError(f"{name} is {value!r}; choose one of: {listed}")


def check_type(name: str, value: object, kind: type) -> None:
    """Raise a ValueError unless ``value`` is a ``kind``."""
    if not isinstance(value, kind):
        raise ValueError(f"{name} is {value!r}; it must be one {kind.__name__}")


def check_range(name: str, value: object, low: float, high: float, integer: bool = True) -> None:
    """Raise a ValueError that states the range unless low <= ``value`` <= high."""
    kinds = (int,) if integer else (int, float)
    if isinstance(value, bool) or not isinstance(value, kinds) or not low <= value <= high:
        kind = "a whole number" if integer else "a number"
        raise ValueError(f"{name} is {value!r}; it must be {kind} from {low:g} to {high:g}")


class _Data:
    """JSON of frozen dataclasses: fields that have their default value are left out."""

    def to_json(self) -> dict[str, Any]:
        """Plain JSON data; ``from_json`` gives an equal value back."""
        out: dict[str, Any] = {}
        for spec in dataclasses.fields(self):  # type: ignore[arg-type]
            value = getattr(self, spec.name)
            if value == spec.default:
                continue
            if isinstance(value, _Data):
                value = value.to_json()
            elif isinstance(value, tuple):
                value = [item.to_json() if isinstance(item, _Data) else item for item in value]
            out[spec.name] = value
        return out

    @classmethod
    def from_json(cls, data: Mapping[str, Any]) -> Self:
        """The value that ``to_json`` described; ValueError on anything else."""
        if not isinstance(data, Mapping):
            raise ValueError(f"{cls.__name__} is {data!r}; it must be a JSON object")
        specs = {spec.name: spec for spec in dataclasses.fields(cls)}  # type: ignore[arg-type]
        for name in data:
            check_choice(f"field of {cls.__name__}", name, specs)
        values: dict[str, Any] = {}
        for name, spec in specs.items():
            if name not in data:
                if spec.default is dataclasses.MISSING:
                    raise ValueError(f"{cls.__name__} has no {name!r}; it must be given")
                continue
            part = spec.metadata.get("of")
            value = data[name]
            if part and isinstance(value, list):
                value = tuple(part.from_json(item) for item in value)
            elif part:
                value = part.from_json(value)
            elif isinstance(value, list):
                value = tuple(value)
            values[name] = value
        return cls(**values)


@dataclass(frozen=True)
class Stem(_Data):
    """What stands before the first stage ([Szegedy2015]_ table 1, first five rows).

    ``width`` channels out of a ``kernel`` x ``kernel`` convolution with ``stride``, then a 3x3/2
    max-pool if ``pool``; ``second`` adds GoogLeNet's second part, a 1x1 convolution of
    ``second[0]`` and a 3x3 convolution of ``second[1]`` channels, and its 3x3/2 max-pool.
    """

    width: int
    kernel: int = 3
    stride: int = 1
    pool: bool = False
    second: tuple[int, int] | None = None

    def __post_init__(self) -> None:
        check_range("stem width", self.width, 1, 4096)
        check_choice("stem kernel", self.kernel, (1, 3, 5, 7, 9, 11))
        check_range("stem stride", self.stride, 1, 4)
        check_choice("stem pool", self.pool, (False, True))
        if self.second is not None:
            if not isinstance(self.second, tuple) or len(self.second) != 2:
                raise ValueError(
                    f"stem second is {self.second!r}; it must be the widths of its 1x1 and its 3x3"
                )
            for width in self.second:
                check_range("stem second width", width, 1, 4096)


@dataclass(frozen=True)
class Block(_Data):
    """One Inception block ([Szegedy2015]_ figure 2b): up to four branches, concatenated.

    Widths are output channels; a branch of width 0 is absent. ``reduce_3x3`` and ``reduce_5x5``
    are the widths of the 1x1 convolutions before the large kernels. ``n`` is the 1xn size of the
    asymmetric factorization ([Szegedy2016]_ section 3.2). ``residual`` is ``block``: the
    concatenation, projected to the input's width and multiplied by ``scale``, is added to the
    input ([Szegedy2017]_ section 3.3), so the output is as wide as the input; or ``branch``: the
    input is added to every branch, projected where widths differ.
    """

    width_1x1: int = 0
    reduce_3x3: int = 0
    width_3x3: int = 0
    reduce_5x5: int = 0
    width_5x5: int = 0
    width_pool: int = 0
    pool: str = "max"
    factorization: str = "none"
    n: int = 3
    residual: str = "none"
    scale: float = 1.0

    def __post_init__(self) -> None:
        for name in ("width_1x1", "width_3x3", "width_5x5", "width_pool"):
            check_range(f"block {name}", getattr(self, name), 0, 4096)
        if not self.width:
            raise ValueError("block width is 0; give at least one branch a width above 0")
        for kernel, reduce, width in self.large:
            check_range(f"block reduce_{kernel}x{kernel}", reduce, 1 if width else 0, 4096)
            if not width:
                object.__setattr__(self, f"reduce_{kernel}x{kernel}", 0)
            elif width < 2:
                raise ValueError(f"block width_{kernel}x{kernel} is {width}; at least 2")
        check_choice("block pool", self.pool, POOLS)
        check_choice("block factorization", self.factorization, FACTORIZATIONS)
        check_choice("block n", self.n, N_SIZES)
        check_choice("block residual", self.residual, RESIDUALS)
        check_range("block scale", self.scale, 0.01, 1.0, integer=False)
        self._drop_what_changes_nothing()

    def _drop_what_changes_nothing(self) -> None:
        widths = [(kernel, width) for kernel, _, width in self.large if width]

        def steps(factorization: str, n: int) -> list[object]:
            return [FACTORIZATIONS[factorization](kernel, width, n) for kernel, width in widths]

        if not self.width_pool:
            object.__setattr__(self, "pool", "max")
        if steps(self.factorization, self.n) == steps("none", self.n):
            object.__setattr__(self, "factorization", "none")
        if steps(self.factorization, 3) == steps(self.factorization, 5):
            object.__setattr__(self, "n", 3)
        if self.residual != "block":
            object.__setattr__(self, "scale", 1.0)

    @property
    def width(self) -> int:
        """Channels of the concatenated branches."""
        return self.width_1x1 + self.width_3x3 + self.width_5x5 + self.width_pool

    @property
    def large(self) -> tuple[tuple[int, int, int], ...]:
        """(kernel, reduce, width) of the 3x3 and of the 5x5 branch."""
        return (3, self.reduce_3x3, self.width_3x3), (5, self.reduce_5x5, self.width_5x5)


@dataclass(frozen=True)
class Stage(_Data):
    """Blocks at one resolution, and the reduction that halves the maps before them.

    ``max-pool`` is a 3x3/2 max-pool; ``inception`` the strided Inception reduction
    ([Szegedy2016]_ figure 10), which doubles the width as it halves the maps.
    """

    blocks: tuple[Block, ...] = field(metadata={"of": Block})
    reduction: str = "none"

    def __post_init__(self) -> None:
        if not isinstance(self.blocks, tuple) or not self.blocks:
            raise ValueError(f"stage blocks is {self.blocks!r}; a stage has at least one block")
        for number, block in enumerate(self.blocks, 1):
            check_type(f"block {number} of a stage", block, Block)
        check_choice("stage reduction", self.reduction, REDUCTIONS)


@dataclass(frozen=True)
class Architecture(_Data):
    """A stem, stages of Inception blocks, and a head: global average pool, dropout, linear.

    ``norm`` is the batch norm of [Ioffe2015]_ in one of two orders; in ``bn-relu-conv`` the first
    stem convolution is plain, nothing follows an addition, and one BN-ReLU stands before the
    head ([He2016]_).
    """

    stem: Stem = field(metadata={"of": Stem})
    stages: tuple[Stage, ...] = field(metadata={"of": Stage})
    norm: str = "none"
    dropout: float = 0.0

    def __post_init__(self) -> None:
        check_type("stem", self.stem, Stem)
        if not isinstance(self.stages, tuple) or not self.stages:
            raise ValueError(f"stages is {self.stages!r}; an architecture has at least one stage")
        for number, stage in enumerate(self.stages, 1):
            check_type(f"stage {number}", stage, Stage)
        for number, stage in enumerate(self.stages, 1):
            if (stage.reduction == "none") is not (number == 1):
                raise ValueError(
                    f"stage {number} reduction is {stage.reduction!r}; the first stage has none "
                    "(the stem pools instead), every other has one"
                )
        check_choice("norm", self.norm, NORMS)
        check_range("dropout", self.dropout, 0.0, 0.9, integer=False)

    @cached_property
    def key(self) -> str:
        """16 hexadecimal digits: equal exactly for equal networks."""
        return _key(self)


@dataclass(frozen=True)
class Candidate(_Data):
    """What one trial evaluates: an architecture and its label-smoothing epsilon."""

    architecture: Architecture = field(metadata={"of": Architecture})
    label_smoothing: float = 0.0

    def __post_init__(self) -> None:
        check_type("architecture", self.architecture, Architecture)
        check_range("label smoothing", self.label_smoothing, 0.0, 0.5, integer=False)

    @cached_property
    def key(self) -> str:
        """16 hexadecimal digits: equal exactly for equal candidates."""
        return _key(self)


def _key(value: _Data) -> str:
    text = json.dumps(value.to_json(), sort_keys=True, separators=(",", ":"))
    return hashlib.sha256(text.encode()).hexdigest()[:16]
