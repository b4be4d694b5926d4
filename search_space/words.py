"""An architecture in words, short enough for a table, a plot's hover or Optuna Dashboard."""

from search_space.architecture import Architecture, Block, Candidate, Stage, Stem


def describe(candidate: Candidate | Architecture) -> str:
    """One line of words; parts are separated by '; '."""
    architecture = candidate.architecture if isinstance(candidate, Candidate) else candidate
    parts = [_stem(architecture.stem), *map(_stage, architecture.stages)]
    parts.append({"none": "no batch norm"}.get(architecture.norm, architecture.norm))
    if architecture.dropout:
        parts.append(f"dropout {architecture.dropout:g}")
    if isinstance(candidate, Candidate) and candidate.label_smoothing:
        parts.append(f"label smoothing {candidate.label_smoothing:g}")
    return "; ".join(parts)


def _stem(stem: Stem) -> str:
    words = f"stem {stem.kernel}x{stem.kernel}/{stem.stride} {stem.width}"
    if stem.pool:
        words += " pool"
    if stem.second:
        words += f" 1x1 {stem.second[0]} 3x3 {stem.second[1]} pool"
    return words


def _stage(stage: Stage) -> str:
    runs: list[tuple[int, str]] = []
    for block in map(_block, stage.blocks):
        if runs and runs[-1][1] == block:
            runs[-1] = (runs[-1][0] + 1, block)
        else:
            runs.append((1, block))
    words = " + ".join(f"{count} x {block}" for count, block in runs)
    return words if stage.reduction == "none" else f"{stage.reduction} then {words}"


def _block(block: Block) -> str:
    branches = [f"1x1 {block.width_1x1}"] if block.width_1x1 else []
    branches += [f"{k}x{k} {reduce}>{width}" for k, reduce, width in block.large if width]
    if block.width_pool:
        branches.append(f"{block.pool}-pool {block.width_pool}")
    words = f"[{' | '.join(branches)}]"
    if block.factorization == "asymmetric":
        words += f" asymmetric n={block.n}"
    elif block.factorization != "none":
        words += f" {block.factorization}"
    if block.residual == "block":
        words += f" residual block x{block.scale:g}"
    elif block.residual == "branch":
        words += " residual branch"
    return words
