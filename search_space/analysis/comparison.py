"""How networks compare in parameters and computation, in sentences made of their measures alone."""

from collections.abc import Mapping
from itertools import combinations

from search_space.analysis.hardware import Hardware
from search_space.analysis.measures import Measures
from search_space.analysis.roofline import Roofline

ALIKE = 1.05
"""Counts within this factor of each other are called about equal."""


def folklore(measured: Mapping[str, Measures]) -> list[str]:
    """Sentences with figures on the networks ``measured``, by name; none if there are none.

    First pairs: the network with most parameters and the one with fewest, the second of either
    end, and, if it is another, the pair in which the one with fewer parameters does most more
    computation. Then where the parameters and the multiply-adds of these networks lie. Last, if
    any of the networks joins branches as Inception does, what its convolutions are not.
    """
    counted = {name: m for name, m in measured.items() if m.params and m.macs}
    pairs = _pairs(counted)
    paired = {name for pair in pairs for name in pair}
    named = [name for name in counted if name in paired] or list(counted)
    sentences = [_compared(*pair, measured) for pair in pairs]
    params, macs = [], []
    for name in named:
        kinds = measured[name].shares
        heaviest, busiest = _largest(kinds, 0), _largest(kinds, 1)
        share, other = kinds[heaviest]
        params.append(_place(name, heaviest, share, "parameters", other, "multiply-adds"))
        if busiest != heaviest:
            other, share = kinds[busiest]
            macs.append(_place(name, busiest, share, "multiply-adds", other, "parameters"))
    sentences += [f"{'; '.join(places)}." for places in (params, macs) if places]
    if any(measures.branches > 1 for measures in measured.values()):
        sentences.append(
            "No network here has depthwise convolutions: every convolution mixes all channels of "
            "its input."
        )
    return sentences


def on_a_chip(
    measured: Mapping[str, Measures], roofs: Mapping[str, Roofline], hardware: Hardware
) -> list[str]:
    """What the networks mean for a chip, a sentence or two each: memory, bandwidth, energy.

    Then which few kernels do most of their work, for whoever builds units for them.
    """
    room = size(hardware.on_chip_bytes)
    sentences = []
    for name, roof in roofs.items():
        weights = roof.on_chip_total - roof.on_chip_activations
        needs = f"{size(weights)} of weights and {size(roof.on_chip_activations)} of activations"
        fits = "fit" if roof.total_fits else "do not fit"
        sentence = f"{name}'s {needs} {fits} into {room} on the chip"
        if roof.activations_fit and not roof.total_fits:
            sentence += ", its activations alone do"
        saved = 1 - roof.on_chip_energy / roof.energy if roof.energy else 0.0
        sentences.append(
            f"{sentence}; {_percent(roof.memory_share)} of its least latency waits for memory, and "
            f"activations that stay on the chip save {_percent(saved)} of the energy."
        )
    busiest = {
        name: sorted(measured[name].shares.items(), key=lambda item: -item[1][1])[:2]
        for name in roofs
    }
    places = [
        f"{_percent(sum(share for _, (_, share) in top))} of {name}'s multiply-adds are in its "
        f"{' and '.join(_plural(kind) for kind, _ in top)}"
        for name, top in busiest.items()
    ]
    whom = "it" if len(roofs) == 1 else "them"
    return [*sentences, f"{'; '.join(places)}: units for these kernels serve {whom} best."]


def size(count: int) -> str:
    """Bytes in words, in decimal units."""
    for unit, factor in (("GB", 1e9), ("MB", 1e6), ("kB", 1e3)):
        if count >= factor:
            number = count / factor
            return f"{number:.3g} {unit}" if number < 999.5 else f"{number:,.0f} {unit}"
    return f"{count} bytes"


def _pairs(measured: Mapping[str, Measures]) -> list[tuple[str, str]]:
    """At most three pairs of names, the one with more parameters first."""
    ranked = sorted(measured, key=lambda name: -measured[name].params)
    pairs = list(zip(ranked, reversed(ranked), strict=True))[: len(ranked) // 2][:2]

    def contrast(pair: tuple[str, str]) -> float:
        more, fewer = measured[pair[0]], measured[pair[1]]
        return more.params / fewer.params * fewer.macs / more.macs

    against = [pair for pair in combinations(ranked, 2) if _contradicts(*pair, measured)]
    strongest = max(against, key=contrast, default=None)
    return pairs if strongest is None or strongest in pairs else [*pairs, strongest]


def _contradicts(more: str, fewer: str, measured: Mapping[str, Measures]) -> bool:
    """Whether ``fewer`` has clearly fewer parameters and does clearly more computation."""
    first, second = measured[more], measured[fewer]
    return first.params >= ALIKE * second.params and second.macs >= ALIKE * first.macs


def _compared(more: str, fewer: str, measured: Mapping[str, Measures]) -> str:
    first, second = measured[more], measured[fewer]
    params, macs = first.params / second.params, first.macs / second.macs
    words = f"{more} has about as many parameters as {fewer}"
    if params >= ALIKE:
        words = f"{more} has {_times(params)} times the parameters of {fewer}"
    if macs >= ALIKE:
        return f"{words} and does {_times(macs)} times its multiply-adds."
    if 1 / macs < ALIKE:
        return f"{words} and does about as many multiply-adds."
    words += f", yet {fewer} does {_times(1 / macs)} times the multiply-adds of {more}"
    if _contradicts(more, fewer, measured):
        words += ": fewer parameters do not mean less computation"
    return f"{words}."


def _largest(kinds: Mapping[str, tuple[float, float]], which: int) -> str:
    return max(kinds, key=lambda kind: kinds[kind][which])


def _place(name: str, kind: str, share: float, what: str, other: float, others: str) -> str:
    there = f"{_percent(share)} of {name}'s {what} are in its {_plural(kind)}"
    return f"{there}, {_percent(other)} of its {others}"


def _plural(kind: str) -> str:
    """Layers of a graph's kind: "conv 3x3" are 3x3 convolutions."""
    family, _, rest = kind.partition(" ")
    if family == "conv":
        return f"{rest} convolutions"
    return "linear layers" if kind == "linear" else f"{kind} layers"


def _times(ratio: float) -> str:
    return f"{ratio:.1f}" if ratio < 9.95 else f"{ratio:,.0f}"


def _percent(share: float) -> str:
    if 0 < share < 0.005:
        return "under 1 %"
    if 0.995 <= share < 1:
        return "over 99 %"
    return f"{100 * share:.0f} %"
