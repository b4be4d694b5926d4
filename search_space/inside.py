"""Whether a space has a given candidate, and by which choices."""

from collections.abc import Sequence
from itertools import product
from typing import Any

from search_space.architecture import Block, Candidate, Stage, Stem
from search_space.dimensions import MAX_STAGES, SHARES, STEP, UNIT
from search_space.space import SearchSpace, divide, narrowed


def params_of(space: SearchSpace, candidate: Candidate, resolution: int) -> dict[str, Any] | None:
    """The params that make ``space`` give that candidate; None where it doesn't have it.

    ValueError where no candidate of the space can run at that resolution.
    """
    architecture = candidate.architecture
    if len(architecture.stages) > MAX_STAGES:
        return None
    wanted: dict[str, Any] = {
        **_stem(space, architecture.stem),
        "body.stages": len(architecture.stages),
        "body.batch_norm": architecture.norm != "none",
        "body.order": architecture.norm,
        "head.dropout": architecture.dropout,
        "head.label_smoothing": candidate.label_smoothing,
    }
    for number, stage in enumerate(architecture.stages, 1):
        of_stage = _stage(space, f"stage{number}", stage)
        wanted |= {f"stage{number}.{key}": value for key, value in of_stage.items()}
    params: dict[str, Any] = {}

    def choose(name: str, options: Sequence[Any]) -> Any:
        value = wanted.get(name.partition("[")[0])
        params[name] = value if value in options else options[0]
        return params[name]

    return params if space.sample(choose, resolution) == candidate else None


def _stem(space: SearchSpace, stem: Stem) -> dict[str, Any]:
    found: dict[str, Any] = {
        f"stem.{name}": getattr(stem, name) for name in ("kernel", "stride", "pool", "width")
    }
    found["stem.second"] = stem.second is not None
    for name, width in zip(("stem.second_1x1", "stem.second_3x3"), stem.second or (), strict=False):
        found |= {name: _ratio(space, name, stem.width, width, UNIT)}
    return found


def _ratio(space: SearchSpace, name: str, of: int, width: int, step: int) -> Any:
    """The choice that narrows a width to another; None where none does."""
    fits = (r for r in space.choices(name) if narrowed(float(r), of, step) == width)
    return next(fits, None)


def _stage(space: SearchSpace, name: str, stage: Stage) -> dict[str, Any]:
    block = stage.blocks[-1]  # the first one can't add its input where widths differ
    found: dict[str, Any] = {"reduction": stage.reduction, "blocks": len(stage.blocks)}
    for key in ("factorization", "n", "pool", "residual", "scale"):
        found[key] = getattr(block, key)
    if space.divided:
        return found | _shares(space, name, block)
    for key in ("width_1x1", "width_3x3", "width_5x5", "width_pool"):
        found[key] = getattr(block, key)
    for key, _, before, width in block.large:
        dimension = f"reduce_{key}"
        found[dimension] = _ratio(space, f"{name}.{dimension}", width, before, STEP)
    return found


def _shares(space: SearchSpace, name: str, block: Block) -> dict[str, Any]:
    """The shares that divide a block's width so, and the ratio before its kernels."""
    widths = [block.width_1x1, block.width_3x3, block.width_5x5, block.width_pool]
    before = [(width, narrow) for _, _, narrow, width in block.large]
    for shares in product(*(space.choices(f"{name}.{share}") for share in SHARES)):
        given = [int(share) for share in shares]
        if any(given) and divide(block.width, given) == widths:
            for ratio in space.choices(f"{name}.reduce"):
                if all(narrowed(float(ratio), width, UNIT) == narrow for width, narrow in before):
                    return {
                        "width": block.width,
                        "reduce": ratio,
                        **dict(zip(SHARES, given, strict=True)),
                    }
    return {}
