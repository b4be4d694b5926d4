"""Networks side by side: measured, timed, on a piece of hardware; as rows, JSON and a page."""

from collections.abc import Callable, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

from nas.files import write_text
from nas.subjects import Subject, View
from search_space.analysis.comparison import folklore, on_a_chip, size
from search_space.analysis.hardware import Hardware
from search_space.analysis.measures import Measures, measure
from search_space.analysis.roofline import Roofline, roofline
from search_space.graph import Sequence as Graph
from search_space.graph import Shape
from studies.wording import counted

if TYPE_CHECKING:
    from nas.short_run.latency import Latency

BATCH = 32
"""Images of the batch whose latency is measured beside that of one image."""

MOST_BYTES = 2 * 10**9
"""Of that batch's activations; where images are large, the batch is smaller."""


@dataclass(frozen=True)
class Compared:
    """A network and everything that was asked about it."""

    name: str
    measures: Measures
    latencies: "tuple[Latency, ...]" = ()
    roofline: Roofline | None = None


def compare(
    subjects: Sequence[Subject], view: View, hardware: Hardware | None, timed: bool
) -> list[Compared]:
    """Measure the subjects in turn; ValueError where one can't run or is given twice."""
    names = [subject.name for subject in subjects]
    if twice := {name for name in names if names.count(name) > 1}:
        raise ValueError(f"{', '.join(sorted(twice))} is given twice; give every network once")
    graphs = [view.graph(subject) for subject in subjects]
    found = []
    for name, graph in zip(names, graphs, strict=True):
        measures = measure(graph, view.shape)
        held = measures.activation_bytes
        latencies = _latencies(graph, view.shape, held) if timed else ()
        roof = roofline(graph, view.shape, hardware) if hardware else None
        found.append(Compared(name, measures, latencies, roof))
    return found


