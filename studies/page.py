"""The page that shows figures and tables of plain text without a network, as one HTML file.

The functions return strings; they never show or save. Whatever a caller writes is escaped.
"""

import html
from collections.abc import Sequence
from dataclasses import dataclass

import plotly.graph_objects as go

from studies.wording import counted

CONFIG = {
    "responsive": True,
    "displaylogo": False,
    # Plotly 7 has a button that sends the data to its cloud, unless told otherwise.
    "showSendToCloud": False,
    # What remains fits beside the title on a narrow page.
    "modeBarButtonsToRemove": ["select2d", "lasso2d", "zoomIn2d", "zoomOut2d", "autoScale2d"],
}


@dataclass(frozen=True)
class PageTable:
    """A table of plain text: a caption, one heading a column, and rows of as many cells.

    A column whose cells all begin with a digit is set flush right. Raises ValueError on a row
    with more or fewer cells than there are headings.
    """

    caption: str
    header: tuple[str, ...]
    rows: tuple[tuple[str, ...], ...]

    def __post_init__(self) -> None:
        for index, row in enumerate(self.rows):
            if len(row) != len(self.header):
                raise ValueError(
                    f"row {index} of table {self.caption!r} has {counted(len(row), 'cell')} "
                    f"for {counted(len(self.header), 'heading')}: give one cell per heading"
                )


def figure_html(figure: go.Figure, element: str, with_library: bool) -> str:
    """A figure as an HTML fragment that lays its views out anew when the width changes.

    `element` is the id of its div. `with_library` puts plotly.js inside: once a page, first.
    """
    fragment: str = figure.to_html(
        full_html=False,
        include_plotlyjs=with_library,
        div_id=element,
        config=CONFIG,
        post_script=ARRANGE,
    )
    return fragment


def page_html(
    heading: str,
    figures: Sequence[go.Figure],
    notes: Sequence[str] = (),
    tables: Sequence[PageTable] = (),
) -> str:
    """A self-contained HTML document; plotly.js is inside once (about 5 MB).

    From top to bottom: the heading, the notes as paragraphs, the figures (they share what is left
    of the window's height, and the page scrolls where that is too little), the tables. The page's
    own policy forbids it to load anything at all, so that it works, and stays private, on a
    computer without a network. Raises ValueError without a figure.
    """
    if not figures:
        raise ValueError("figures is empty: give at least one figure for the page")
    parts = [f"<p>{html.escape(note)}</p>" for note in notes]
    parts += [
        figure_html(figure, f"figure-{place}", with_library=place == 1)
        for place, figure in enumerate(figures, start=1)
    ]
    parts += map(table_html, tables)
    return PAGE.format(policy=POLICY, heading=html.escape(heading), body="\n".join(parts))


def table_html(table: PageTable) -> str:
    """A table as an HTML fragment, everything in it escaped."""
    numeric = [
        bool(table.rows) and all(row[column][:1].isdigit() for row in table.rows)
        for column in range(len(table.header))
    ]

    def line(cells: Sequence[str], tag: str) -> str:
        scope = ' scope="col"' if tag == "th" else ""
        kinds = [' class="number"' if number else "" for number in numeric]
        opening = [f"<{tag}{scope}{kind}>" for kind in kinds]
        shown = [
            f"{start}{html.escape(cell)}</{tag}>"
            for start, cell in zip(opening, cells, strict=True)
        ]
        return f"<tr>{''.join(shown)}</tr>"

    lines = [line(row, "td") for row in table.rows]
    return "\n".join(
        [
            f"<section><table><caption>{html.escape(table.caption)}</caption>",
            f"<thead>{line(table.header, 'th')}</thead>",
            "<tbody>",
            *lines,
            "</tbody></table></section>",
        ]
    )


POLICY = (
    "default-src 'none'; script-src 'unsafe-inline'; style-src 'unsafe-inline'; img-src data: blob:"
)
"""What a page may load: nothing at all."""

# Views stay side by side while each has the width for it, else they wrap; Plotly itself would
# only squeeze them. Gaps are in pixels because the labels that they hold do not shrink.
ARRANGE_VIEWS = """
function arrangeViews(plot) {
  const views = Object.keys(plot.layout).filter(k => /^xaxis[0-9]*$/.test(k)).map(k => k.slice(5));
  const edge = plot.layout.margin, gap = {x: 85, y: 75};
  const margin = {x: edge.l + edge.r, y: edge.t + edge.b};
  let last = '';
  function arrange() {
    const across = Math.max(1, Math.min(views.length, 3, Math.floor(plot.clientWidth / 340)));
    const down = Math.ceil(views.length / across);
    const least = margin.y + down * 280 + (down - 1) * gap.y;
    plot.style.minHeight = least + 'px';
    const width = plot.clientWidth - margin.x;
    const height = Math.max(plot.clientHeight, least) - margin.y;
    const now = [across, width, height].join();
    if (now === last || width <= 0) return;
    last = now;
    const place = (index, count, size, space) => {
      const part = (1 - (count - 1) * space / size) / count;
      const start = index * (part + space / size);
      return [Math.max(0, start), Math.min(1, start + part)];
    };
    const change = {};
    views.forEach((view, index) => {
      change['xaxis' + view + '.domain'] = place(index % across, across, width, gap.x);
      change['yaxis' + view + '.domain'] =
        place(down - 1 - Math.floor(index / across), down, height, gap.y);
    });
    Plotly.relayout(plot, change).then(() => Plotly.Plots.resize(plot));
  }
  arrange();
  new ResizeObserver(arrange).observe(plot);
}
"""
ARRANGE = ARRANGE_VIEWS + "arrangeViews(document.getElementById('{plot_id}'));"

PAGE = """<!DOCTYPE html>
<html lang="en">
<head>
<meta charset="utf-8">
<meta name="viewport" content="width=device-width, initial-scale=1">
<meta http-equiv="Content-Security-Policy" content="{policy}">
<title>{heading}</title>
<style>
html, body {{ height: 100%; margin: 0; }}
body {{ display: flex; flex-direction: column; font: 15px system-ui, sans-serif;
  color: #24313d; background: white; }}
h1 {{ font-size: 1.3rem; margin: 0.8rem 1rem 0; }}
p {{ margin: 0.3rem 1rem 0; }}
body > div {{ flex: 1; }}
section {{ flex: none; overflow-x: auto; padding: 0.5rem 1rem 1rem; }}
table {{ border-collapse: collapse; font-size: 0.9rem; font-variant-numeric: tabular-nums; }}
caption {{ text-align: left; font-weight: 600; padding-bottom: 0.3rem; white-space: nowrap; }}
th, td {{ text-align: left; padding: 0.25rem 1.2rem 0.25rem 0; border-bottom: 1px solid #dfe4e8; }}
.number {{ text-align: right; }}
</style>
</head>
<body>
<h1>{heading}</h1>
{body}
</body>
</html>
"""
