"""Tests of the page: whole without a network, figures and tables in order, nothing read as HTML."""

from html.parser import HTMLParser

import plotly.graph_objects as go
import pytest

from studies.page import PageTable, figure_html, page_html

HOSTILE = "<script>alert(1)</script> & <b>x</b> \"q\" 'r' {heading} {0} </title>"
COSTS = PageTable("Costs", ("network", "FLOPs"), (("nin", "1,931,145,728"), ("vgg11", "15")))


class Reader(HTMLParser):
    """A page's tags with their attributes, what they would fetch, and the text outside scripts."""

    def __init__(self, page: str) -> None:
        super().__init__()
        self.tags: list[tuple[str, dict[str, str | None]]] = []
        self.loads: list[str] = []
        self.text: list[str] = []
        self.feed(page)

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.tags.append((tag, dict(attrs)))
        self.loads += [f"{tag} {name}={value}" for name, value in attrs if name in ("src", "href")]

    def handle_data(self, data: str) -> None:
        if self.tags and self.tags[-1][0] not in ("script", "style"):
            self.text += [data.strip()] if data.strip() else []

    def count(self, tag: str) -> int:
        return sum(name == tag for name, _ in self.tags)


def line(title: str = "line") -> go.Figure:
    return go.Figure(go.Scatter(x=[1, 2], y=[3, 4]), {"title_text": title})


def test_the_page_is_whole_without_a_network() -> None:
    page = page_html("A study", [line()], ["a note"], [COSTS])
    assert page.startswith('<!DOCTYPE html>\n<html lang="en">')
    for part in ('<meta charset="utf-8">', 'name="viewport"', "<title>A study</title>"):
        assert part in page
    assert "plotly.js v" in page
    assert '"responsive": true' in page
    assert '"showSendToCloud": false' in page
    reader = Reader(page)
    assert reader.loads == []
    policies = [
        attributes["content"]
        for tag, attributes in reader.tags
        if attributes.get("http-equiv") == "Content-Security-Policy"
    ]
    assert [" ".join(str(policy).split()) for policy in policies] == [
        "default-src 'none'; script-src 'unsafe-inline'; style-src 'unsafe-inline'; "
        "img-src data: blob:"
    ]


def test_the_page_of_a_figure_is_always_the_same() -> None:
    first, second = (page_html("h", [line(), line()], ["n"], [COSTS]) for _ in range(2))
    assert first == second


def test_a_second_figure_of_a_page_needs_no_second_library() -> None:
    fragment = figure_html(line(), "second", with_library=False)
    assert 'id="second"' in fragment
    assert "plotly.js v" not in fragment
    assert len(fragment) < 100_000


def test_figures_share_one_library_and_have_a_div_each() -> None:
    one, three = page_html("h", [line()]), page_html("h", [line("a"), line("b"), line("c")])
    assert three.count("plotly.js v") == one.count("plotly.js v")
    assert len(three) - len(one) < 100_000
    divs = [
        attributes["id"]
        for _, attributes in Reader(three).tags
        if attributes.get("class") == "plotly-graph-div"
    ]
    assert len(set(divs)) == 3
    # The library comes with the first, and each has its own arrangement.
    assert three.index("plotly.js v") < three.index(f'id="{divs[0]}"')
    for div in divs:
        assert f"document.getElementById('{div}')" in three


def test_heading_notes_figures_and_tables_come_in_that_order() -> None:
    page = page_html("The heading", [line()], ["first note", "second note"], [COSTS])
    body = page[page.index("<body>") :]
    parts = ["The heading", "first note", "second note", 'id="figure-1"', "Costs", "vgg11"]
    places = [body.index(part) for part in parts]
    assert places == sorted(places)


def test_without_notes_and_tables_none_are_there() -> None:
    reader = Reader(page_html("h", [line()]))
    assert reader.count("p") == reader.count("table") == 0


def test_a_table_holds_its_cells_in_order() -> None:
    reader = Reader(page_html("h", [line()], [], [COSTS]))
    after = reader.text[reader.text.index("Costs") :]
    assert after == ["Costs", "network", "FLOPs", "nin", "1,931,145,728", "vgg11", "15"]
    assert (reader.count("tr"), reader.count("th"), reader.count("td")) == (3, 2, 4)


def test_columns_of_numbers_are_flush_right() -> None:
    rows = (("nin", "3 ms", "7"), ("vgg11", "15", "none"))
    table = PageTable("", ("a", "b", "c"), rows)
    reader = Reader(page_html("h", [line()], [], [table]))
    cells = [attributes for tag, attributes in reader.tags if tag in ("th", "td")]
    flush = [attributes.get("class") == "number" for attributes in cells]
    assert flush == [False, True, False] * 3


def test_a_table_without_rows_and_one_with_empty_cells_are_drawn() -> None:
    tables = [PageTable("none yet", ("a", "b"), ()), PageTable("gaps", ("a",), (("",), ("1",)))]
    reader = Reader(page_html("h", [line()], [], tables))
    assert (reader.count("table"), reader.count("td")) == (2, 2)


def test_nothing_that_a_caller_writes_is_read_as_html() -> None:
    table = PageTable(HOSTILE, (HOSTILE, "n"), ((HOSTILE, "1"),))
    page = page_html(HOSTILE, [line(HOSTILE)], [HOSTILE], [table])
    assert "<script>alert(1)" not in page
    assert "<b>x" not in page
    # Title, heading, note, caption, column and cell: shown as they were written.
    assert Reader(page).text.count(HOSTILE) == 6


def test_a_page_without_a_figure_is_refused() -> None:
    with pytest.raises(ValueError, match="figures is empty: give at least one figure"):
        page_html("h", [])


@pytest.mark.parametrize("cells", [(), ("a",), ("a", "b", "c")])
def test_a_row_that_does_not_fit_its_table_is_refused(cells: tuple[str, ...]) -> None:
    rule = rf"row 1 of table 'Costs' has {len(cells)} cells? for 2 headings"
    with pytest.raises(ValueError, match=rule):
        PageTable("Costs", ("network", "FLOPs"), (("nin", "1"), cells))
