"""Tests of the report in a browser: drawn, clicked, sorted; quiet, and nothing leaves the page."""

from collections.abc import Callable, Iterator
from importlib.resources import files
from pathlib import Path
from typing import Any

import pytest

from studies.report.content import Content
from studies.report.document import report_html

MakeContent = Callable[..., Content]
CHOSEN = "document.getElementById('detail-title').textContent"
FIRST = "document.querySelector('table.sorts tbody tr td').innerText"


@pytest.fixture(scope="module")
def page(make_content: MakeContent, tmp_path_factory: pytest.TempPathFactory) -> Path:
    path = tmp_path_factory.mktemp("page") / "report.html"
    path.write_text(report_html(make_content(90)))
    return path


@pytest.fixture(scope="module")
def window(browser: Any, page: Path) -> Iterator[Any]:
    with browser.tab() as tab:
        tab.open(page)
        yield tab


@pytest.fixture
def opened(window: Any) -> Iterator[Any]:
    yield window
    assert window.errors == []
    outside = [url for url in window.requests if not url.startswith(("file:", "blob:", "data:"))]
    assert outside == []
    assert len([url for url in window.requests if url.startswith("file:")]) == 1


def test_the_front_is_drawn_and_the_most_accurate_trial_is_shown(opened: Any) -> None:
    assert opened.value("document.querySelectorAll('#front-figure .points path').length") > 60
    accuracies = opened.value(
        "[...document.querySelectorAll('table.sorts tbody tr')].map(r => [r.cells[0].innerText,"
        " Number(r.cells[1].dataset.sort)])"
    )
    best = max(accuracies, key=lambda row: row[1])[0]
    assert opened.value(CHOSEN) == f"Trial {best}, on the front"


def test_every_figure_is_drawn_as_it_comes_into_view(opened: Any) -> None:
    figures = opened.value("[...document.querySelectorAll('figure .plot')].map(plot => plot.id)")
    assert len(figures) == 8
    for figure in figures:
        opened.value(f"document.getElementById('{figure}').scrollIntoView()")
        opened.until(f"'drawn' in document.getElementById('{figure}').dataset")


def test_a_click_on_a_point_shows_the_architecture_its_cost_and_its_command(opened: Any) -> None:
    before = opened.value(CHOSEN)
    point = "#front-figure .scatterlayer .trace:nth-child(3) .points path"
    opened.value(f"document.querySelector('{point}').classList.add('aimed-at')")
    opened.click("#front-figure .aimed-at", covered=True)
    opened.until(f"{CHOSEN} !== {before!r}")
    number = opened.value(CHOSEN).split()[1].rstrip(",")
    command = opened.value("document.getElementById('detail-command').textContent")
    assert command == f"nas train {number} --study s --storage sqlite:///nas.db"
    assert opened.value("document.getElementById('detail-text').textContent") == f"net {number}"
    drawing = "document.getElementById('detail-drawing')"
    opened.until(f"{drawing}.hidden || {drawing}.naturalWidth === 40")
    instead = opened.value("document.getElementById('detail-no-drawing').hidden")
    assert opened.value(f"{drawing}.hidden") is not instead
    assert opened.value("location.hash") == f"#trial-{number}"


def test_the_arrow_keys_step_through_the_front(opened: Any) -> None:
    opened.value("document.getElementById('front-figure').focus()")
    opened.press("Home")
    first = opened.value(CHOSEN)
    assert f"Trial {opened.value(FIRST)}," in first
    drawing = "document.getElementById('detail-drawing')"
    opened.until(f"{drawing}.hidden || {drawing}.alt.startsWith('Drawing of')")
    opened.press("ArrowRight")
    assert opened.value(CHOSEN) != first
    opened.press("ArrowLeft")
    assert opened.value(CHOSEN) == first


