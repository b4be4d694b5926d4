"""The report as one self-contained HTML page: sections in order, their style and their script."""

import base64
import gzip
import html
import json
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

from plotly.offline import get_plotlyjs

from studies.page import ARRANGE_VIEWS, CONFIG, POLICY, PageTable, table_html
from studies.report import (
    best,
    facts,
    front,
    front_table,
    learning,
    mattered,
    ranking,
    rungs,
    summary,
    volume,
)
from studies.report.content import Content
from studies.report.section import Block, Detail, Drawn, Points, Section, SortTable, Words

SECTIONS: dict[str, Callable[[Content], Section]] = {
    "summary": summary.section,
    "best": best.section,
    "front": front.section,
    "table": front_table.section,
    "volume": volume.section,
    "mattered": mattered.section,
    "rungs": rungs.section,
    "curves": learning.section,
    "ranking": ranking.section,
    "facts": facts.section,
}
"""The report's sections, in the order in which they stand on the page."""

FRONT = ("summary", "best", "front", "table")
"""The sections about the front alone."""

STYLE = Path(__file__).with_name("report.css")
SCRIPT = Path(__file__).with_name("report.js")


def report_html(content: Content, sections: Sequence[str] = tuple(SECTIONS)) -> str:
    """A self-contained HTML document of those sections; plotly.js is inside (about 5 MB).

    Whatever stands in names, reasons and words is shown as text. The page's own policy forbids it
    to load anything.
    """
    figures: dict[str, Any] = {}
    found = [SECTIONS[name](content) for name in sections]
    parts = [_contents(found), *(_section(section, figures) for section in found)]
    name = html.escape(content.study)
    refresh = f'<meta http-equiv="refresh" content="{content.refresh}">' if content.refresh else ""
    live = '<p class="live">This study is running; the page follows it.</p>' if refresh else ""
    style, script = STYLE.read_text("utf-8"), SCRIPT.read_text("utf-8")
    return "\n".join(
        [
            '<!DOCTYPE html>\n<html lang="en">\n<head>\n<meta charset="utf-8">',
            '<meta name="viewport" content="width=device-width, initial-scale=1">',
            '<meta name="color-scheme" content="light dark">',
            f'<meta http-equiv="Content-Security-Policy" content="{POLICY}">',
            refresh,
            f"<title>Study {name}</title>\n<style>\n{style}</style>\n</head>\n<body>\n<main>",
            f"<h1>Study <bdi>{name}</bdi></h1>\n{live}",
            "<noscript><p>Without scripts there are no figures here, only words and tables."
            "</p></noscript>",
            *parts,
            "</main>",
            _data("figures", json.dumps(figures)),
            f'<script type="text/plain" id="details">{_packed(front.details(content))}</script>',
            f"<script>{get_plotlyjs()}</script>",
            f"<script>{ARRANGE_VIEWS}\n{script}</script>\n</body>\n</html>\n",
        ]
    )


def _contents(sections: Sequence[Section]) -> str:
    """Links to the sections."""
    links = [
        f'<li><a href="#{section.element}">{html.escape(section.title)}</a></li>'
        for section in sections
    ]
    return f'<nav aria-label="contents"><ul>{"".join(links)}</ul></nav>'


def _section(section: Section, figures: dict[str, Any]) -> str:
    blocks = "\n".join(_block(block, figures) for block in section.blocks)
    title = html.escape(section.title)
    element = section.element
    return (
        f'<section id="{element}" aria-labelledby="{element}-title">\n'
        f'<h2 id="{element}-title">{title}</h2>\n{blocks}\n</section>'
    )


def _block(block: Block, figures: dict[str, Any]) -> str:
    match block:
        case Words(text):
            return f"<p>{html.escape(text)}</p>"
        case Points(items):
            return f"<ul>{''.join(f'<li>{html.escape(item)}</li>' for item in items)}</ul>"
        case Drawn(element, figure, words, picks):
            figures[element] = json.loads(figure.to_json()) | {"config": _config(picks)}
            return _figure(element, words, picks, figure.layout.height)
        case PageTable():
            return _scrolled(table_html(block), block.caption)
        case SortTable():
            return _scrolled(_sort_table(block), block.caption)
        case Detail():
            return DETAIL


def _config(picks: bool) -> dict[str, Any]:
    return CONFIG | ({} if picks else {"displayModeBar": False})


def _figure(element: str, words: str, picks: bool, height: float | None) -> str:
    said = html.escape(words)
    tall = f' style="height: {height:.0f}px"' if height else ""
    # What can be worked by keys is no image to a screen reader.
    role = 'role="group" tabindex="0" data-picks' if picks else 'role="img"'
    return (
        f'<figure><div class="plot" id="{element}" {role} aria-label="{said}"{tall}></div>'
        f"<figcaption>{said}</figcaption></figure>"
    )


def _scrolled(table: str, caption: str) -> str:
    """A table in a frame of its own that can be scrolled, by keys too."""
    name = html.escape(caption)
    return f'<div class="scroll" role="region" tabindex="0" aria-label="{name}">{table}</div>'


def _sort_table(table: SortTable) -> str:
    heads = "".join(
        f'<th scope="col" aria-sort="none"><button type="button">{html.escape(name)}</button></th>'
        for name in table.header
    )
    rows = []
    for row in table.rows:
        cells = []
        for cell in row:
            kind = "" if isinstance(cell.sort, str) else ' class="number"'
            text = html.escape(cell.text)
            if cell.trial is not None:
                label = f"show trial {cell.trial}"
                text = (
                    f'<button type="button" data-trial="{cell.trial}" aria-label="{label}">'
                    f"{text}</button>"
                )
            cells.append(f'<td{kind} data-sort="{html.escape(str(cell.sort))}">{text}</td>')
        rows.append(f"<tr>{''.join(cells)}</tr>")
    return (
        f'<table class="sorts"><caption>{html.escape(table.caption)}</caption>'
        f"<thead><tr>{heads}</tr></thead>\n<tbody>\n" + "\n".join(rows) + "\n</tbody></table>"
    )


def _data(element: str, text: str) -> str:
    """JSON for the script: no text in it can end the element, or begin a comment."""
    safe = text.replace("<", "\\u003c")
    return f'<script type="application/json" id="{element}">{safe}</script>'


def _packed(data: dict[str, Any]) -> str:
    """Compressed, since drawings repeat themselves; mtime, so that equal data are equal text."""
    packed = gzip.compress(json.dumps(data).encode("utf-8", "replace"), 6, mtime=0)
    return base64.b64encode(packed).decode()


DETAIL = """<section id="detail" aria-labelledby="detail-title">
<h3 id="detail-title" aria-live="polite">No trial is chosen</h3>
<p id="detail-text"></p>
<table id="detail-cost"><caption>Its cost and accuracy</caption>
<thead><tr><th scope="col">what</th><th scope="col">value</th></tr></thead><tbody></tbody></table>
<p>This trains it to the end: <code id="detail-command" dir="ltr"></code></p>
<div id="detail-curve" class="plot" role="img" aria-label="learning curve" hidden></div>
<p id="detail-no-curve" hidden>No learning curve is kept here for this trial.</p>
<div class="scroll" role="region" tabindex="0" aria-label="drawing of the architecture">
<img id="detail-drawing" alt="" hidden></div>
<p id="detail-no-drawing" hidden></p>
</section>"""
