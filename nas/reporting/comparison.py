"""Networks side by side: measured, timed, on a piece of hardware; as rows, JSON and a page."""

from collections.abc import Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any, NamedTuple

from nas.files import write_text
from nas.reporting.tables import Rows, page_tables
from nas.subjects import Subject, View
from search_space.analysis.comparison import folklore, on_a_chip, size
from search_space.analysis.hardware import Hardware
from search_space.analysis.measures import Measures, measure
from search_space.analysis.roofline import Roofline, roofline
from search_space.device.arena import Arena, arena
from search_space.device.cores import Core
from search_space.device.flash import Flash, flash
from search_space.device.needs import CODE_BYTES
from search_space.device.operations import operations
from search_space.device.work import Work, work
from search_space.graph import Sequence as Graph
from search_space.graph import Shape
from studies.wording import counted

if TYPE_CHECKING:
    from nas.short_run.latency import Latency

BATCH = 32
"""Images of the batch whose latency is measured beside that of one image."""

MOST_BYTES = 2 * 10**9
"""Of that batch's activations; where images are large, the batch is smaller."""


class OnCore(NamedTuple):
    """A network in 8-bit integers as its C file on a core: flash, memory, and what it does."""

    core: Core
    flash: Flash
    arena: Arena
    work: Work

    @property
    def cycles(self) -> int:
        """Of one image, an estimate."""
        return round(self.work.cycles(self.core))


@dataclass(frozen=True)
class Compared:
    """A network, the images that it was looked at on, and everything that was asked about it."""

    name: str
    view: View
    measures: Measures
    latencies: "tuple[Latency, ...]" = ()
    roofline: Roofline | None = None
    device: "OnCore | None" = None


def compare(
    subjects: Sequence[Subject],
    views: Sequence[View],
    hardware: Hardware | None = None,
    timed: bool = False,
    core: Core | None = None,
) -> list[Compared]:
    """Measure the subjects in turn, each on its images.

    ValueError where one can't run or is given twice.
    """
    names = [subject.name for subject in subjects]
    if twice := {name for name in names if names.count(name) > 1}:
        raise ValueError(f"{', '.join(sorted(twice))} is given twice; give every network once")
    graphs = [view.graph(subject) for subject, view in zip(subjects, views, strict=True)]
    found = []
    for name, view, graph in zip(names, views, graphs, strict=True):
        measures = measure(graph, view.shape)
        held = measures.activation_bytes
        latencies = _latencies(graph, view.shape, held) if timed else ()
        roof = roofline(graph, view.shape, hardware) if hardware else None
        device = _on_core(graph, view.shape, core) if core else None
        found.append(Compared(name, view, measures, latencies, roof, device))
    return found


def _on_core(graph: Graph, shape: Shape, core: Core) -> OnCore:
    plan = operations(graph, shape)
    return OnCore(core, flash(plan, CODE_BYTES), arena(plan), work(plan))