def test_a_click_on_a_heading_sorts_and_says_so(opened: Any) -> None:
    column = (
        "[...document.querySelectorAll('table.sorts tbody tr')]"
        ".map(r => Number(r.cells[1].dataset.sort))"
    )
    state = "document.querySelector('table.sorts th:nth-child(2)').getAttribute('aria-sort')"
    for wanted, backwards in (("ascending", False), ("descending", True)):
        opened.click("table.sorts th:nth-child(2) button")
        assert opened.value(state) == wanted
        values = opened.value(column)
        assert values == sorted(values, reverse=backwards)
        assert len(values) > 2


def test_a_button_in_the_table_shows_its_trial(opened: Any) -> None:
    opened.click("table.sorts tbody tr:first-child button")
    assert opened.value(CHOSEN) == f"Trial {opened.value(FIRST)}, on the front"


def test_dark_and_light_follow_the_system(opened: Any) -> None:
    colour = "getComputedStyle(document.querySelector('#front-figure .xtick text')).fill"
    for scheme, ink in (("dark", "rgb(227, 232, 237)"), ("light", "rgb(36, 49, 61)")):
        opened.prefer(scheme)
        opened.until(f"{colour} === {ink!r}")


def test_a_phone_needs_no_sideways_scrolling(browser: Any, page: Path) -> None:
    with browser.tab(width=390) as phone:
        phone.open(page)
        assert phone.value("document.documentElement.scrollWidth") <= 390
        assert phone.value("document.querySelector('#front-figure .main-svg').clientWidth") <= 390


def test_what_goes_wrong_on_a_page_is_noticed(browser: Any, tmp_path: Path) -> None:
    path = tmp_path / "wrong.html"
    path.write_text(
        "<meta http-equiv=Content-Security-Policy content=\"img-src 'none'\"><img src=no.png>"
        "<link rel=stylesheet href=gone.css>"
        "<script>console.error('said')</script>"
        "<script>setTimeout(() => { late = 1; throw Error('thrown') })</script>"
    )
    with browser.tab() as tab:
        tab.visit(path.as_uri(), "window.late === 1")
        for word in ("Content Security Policy", "ERR_FILE_NOT_FOUND", "said", "thrown"):
            assert any(word in error for error in tab.errors), word
        assert path.with_name("gone.css").as_uri() in tab.requests


def test_nothing_hostile_is_interpreted(browser: Any, hostile: Content, tmp_path: Path) -> None:
    path = tmp_path / "hostile.html"
    path.write_text(report_html(hostile))
    with browser.tab() as tab:
        tab.open(path)
        tab.click("table.sorts tbody tr:first-child button")
        assert tab.value("window.hacked") is None
        assert tab.value("document.querySelectorAll('b, i, a:not(nav a), iframe').length") == 0
        assert hostile.study in tab.value("document.querySelector('h1').textContent")
        assert "<script>" in tab.value("document.getElementById('detail-text').textContent")
        tab.value("document.getElementById('effects-figure').scrollIntoView()")
        tab.until("document.getElementById('effects-figure').textContent.includes('<script>')")
        assert tab.errors == []


@pytest.fixture(scope="module")
def axe() -> str:
    """The accessibility rules of axe-core, as a script."""
    package = pytest.importorskip("axe_playwright_python", reason="pip install -e '.[test]'")
    return (files(package) / "axe.min.js").read_text()


@pytest.mark.parametrize(
    ("scheme", "width"),
    [
        ("light", 390),
        ("dark", 1400),
        pytest.param("light", 1400, marks=pytest.mark.slow),
        pytest.param("dark", 390, marks=pytest.mark.slow),
    ],
)
def test_a_screen_reader_finds_its_way(
    browser: Any, page: Path, axe: str, scheme: str, width: int
) -> None:
    """Images have text, tables have headers, text has contrast: axe-core's rules, all of them."""
    with browser.tab(width, scheme) as tab:
        tab.open(page)
        for figure in tab.value("[...document.querySelectorAll('figure .plot')].map(p => p.id)"):
            tab.value(f"document.getElementById('{figure}').scrollIntoView()")
            tab.until(f"'drawn' in document.getElementById('{figure}').dataset")
        rows = tab.value("document.querySelectorAll('table.sorts tbody tr').length")
        for row in range(1, rows + 1):  # not all of them have a drawing
            tab.click(f"table.sorts tbody tr:nth-child({row}) button")
            if not tab.value("document.getElementById('detail-drawing').hidden"):
                break
        tab.value(f"{axe}; 0")
        found = tab.value("axe.run(document).then(r => [r.passes.map(p => p.id), r.violations])")
    passed, violations = found
    assert [
        (one["id"], [(node["html"], node["failureSummary"]) for node in one["nodes"]])
        for one in violations
    ] == []
    assert {"color-contrast", "td-headers-attr", "image-alt", "button-name"} <= set(passed)


