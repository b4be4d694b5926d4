"""An architecture in words, short enough for a table, a plot's hover or Optuna Dashboard."""

from search_space.architecture import Architecture, Block, Candidate, Details, Stage, Stem


def describe(candidate: Candidate | Architecture) -> str:
    """One line of words; parts are separated by '; '."""
    architecture = candidate.architecture if isinstance(candidate, Candidate) else candidate
    parts = [_stem(architecture.stem), *map(_stage, architecture.stages)]
    parts.append({"none": "no batch norm"}.get(architecture.norm, architecture.norm))
    parts += _details(architecture.details)
    parts += [
        f"auxiliary head after block {head.block} of stage {head.stage} x{head.weight:g}"
        for head in architecture.auxiliary
    ]
    if architecture.dropout:
        parts.append(f"dropout {architecture.dropout:g}")
    if isinstance(candidate, Candidate) and candidate.label_smoothing:
        parts.append(f"label smoothing {candidate.label_smoothing:g}")
    return "; ".join(parts)


def _details(details: Details) -> list[str]:
    words = {
        "biased": details.bias,
        "batch norm after pool branches": details.pool_norm,
        f"batch norm eps {details.norm_eps:g}": details.norm_eps != Details.norm_eps,
        "unpadded pools": details.unpadded_pools,
    }
    return [word for word, holds in words.items() if holds]


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
    if stage.reduction == "none":
        return words
    reduction = stage.reduction
    if stage.reduction_widths:
        single, double = stage.reduction_widths[:2], stage.reduction_widths[2:]
        reduction += f" [{single[0]}>{single[1]} | {double[0]}>{double[1]}>{double[1]} | pool]"
    return f"{reduction} then {words}"


def _block(block: Block) -> str:
    branches = [f"1x1 {block.width_1x1}"] if block.width_1x1 else []
    branches += [f"{k}x{k} {reduce}>{width}" for _, k, reduce, width in block.large if width]
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