def _latencies(graph: Graph, shape: Shape, activation_bytes: int) -> "tuple[Latency, ...]":
    from nas.short_run.latency import measure_latency

    batch = max(1, min(BATCH, MOST_BYTES // activation_bytes))
    return tuple(measure_latency(graph, shape, count) for count in (1, batch))


def alike(compared: Sequence[Compared]) -> View | None:
    """The images that all of them were looked at on; None where these are several."""
    every = {one.view for one in compared}
    return next(iter(every)) if len(every) == 1 else None


def sentences(compared: Sequence[Compared], hardware: Hardware | None) -> list[str]:
    """What the figures say: how these networks compare, and what they mean for the hardware."""
    measured = {one.name: one.measures for one in compared}
    said = [] if alike(compared) else [_apart(compared)]
    said += folklore(measured) if len(compared) > 1 else []
    roofs = {one.name: one.roofline for one in compared if one.roofline}
    return said + (on_a_chip(measured, roofs, hardware) if hardware else [])


def _apart(compared: Sequence[Compared]) -> str:
    """That the networks were looked at on images of different sizes."""
    places = [f"{one.name} {_image(one.view)}" for one in compared]
    return (
        f"Each network takes the images that it is for: {', '.join(places)}; a resolution, if one "
        "is given, is that of all."
    )


def _image(view: View) -> str:
    return "x".join(map(str, view.shape))


def to_json(compared: Sequence[Compared], hardware: Hardware | None) -> dict[str, Any]:
    """Everything as JSON data; times in seconds, energy in joules.

    Where networks were looked at on different images, the common ones are null.
    """
    same = alike(compared)
    return {
        **(_view_json(same) if same else dict.fromkeys(("channels", "resolution", "classes"))),
        "networks": [_network_json(one) for one in compared],
        "hardware": asdict(hardware) if hardware else None,
        "sentences": sentences(compared, hardware),
    }


def _view_json(view: View) -> dict[str, int]:
    return {"channels": view.shape[0], "resolution": view.shape[1], "classes": view.classes}


def _network_json(one: Compared) -> dict[str, Any]:
    measures = one.measures._asdict()
    shares = {
        kind: {"params": params, "flops": flops}
        for kind, (params, flops) in one.measures.shares.items()
    }
    out: dict[str, Any] = {"name": one.name, **_view_json(one.view), **measures, "shares": shares}
    if one.latencies:
        out["latency"] = [latency._asdict() for latency in one.latencies]
    if one.roofline:
        layers = [layer._asdict() for layer in one.roofline.layers]
        out["roofline"] = one.roofline._asdict() | {"layers": layers}
    if one.device:
        out["device"] = {"name": one.device.core.name, **_device_json(one.device)}
    return out


def _device_json(device: OnCore) -> dict[str, Any]:
    return {
        "flash_bytes": device.flash.total,
        "arena_bytes": device.arena.bytes,
        "least_arena_bytes": device.arena.least,
        **device.work._asdict(),
        "cycles": device.cycles,
        "seconds": device.cycles / device.core.hertz,
    }


def flat_rows(compared: Sequence[Compared]) -> list[dict[str, Any]]:
    """A dictionary a network of numbers and words alone, for a data frame; times in seconds."""
    rows = []
    for one in compared:
        measures = {k: v for k, v in one.measures._asdict().items() if k != "shares"}
        row = {"name": one.name, **_view_json(one.view), **measures}
        for latency in one.latencies:
            row[f"latency_{latency.batch}"] = latency.median
        if roof := one.roofline:
            row |= {f"least_{name}": getattr(roof, name) for name in ("seconds", "energy")}
        if one.device:
            told = ("flash_bytes", "arena_bytes", "cycles")
            row |= {name: _device_json(one.device)[name] for name in told}
        rows.append(row)
    return rows


def tables(compared: Sequence[Compared], hardware: Hardware | None) -> list[Rows]:
    """All that was measured, a row a network, in tables that are narrow enough for a terminal."""
    found = [_size_rows(compared), _memory_rows(compared), _sight_rows(compared)]
    if compared[0].latencies:
        found.append(_latency_rows(compared))
    if hardware:
        found += [_time_rows(compared, hardware), _chip_rows(compared, hardware)]
    if compared[0].device:
        found += [_device_rows(compared, compared[0].device.core), _work_rows(compared)]
    found.append(_share_rows(compared))
    if len(compared) == 1 and compared[0].roofline:
        found.append(_layer_rows("Layer by layer", compared[0].roofline))
    return found


def _size_rows(compared: Sequence[Compared]) -> Rows:
    same = alike(compared)
    classes = {one.view.classes for one in compared}
    about = counted(max(classes), "class", "classes") if len(classes) == 1 else "their classes"
    where = f"{_image(same)} images" if same else "The images that each is for"
    rows = [
        (
            one.name,
            *(() if same else (_image(one.view),)),
            f"{one.measures.params:,}",
            f"{one.measures.macs:,}",
            f"{one.measures.flops:,}",
        )
        for one in compared
    ]
    image = () if same else ("image",)
    header = ("network", *image, "parameters", "multiply-adds (MACs)", "FLOPs")
    return Rows(f"{where}, {about}", header, rows, firm=True)


def _memory_rows(compared: Sequence[Compared]) -> Rows:
    rows = [
        (
            one.name,
            size(one.measures.weight_bytes),
            size(one.measures.activation_bytes),
            size(one.measures.moved_bytes),
            f"{one.measures.intensity:.1f}",
        )
        for one in compared
    ]
    header = ("network", "weights", "peak activations", "bytes moved", "FLOPs per byte")
    return Rows("Memory in float32, of one image", header, rows, firm=True)


def _sight_rows(compared: Sequence[Compared]) -> Rows:
    rows = [
        (
            one.name,
            "{} x {} pixels".format(*one.measures.receptive_field),
            f"{one.measures.depth}",
        )
        for one in compared
    ]
    header = ("network", "receptive field", "depth, layers")
    return Rows("What the last map sees, and depth", header, rows, firm=True)


def _latency_rows(compared: Sequence[Compared]) -> Rows:
    device = compared[0].latencies[0].device
    where = "one thread, CPU time" if device == "cpu" else device
    rows = [
        (
            "" if place else one.name,
            f"{latency.batch}",
            span(latency.median),
            f"{span(latency.low)} to {span(latency.high)}",
        )
        for one in compared
        for place, latency in enumerate(one.latencies)
    ]
    return Rows(f"Latency, {where}", ("network", "images", "median", "quartiles"), rows, firm=True)


def _share_rows(compared: Sequence[Compared]) -> Rows:
    """A row a kind of layer, below its network; the largest share of either first."""
    rows = []
    for one in compared:
        ranked = sorted(one.measures.shares.items(), key=lambda item: -max(item[1]))
        for place, (kind, (params, flops)) in enumerate(ranked):
            rows.append(("" if place else one.name, kind, f"{params:.1%}", f"{flops:.1%}"))
    header = ("network", "kind of layer", "of its parameters", "of its FLOPs")
    return Rows("Where parameters and FLOPs lie, by kind of layer", header, rows, firm=True)


def _time_rows(compared: Sequence[Compared], hardware: Hardware) -> Rows:
    rows = [
        (
            one.name,
            span(roof.seconds),
            f"{roof.memory_share:.0%}",
            f"{roof.intensity:.1f}",
            f"{1e3 * roof.energy:,.3g} mJ",
        )
        for one in compared
        if (roof := one.roofline)
    ]
    header = ("network", "least latency", "bound by memory", "FLOPs per byte", "energy")
    ridge = f"ridge at {hardware.ridge:.3g} FLOPs per byte"
    return Rows(f"On {hardware.name}: {ridge}", header, rows, firm=True)


def _chip_rows(compared: Sequence[Compared], hardware: Hardware) -> Rows:
    rows = [
        (
            one.name,
            _fits(roof.on_chip_activations, roof.activations_fit),
            _fits(roof.on_chip_total, roof.total_fits),
            span(roof.on_chip_seconds),
            f"{1e3 * roof.on_chip_energy:,.3g} mJ",
        )
        for one in compared
        if (roof := one.roofline)
    ]
    header = ("network", "activations", "with weights", "least latency", "energy")
    return Rows(f"Kept on the chip of {hardware.name}", header, rows, firm=True)


def _device_rows(compared: Sequence[Compared], core: Core) -> Rows:
    rows = [
        (
            one.name,
            f"{on.flash.total:,}",
            f"{on.arena.bytes:,}",
            f"{on.arena.least:,}",
            f"{on.cycles:,}",
            span(on.cycles / core.hertz),
        )
        for one in compared
        if (on := one.device)
    ]
    header = ("network", "flash", "memory", "least", "cycles", "time")
    caption = f"As C in 8-bit integers on {core.name}: bytes are exact, cycles an estimate"
    return Rows(caption, header, rows, firm=True)


def _work_rows(compared: Sequence[Compared]) -> Rows:
    rows = [
        (one.name, *(f"{count:,}" for count in one.device.work)) for one in compared if one.device
    ]
    header = ("network", *(name.replace("_", "-") for name in Work._fields))
    return Rows("What its kernels do for an image", header, rows, firm=True)


def _fits(count: int, fits: bool) -> str:
    return f"{size(count)}, {'fits' if fits else 'too much'}"


def _layer_rows(caption: str, roof: Roofline) -> Rows:
    rows = [
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
    return Rows(caption, ("layer", "kind", "FLOPs", "bytes", "FLOPs/byte", "bound", "time"), rows)


def write_page(compared: Sequence[Compared], hardware: Hardware | None, path: Path) -> None:
    """Write the comparison as one self-contained page, with the roofline if it was asked for."""
    from studies.page import page_html
    from studies.roofline_plot import Spot, roofline_figure
    from studies.shares_plot import shares_figure

    names = tuple(one.name for one in compared)
    figures = []
    notes = sentences(compared, hardware)
    every = tables(compared, hardware)
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
        notes = [*notes, f"Of the hardware: {hardware.source}"]
        every += [
            _layer_rows(f"{one.name}, layer by layer", one.roofline)
            for one in compared
            if one.roofline and len(compared) > 1
        ]
    figures.append(shares_figure({one.name: one.measures.shares for one in compared}))
    pages = page_tables(every)
    same = alike(compared)
    heading = f"{', '.join(names)} at {_image(same)}" if same else ", ".join(names)
    write_text(path, page_html(heading, figures, notes, pages), "page")


def span(seconds: float) -> str:
    """A short time in words."""
    for unit, factor in (("s", 1.0), ("ms", 1e-3), ("us", 1e-6)):
        if seconds >= factor:
            return f"{seconds / factor:.3g} {unit}"
    return f"{seconds / 1e-9:.3g} ns"