def test_a_long_table_shows_its_first_rows_until_all_are_asked_for(
    browser: Any, page: Path
) -> None:
    shown = (
        "[...document.querySelectorAll('table.sorts tbody tr')].filter(r => r.offsetParent).length"
    )
    more = "table.sorts ~ *, #table .more"
    with browser.tab() as tab:
        tab.open(page)
        rows = tab.value("document.querySelector('table.sorts').tBodies[0].rows.length")
        assert rows > 15
        assert tab.value(shown) == 12
        assert tab.value(f"document.querySelector('{more}').innerText") == f"show all {rows} rows"
        # Sorted anew it shows the first of that order.
        tab.click("table.sorts thead th:nth-child(2) button")
        cells = "[...document.querySelectorAll('table.sorts tbody td:nth-child(2)')]"
        values = f"{cells}.map(cell => Number(cell.dataset.sort))"
        assert tab.value(values) == sorted(tab.value(values))
        assert tab.value(shown) == 12
        tab.click(more)
        assert tab.value(shown) == rows


def test_on_a_telephone_everything_is_legible(browser: Any, page: Path) -> None:
    """Drawings scroll sideways, captions are whole, a tap on a point leads to what it changed."""
    with browser.tab(390, "light") as tab:
        tab.open(page)
        assert tab.value("document.documentElement.scrollWidth") == 390
        drawing = "document.getElementById('detail-drawing')"
        assert tab.value(f"parseFloat(getComputedStyle({drawing}).width)") >= 800
        tab.until("'drawn' in document.getElementById('front-figure').dataset")
        captions = "[...document.querySelectorAll('caption')]"
        widths = f"{captions}.map(c => c.getBoundingClientRect().width)"
        assert max(tab.value(widths)) <= 390
        tall = "Math.max(...[...document.querySelectorAll('td')].map(c => c.offsetHeight))"
        assert tab.value(tall) < 200
        curves = "document.getElementById('detail-curve')"
        buttons = "[...document.querySelectorAll('[data-trial]')]"
        tab.value(f"{buttons}.some(button => (button.click(), !{curves}.hidden))")
        tab.until(f"{curves}.layout")
        domains = f"[{curves}.layout.yaxis.domain[0], {curves}.layout.yaxis2.domain[1]]"
        above, below = tab.value(domains)
        assert above > below
        tab.value("document.getElementById('front-figure').scrollIntoView()")
        tab.until("'drawn' in document.getElementById('front-figure').dataset")
        tab.value(
            "document.getElementById('front-figure').emit("
            "'plotly_click', {points: [{customdata: Number(document.querySelector"
            "('table.sorts tbody button').dataset.trial)}]})"
        )
        tab.until("Math.abs(document.getElementById('detail').getBoundingClientRect().top) < 40")


def test_the_contents_lead_to_every_section(opened: Any) -> None:
    links = opened.value("[...document.querySelectorAll('nav a')].map(a => a.getAttribute('href'))")
    sections = opened.value("[...document.querySelectorAll('main > section')].map(s => '#' + s.id)")
    assert links == sections


def test_no_accuracy_axis_goes_beyond_100_percent(opened: Any) -> None:
    ends = opened.value(
        "Object.values(document.getElementById('front-figure').layout)"
        ".filter(a => a && a.tickformat === '~%').map(a => a.range[1])"
    )
    assert ends
    assert max(ends) <= 1
