"""Tests of the best network up to each size, in the report and in the dashboard's note."""

from collections.abc import Callable
from dataclasses import replace

from studies.axis import Axis
from studies.notes import study_note
from studies.page import PageTable
from studies.report import best, front_table, summary
from studies.report.content import Content
from studies.report.section import SortTable, Words

MakeContent = Callable[..., Content]

AXES = (
    Axis("accuracy", "fraction", True, False, 0.75, least_error=0.5 / 5_000),
    Axis("params", "parameters", False, True, 2e6),
    Axis("flops", "FLOPs", False, True, 1e9),
)


def test_each_size_has_its_network_interval_and_command(make_content: MakeContent) -> None:
    content = make_content(60, AXES)
    section = best.section(content)
    words, of_params, of_flops = section.blocks
    assert isinstance(words, Words)
    assert "5,000 validation images" in words.text
    assert "counts from 75.00% on" in words.text
    assert isinstance(of_params, PageTable)
    assert isinstance(of_flops, PageTable)
    known = {trial.number: trial for trial in content.results.completed}
    sizes = []
    for row in of_params.rows:
        size, trial, accuracy, expected, interval, chance, params, _, command = row
        sizes.append(int(size.replace(",", "")))
        member = known[int(trial)]
        assert member.params <= sizes[-1]
        assert params == f"{member.params:,}"
        assert accuracy.startswith(f"{member.values[0]:.2%}")
        assert accuracy.endswith(" *") == (member.values[0] <= 0.75)
        low, high = (float(end.strip("%")) for end in interval.split(" to "))
        assert low < float(expected.strip("%")) < high
        assert chance.endswith("%")
        assert command == f"nas train {trial} {content.options()}"
    assert sizes == [3_000, 10_000, 30_000, 100_000, 300_000, 1_000_000]
    assert len(of_flops.rows) > 2


def test_members_of_the_front_have_their_interval_and_probability(
    make_content: MakeContent,
) -> None:
    (table,) = front_table.section(make_content(60, AXES)).blocks
    assert isinstance(table, SortTable)
    about = ("params", "flops", "expected accuracy", "95 %", "on the front")
    assert table.header[2:7] == about
    (plain,) = front_table.section(make_content(60)).blocks  # of version 0.1
    assert isinstance(plain, SortTable)
    assert "on the front" not in plain.header


def test_the_note_has_them_too(make_content: MakeContent) -> None:
    note = study_note(make_content(60, AXES), {})
    assert "The most accurate network up to each number of parameters:" in note
    assert note.count("nas train ") == 6
    assert "nas train" not in study_note(make_content(60, AXES[1:]), {})


def test_nothing_yet(make_content: MakeContent) -> None:
    (words,) = best.section(make_content(0, AXES)).blocks
    assert words == Words("No trial has completed with an accuracy yet.")


def test_a_replayed_study_says_so_first(make_content: MakeContent) -> None:
    content = make_content(20, AXES)
    (words,) = summary.section(replace(content, replayed=True)).blocks
    assert isinstance(words, Words)
    assert words.text.startswith("Accuracies of this study are replayed")
    (plain,) = summary.section(content).blocks
    assert isinstance(plain, Words)
    assert "replayed" not in plain.text
