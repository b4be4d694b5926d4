"""The front as a table that sorts by a click on a heading."""

from studies.report.content import Content
from studies.report.section import Block, Cell, Section, SortTable, Words
from studies.wording import counted


def section(content: Content) -> Section:
    """One row a member, cheapest first."""
    front = content.front
    if not front:
        return Section("table", "The front as a table", [Words("No trial has completed yet.")])
    named = [axis.name for axis in content.axes]
    costs = [name for name in ("params", "flops") if name not in named]
    rows = []
    for result in front:
        cells = [Cell(str(result.number), result.number, result.number)]
        cells += [
            Cell(axis.shown(value), value)
            for axis, value in zip(content.axes, result.values, strict=True)
        ]
        if known := content.estimates.of(result):
            chance = content.estimates.on_front(result) or 0.0
            cells += [
                Cell(f"{known.mean:.2%}", known.mean),
                Cell(f"{known.low:.2%} to {known.high:.2%}", known.low),
                Cell(f"{chance:.0%}", chance),
            ]
        cost = {"params": result.params, "flops": result.flops}
        cells += [Cell(f"{cost[name]:,}", cost[name]) for name in costs]
        cells += [Cell(f"{result.seconds:,.1f}", result.seconds), Cell(result.text, result.text)]
        rows.append(tuple(cells))
    about = ("expected accuracy", "95 %", "on the front") if content.estimates.known else ()
    header = ("trial", *named, *about, *costs, "seconds", "architecture")
    members = counted(len(rows), "member")
    caption = f"The front's {members}; seconds are of training and measuring, all rungs"
    blocks: list[Block] = [SortTable(caption, header, tuple(rows))]
    return Section("table", "The front as a table", blocks)
