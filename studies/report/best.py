"""The best network up to each size: what a reader takes home, before the front that it is of."""

from studies.best import UNITS, Best, words_of
from studies.page import PageTable
from studies.report.content import Content
from studies.report.section import Block, Section, Words

TITLE = "The best network up to each size"


def section(content: Content) -> Section:
    """One row a size of parameters, one a size of FLOPs, each with its interval and its command."""
    tables: list[Block] = []
    for cost in ("params", "flops"):
        if rows := content.best(cost):
            header = (f"up to {UNITS[cost]}", "trial", "accuracy", *HEADER)
            table = tuple(_row(content, row) for row in rows)
            caption = f"The most accurate network up to each number of {UNITS[cost]}"
            tables.append(PageTable(caption, header, table))
    if not tables:
        return Section("best", TITLE, [Words("No trial has completed with an accuracy yet.")])
    words = f"{words_of(content.results)} What is marked * is below that."
    return Section("best", TITLE, [Words(words), *tables])


HEADER = ("expected", "95 %", "on the front", "parameters", "FLOPs", "trains it")


def _row(content: Content, best: Best) -> tuple[str, ...]:
    accuracy, trial = best.accuracy(content.results), best.result
    if trial is None or accuracy is None:
        return (f"{best.limit:,}", "none", *[""] * (1 + len(HEADER)))
    known = best.estimate
    expected = f"{known.mean:.2%}" if known else "unknown"
    interval = f"{known.low:.2%} to {known.high:.2%}" if known else "unknown"
    chance = content.estimates.on_front(trial)
    return (
        f"{best.limit:,}",
        str(trial.number),
        f"{accuracy:.2%}" + ("" if best.useful else " *"),
        expected,
        interval,
        "" if chance is None else f"{chance:.0%}",
        f"{trial.params:,}",
        f"{trial.flops:,}",
        f"nas train {trial.number} {content.options()}",
    )
