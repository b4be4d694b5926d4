"""Tests of the report as a document: whole, in order, of every kind of study, all text as text."""

import base64
import gzip
import json
import re
from collections.abc import Callable
from dataclasses import replace
from html.parser import HTMLParser
from typing import Any

import pytest
from plotly.offline import get_plotlyjs

from studies.axis import Axis
from studies.kept import Kept
from studies.report.content import Content
from studies.report.document import FRONT, SECTIONS, report_html
from studies.trials import Trial

MakeContent = Callable[..., Content]
ACCURACY = Axis("accuracy", "fraction", maximize=True, log=False, reference=0.1)
PARAMS = Axis("params", "parameters", maximize=False, log=True, reference=1e7)


class Reader(HTMLParser):
    """A page's tags with their attributes, and the text of each heading and table cell."""

    def __init__(self, page: str) -> None:
        super().__init__()
        self.tags: list[tuple[str, dict[str, str | None]]] = []
        self.text: list[str] = []
        self.data: dict[str, str] = {}
        self.feed(page.replace(get_plotlyjs(), ""))

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.tags.append((tag, dict(attrs)))

    def handle_data(self, data: str) -> None:
        tag, attributes = self.tags[-1] if self.tags else ("", {})
        if tag == "script":
            self.data.setdefault(str(attributes.get("id")), data)
        elif tag != "style" and data.strip():
            self.text.append(data.strip())

    def all(self, tag: str) -> list[dict[str, str | None]]:
        return [attributes for name, attributes in self.tags if name == tag]

    def details(self) -> dict[str, Any]:
        packed = base64.b64decode(self.data["details"])
        return dict(json.loads(gzip.decompress(packed)))


def figures(page: str) -> dict[str, Any]:
    return dict(json.loads(Reader(page).data["figures"]))


@pytest.fixture(scope="module")
def page(make_content: MakeContent) -> str:
    return report_html(make_content(90))


def test_the_page_is_whole_and_loads_nothing(page: str) -> None:
    reader = Reader(page)
    assert page.startswith('<!DOCTYPE html>\n<html lang="en">')
    assert not any("src" in a for _, a in reader.tags)
    links = [a["href"] for _, a in reader.tags if "href" in a]
    elements = {a["id"] for _, a in reader.tags if "id" in a}
    assert links
    assert all(link.startswith("#") and link[1:] in elements for link in links)
    policy = next(a for a in reader.all("meta") if a.get("http-equiv"))
    assert str(policy["content"]).startswith("default-src 'none'")
    assert page.count("plotly.js v") == 1
    assert 'http-equiv="refresh"' not in page


def test_sections_come_in_their_order(page: str) -> None:
    found = [str(a.get("id")) for a in Reader(page).all("section")]
    assert [name for name in found if name in SECTIONS] == list(SECTIONS)


def test_the_result_is_two_sentences_with_figures(make_content: MakeContent) -> None:
    page = report_html(make_content(90), ("summary",))
    (words,) = [text for text in Reader(page).text if text.startswith("random searched a space")]
    assert len(re.findall(r"\.(?:\s|$)", words)) == 2
    states = "90 trials: 54 completed, 27 stopped early, 9 failed"
    assert states in words
    assert re.search(r"front has \d+ networks \(accuracy \d+\.\d\d% to \d+\.\d\d%; params", words)


def test_images_have_words_and_tables_have_headers(page: str) -> None:
    reader = Reader(page)
    plots = [a for a in reader.all("div") if a.get("class") == "plot"]
    assert plots
    assert all(a.get("aria-label") and a.get("role") in ("img", "group") for a in plots)
    heads = reader.all("th")
    assert heads
    assert all(a.get("scope") == "col" for a in heads)
    assert page.count("<table") == page.count("<caption>")
    assert [a.get("aria-sort") for a in heads if "aria-sort" in a] == ["none"] * 6


