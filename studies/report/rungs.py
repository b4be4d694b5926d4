"""The rungs: how many candidates stopped where, and the seconds that this saved."""

from collections.abc import Sequence
from statistics import median

import plotly.graph_objects as go

from studies.report.content import Content
from studies.report.section import Block, Drawn, Section, Words
from studies.rungs import Rung, count
from studies.style import BLUE, ORANGE, VERMILION, styled
from studies.wording import counted

TITLE = "Where candidates stopped"


def section(content: Content) -> Section:
    """A bar for each rung; in words who stopped where and what it saved."""
    reached = count(content.trials, content.budgets)
    untrained = sum(bool(trial.over) for trial in content.trials)
    blocks: list[Block] = []
    if untrained:
        who = "One candidate was" if untrained == 1 else f"{untrained:,} candidates were"
        blocks.append(Words(f"{who} over a limit and never trained."))
    if not any(rung.on + rung.stopped + rung.failed for rung in reached):
        blocks.append(Words("No trial has been at a rung yet."))
        return Section("rungs", TITLE, blocks)
    blocks.append(Drawn("rungs-figure", rungs_figure(reached), _words(reached)))
    saved, spent, unknown = seconds_saved(content)
    if len(content.budgets) > 1:
        rest = (
            f" (of {counted(unknown, 'stopped candidate')} nothing can be said)" if unknown else ""
        )
        share = f", {saved / (saved + spent):.0%} of what they would have taken" if saved else ""
        blocks.append(
            Words(
                f"The trials took {spent:,.0f} s of evaluation; stopping saved about "
                f"{saved:,.0f} s{share}{rest}. A stopped candidate's missing rungs are reckoned "
                "at its own seconds times the median growth of those that went on."
            )
        )
    return Section("rungs", TITLE, blocks)


def seconds_saved(content: Content) -> tuple[float, float, int]:
    """(saved, spent) seconds, and of how many stopped trials nothing is known."""
    growth: dict[int, float] = {}
    for place, (before, after) in enumerate(
        zip(content.budgets, content.budgets[1:], strict=False)
    ):
        pairs = [
            (one.evaluation.seconds, content.by_run[key, after].evaluation.seconds)
            for (key, budget), one in content.by_run.items()
            if budget == before and (key, after) in content.by_run and one.evaluation.seconds > 0
        ]
        if pairs:
            growth[place] = median(later / earlier for earlier, later in pairs)
    saved, unknown = 0.0, 0
    for trial in content.trials:
        if trial.state != "pruned" or not trial.rungs:
            continue
        place = len(trial.rungs) - 1
        run = content.by_run.get((trial.key, content.budgets[place]))
        missing = range(place, len(content.budgets) - 1)
        if run is None or any(rung not in growth for rung in missing):
            unknown += 1
            continue
        seconds = run.evaluation.seconds
        for rung in missing:
            seconds *= growth[rung]
            saved += seconds
    return saved, sum(trial.seconds for trial in content.trials), unknown


def _words(reached: Sequence[Rung]) -> str:
    parts = []
    for rung in reached:
        total = rung.on + rung.stopped + rung.failed
        last = rung is reached[-1]
        ways = [f"{rung.on:,} {'completed' if last else 'went on'}"]
        were = "was" if rung.stopped == 1 else "were"
        ways += [f"{rung.stopped:,} {were} stopped"] if rung.stopped else []
        ways += [f"{rung.failed:,} failed"] if rung.failed else []
        parts.append(f"of {counted(total, 'trial')} at {rung.budget:,} images {', '.join(ways)}")
    text = "; ".join(parts)
    return f"{text[0].upper()}{text[1:]}."


def rungs_figure(reached: Sequence[Rung]) -> go.Figure:
    """A bar a rung, divided by what became of its trials; patterns tell the parts apart too."""
    kinds = (
        ("went on, or completed at the last rung", BLUE, "", [r.on for r in reached]),
        ("stopped", ORANGE, "/", [rung.stopped for rung in reached]),
        ("failed", VERMILION, "x", [rung.failed for rung in reached]),
    )
    figure = go.Figure()
    rungs = [f"{rung.budget:,} images" for rung in reached]
    for name, color, pattern, values in kinds:
        if any(values):
            trace = go.Bar(x=values, y=rungs, name=name, orientation="h")
            trace.update(marker={"color": color, "pattern": {"shape": pattern}})
            trace.update(text=[str(value or "") for value in values], textposition="inside")
            trace.update(textangle=0, insidetextfont={"color": "white"} if color == BLUE else {})
            trace.update(hovertemplate=f"%{{y}}: %{{x}} {name}<extra></extra>")
            figure.add_trace(trace)
    styled(figure, "").update_layout(barmode="stack", height=180 + 46 * len(reached))
    figure.update_xaxes(title_text="trials")
    return figure.update_yaxes(autorange="reversed", automargin=True)