def _latencies(graph: Graph, shape: Shape, activation_bytes: int) -> "tuple[Latency, ...]":
    from nas.short_run.latency import measure_latency

    batch = max(1, min(BATCH, MOST_BYTES // activation_bytes))
    return tuple(measure_latency(graph, shape, count) for count in (1, batch))


def sentences(compared: Sequence[Compared], hardware: Hardware | None) -> list[str]:
    """What the figures say: how these networks compare, and what they mean for the hardware."""
    measured = {one.name: one.measures for one in compared}
    said = folklore(measured) if len(compared) > 1 else []
    roofs = {one.name: one.roofline for one in compared if one.roofline}
    return said + (on_a_chip(measured, roofs, hardware) if hardware else [])


def to_json(compared: Sequence[Compared], view: View, hardware: Hardware | None) -> dict[str, Any]:
    """Everything as JSON data; times in seconds, energy in joules."""
    return {
        "channels": view.shape[0],
        "resolution": view.shape[1],
        "classes": view.classes,
        "networks": [_network_json(one) for one in compared],
        "hardware": asdict(hardware) if hardware else None,
        "sentences": sentences(compared, hardware),
    }


def _network_json(one: Compared) -> dict[str, Any]:
    measures = one.measures._asdict()
    shares = {
        kind: {"params": params, "flops": flops}
        for kind, (params, flops) in one.measures.shares.items()
    }
    out: dict[str, Any] = {"name": one.name, **measures, "shares": shares}
    if one.latencies:
        out["latency"] = [latency._asdict() for latency in one.latencies]
    if one.roofline:
        layers = [layer._asdict() for layer in one.roofline.layers]
        out["roofline"] = one.roofline._asdict() | {"layers": layers}
    return out


Row = tuple[str, Callable[[Compared], str]]


def measure_rows(compared: Sequence[Compared]) -> list[tuple[str, ...]]:
    """The measures and latencies, one row each, a column a network."""
    rows: list[Row] = [
        ("parameters", lambda one: f"{one.measures.params:,}"),
        ("multiply-adds (MACs)", lambda one: f"{one.measures.macs:,}"),
        ("FLOPs", lambda one: f"{one.measures.flops:,}"),
        ("weights, float32", lambda one: size(one.measures.weight_bytes)),
        ("peak activations", lambda one: size(one.measures.activation_bytes)),
        ("bytes moved", lambda one: size(one.measures.moved_bytes)),
        ("FLOPs per byte", lambda one: f"{one.measures.intensity:.1f}"),
        ("receptive field", lambda one: "{} x {}".format(*one.measures.receptive_field)),
        ("depth", lambda one: counted(one.measures.depth, "layer")),
    ]
    if compared[0].latencies:
        where = compared[0].latencies[0].device
        where = "one thread, CPU time" if where == "cpu" else where
        rows.append((f"1 image, {where}", lambda one: _latency(one.latencies[0])))
        rows.append((f"a batch, {where}", lambda one: _latency(one.latencies[1])))
    return [(name, *map(words, compared)) for name, words in rows]


def _latency(latency: "Latency") -> str:
    count = f"{latency.batch}: " if latency.batch > 1 else ""
    return f"{count}{span(latency.median)} ({span(latency.low)} to {span(latency.high)})"


def share_rows(compared: Sequence[Compared]) -> list[tuple[str, ...]]:
    """Share of the parameters and of the FLOPs by kind of layer, one row each."""
    kinds = dict.fromkeys(kind for one in compared for kind in one.measures.shares)
    ranked = sorted(kinds, key=lambda kind: -max(max(_share(one, kind)) for one in compared))
    return [(kind, *(_shares(one, kind) for one in compared)) for kind in ranked]


def _share(one: Compared, kind: str) -> tuple[float, float]:
    return one.measures.shares.get(kind, (0.0, 0.0))


def _shares(one: Compared, kind: str) -> str:
    params, flops = _share(one, kind)
    return f"{params:.1%} / {flops:.1%}" if params or flops else ""


def roofline_rows(compared: Sequence[Compared]) -> list[tuple[str, ...]]:
    """What the hardware makes of the networks, one row each."""
    rows: list[tuple[str, Callable[[Roofline], str]]] = [
        ("least latency", lambda roof: span(roof.seconds)),
        ("of it bound by memory", lambda roof: f"{roof.memory_share:.0%}"),
        ("FLOPs per byte", lambda roof: f"{roof.intensity:.1f}"),
        ("energy", lambda roof: f"{1e3 * roof.energy:,.3g} mJ"),
        (
            "on-chip, activations",
            lambda roof: _fits(roof.on_chip_activations, roof.activations_fit),
        ),
        ("on-chip, with weights", lambda roof: _fits(roof.on_chip_total, roof.total_fits)),
        ("latency, activations on chip", lambda roof: span(roof.on_chip_seconds)),
        ("energy, activations on chip", lambda roof: f"{1e3 * roof.on_chip_energy:,.3g} mJ"),
    ]
    roofs = [one.roofline for one in compared if one.roofline]
    return [(name, *map(words, roofs)) for name, words in rows]


def _fits(count: int, fits: bool) -> str:
    return f"{size(count)}, {'fits' if fits else 'too much'}"


def layer_rows(roof: Roofline) -> list[tuple[str, ...]]:
    """The roofline layer by layer: name, kind, FLOPs, bytes, FLOPs per byte, bound, time."""
    return [
        (
            layer.name,
            layer.kind,
            f"{layer.flops:,}",
            f"{layer.bytes:,}",
            f"{layer.intensity:.1f}",
            layer.bound,
            span(layer.seconds),
        )
        for layer in roof.layers
    ]


LAYER_HEADER = ("layer", "kind", "FLOPs", "bytes", "FLOPs/byte", "bound", "time")


def write_page(
    compared: Sequence[Compared], view: View, hardware: Hardware | None, path: Path
) -> None:
    """Write the comparison as one self-contained page, with the roofline if it was asked for."""
    from studies.page import PageTable, page_html
    from studies.roofline_plot import Spot, roofline_figure
    from studies.shares_plot import shares_figure

    names = tuple(one.name for one in compared)
    figures, tables = [], []
    shape = "x".join(map(str, view.shape))
    caption = f"Measured on {shape} images, {counted(view.classes, 'class', 'classes')}"
    tables.append(PageTable(caption, ("", *names), tuple(measure_rows(compared))))
    notes = sentences(compared, hardware)
    if hardware:
        spots = [
            Spot(
                one.name,
                roof.intensity,
                roof.flops / roof.seconds,
                (
                    f"{roof.flops:,} FLOPs, {roof.bytes:,} bytes",
                    f"least latency {span(roof.seconds)}, {roof.memory_share:.0%} of it memory",
                    f"energy {1e3 * roof.energy:,.3g} mJ",
                ),
                tuple((x.name, x.intensity, x.flops / x.seconds) for x in roof.layers if x.flops),
            )
            for one in compared
            if (roof := one.roofline)
        ]
        title = f"Roofline of {hardware.name}"
        figures.append(roofline_figure(spots, hardware.peak_flops, hardware.bandwidth, title))
        rows = tuple(roofline_rows(compared))
        tables.append(PageTable(f"On {hardware.name}", ("", *names), rows))
        notes = [*notes, f"Of the hardware: {hardware.source}"]
    figures.append(shares_figure({one.name: one.measures.shares for one in compared}))
    caption = "Share of the parameters / of the FLOPs by kind of layer"
    tables.append(PageTable(caption, ("", *names), tuple(share_rows(compared))))
    for one in compared:
        if one.roofline:
            caption = f"{one.name}, layer by layer"
            tables.append(PageTable(caption, LAYER_HEADER, tuple(layer_rows(one.roofline))))
    heading = f"{', '.join(names)} at {view.shape[1]}x{view.shape[2]}"
    write_text(path, page_html(heading, figures, notes, tables), "page")


def span(seconds: float) -> str:
    """A short time in words."""
    for unit, factor in (("s", 1.0), ("ms", 1e-3), ("us", 1e-6)):
        if seconds >= factor:
            return f"{seconds / factor:.3g} {unit}"
    return f"{seconds / 1e-9:.3g} ns"