def test_every_completed_trial_can_be_shown_and_few_have_drawings(page: str) -> None:
    details = Reader(page).details()
    assert len(details["trials"]) == 54
    assert details["options"] == "--study s --storage sqlite:///nas.db"
    assert {int(n) for n, one in details["trials"].items() if "svg" in one} <= set(range(30))
    first = details["trials"]["0"]
    assert ["accuracy after 1,000 images", first["rows"][3][1]] in first["rows"]
    assert [budget for budget, _ in first["curves"]] == [1_000, 4_000]


def test_a_point_of_the_front_figure_knows_its_trial(page: str) -> None:
    traces = figures(page)["front-figure"]["data"]
    front = [trace for trace in traces if trace.get("legendgroup") == "front"]
    assert len(front) == 2
    numbers = Reader(page).details()["front"]
    assert all(sorted(trace["customdata"]) == sorted(numbers) for trace in front)


@pytest.mark.parametrize("count", [0, 1, 9, pytest.param(5_000, marks=pytest.mark.slow)])
def test_a_study_of_any_size_has_a_report(make_content: MakeContent, count: int) -> None:
    page = report_html(make_content(count))
    assert ("No trial has completed yet" in page) is (count == 0)
    assert len(figures(page)) == (8 if count == 5_000 else 0 if count == 0 else 5 + (count > 6))


def test_the_page_of_a_thousand_trials_is_small_enough(make_content: MakeContent) -> None:
    made = make_content(1_000)
    long = "stem 5x5/2 24 pool; " + "1 x [1x1 32 | 3x3 8>12 | 5x5 16>20] asymmetric n=5; " * 3
    trials = [
        replace(one, kept=replace(one.kept, architecture=f"{long}{one.number}"))
        for one in made.trials
    ]
    assert len(report_html(replace(made, trials=trials)).encode()) < 6_000_000


@pytest.mark.parametrize("axes", [(ACCURACY,), (PARAMS,), (ACCURACY, PARAMS)])
def test_one_or_two_objectives(make_content: MakeContent, axes: tuple[Axis, ...]) -> None:
    found = figures(report_html(make_content(60, axes)))
    assert "front-figure" in found
    assert "space-figure" not in found


def test_a_study_of_failed_trials_says_why(make_content: MakeContent) -> None:
    failed = [Trial(number, "fail", kept=Kept(failure="no memory")) for number in range(20)]
    page = report_html(replace(make_content(0), trials=failed))
    reader = Reader(page)
    place = reader.text.index("no memory")
    assert reader.text[place : place + 3] == ["no memory", "20", "0, 1, 2, 3, 4, 5, 6, 7, ..."]
    assert list(figures(page)) == ["rungs-figure"]


def test_trials_over_a_limit_are_counted_apart(make_content: MakeContent) -> None:
    over = Trial(0, "pruned", kept=Kept(key="k"), limits={"params": 0.5})
    page = report_html(replace(make_content(0), trials=[over]))
    assert "1 trial: 1 over a limit and not trained." in page


def test_nothing_hostile_leaves_its_place(hostile: Content) -> None:
    page = report_html(hostile)
    assert "<script>window.hacked" not in page
    assert "<b>x" not in page
    reader = Reader(page)
    assert len(reader.all("script")) == 4
    assert sum(hostile.study in text for text in reader.text) >= 6
    assert hostile.study in reader.details()["trials"]["0"]["text"]
    shown = json.dumps(figures(page)["effects-figure"])
    assert "&lt;script&gt;" in shown
    assert "<script>" not in shown


def test_the_front_alone_is_the_first_part(make_content: MakeContent) -> None:
    page = report_html(make_content(30), FRONT)
    assert list(figures(page)) == ["front-figure", "space-figure"]


def test_a_page_that_is_watched_loads_itself_anew(make_content: MakeContent) -> None:
    page = report_html(make_content(3, refresh=5))
    assert '<meta http-equiv="refresh" content="5">' in page


def test_equal_studies_have_equal_pages(make_content: MakeContent) -> None:
    assert report_html(make_content(50)) == report_html(make_content(50))
