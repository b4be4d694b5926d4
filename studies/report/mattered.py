"""What mattered: importance of each choice for accuracy at given cost, and each level's effect."""

from collections.abc import Sequence

import plotly.graph_objects as go

from studies.page import PageTable
from studies.report import attribution
from studies.report.attribution import Effect, Importance
from studies.report.content import Content
from studies.report.section import Block, Drawn, Points, Section, Words
from studies.style import BLUE, VERMILION, escaped, styled
from studies.wording import counted

TITLE = "What mattered for accuracy at given cost"
MOST_SAID = 6
ROW_PIXELS = 22


def section(content: Content) -> Section:
    """Importances, then effects, each drawn and said; or why there is nothing to say."""
    found = attribution.sample(content)
    count = len(found.accuracy)
    if count < attribution.LEAST_CANDIDATES or not found.groups:
        have = "has" if count == 1 else "have"
        known = f"{counted(count, 'distinct candidate')} {have} a known accuracy"
        words = f"{known} and choices to compare"
        least = attribution.LEAST_CANDIDATES
        return Section("mattered", TITLE, [Words(f"{words}; this needs {least} that differ.")])
    _, explained = attribution.residual(found)
    ranked, fit = attribution.importances(found)
    blocks: list[Block] = [Words(_how(count, found.foretold, explained))]
    if ranked:
        words = _importance_words(ranked, fit)
        blocks.append(Drawn("importance-figure", importance_figure(ranked), words))
    effects = attribution.effects(found)
    if not effects:
        blocks.append(Words("There are too few candidates to tell effects of levels apart."))
        return Section("mattered", TITLE, blocks)
    clear = sorted((e for e in effects if e.low > 0 or e.high < 0), key=lambda e: -abs(e.value))
    blocks.append(Drawn("effects-figure", effects_figure(effects), _clear_words(clear, effects)))
    if clear:
        blocks.append(Points(tuple(map(sentence, clear[:MOST_SAID]))))
    blocks.append(_table(effects))
    return Section("mattered", TITLE, blocks)


def _how(count: int, foretold: int, explained: float) -> str:
    stopped = (
        f" For {foretold} of them, stopped early, it is what their last rung foretells: "
        "leaving them out would flatter what they chose."
        if foretold
        else ""
    )
    return (
        f"From accuracy at the last rung of {count} distinct candidates.{stopped} Parameters and "
        f"FLOPs alone (a quadratic in their logarithms) explain {explained:.0%} of its variance; "
        "what follows is about the rest. It is what went together in this study, whose sampler "
        "chose the candidates: not proof of a cause."
    )


def _importance_words(ranked: Sequence[Importance], fit: float) -> str:
    top = [f"{one.factor} ({one.share:.0%})" for one in ranked[:3] if one.share > 0.01]
    first = f"Most important: {', '.join(top)}." if top else "No choice stands out."
    return (
        f"{first} Permutation importance in a random forest (Breiman 2001, {attribution.TREES} "
        "trees, out of bag): how much the error rises when a choice is shuffled, as a share of the "
        f"variance left at given cost, of which the forest explains {max(0.0, fit):.0%}."
    )


def _clear_words(clear: Sequence[Effect], effects: Sequence[Effect]) -> str:
    return (
        f"The effect of each choice on accuracy at equal cost and equal other choices, against the "
        f"average of its alternatives, with 95 % intervals (one linear model, HC3): {len(clear)} "
        f"of {len(effects)} intervals exclude zero (filled marks), where chance alone would "
        f"exclude about {max(1, round(0.05 * len(effects)))}. For branches and their reductions it "
        "is the effect of a tenth of the width more, at the others' expense."
    )


def sentence(effect: Effect) -> str:
    """An effect in words."""
    low, high = 100 * effect.low, 100 * effect.high
    direction = "more" if effect.value > 0 else "less"
    numbers = (
        f"{abs(100 * effect.value):.2f} points {direction} accuracy ({low:+.2f} to {high:+.2f})"
    )
    return f"{name(effect)}: {numbers}, {counted(effect.having, 'candidate')}."


def name(effect: Effect) -> str:
    """The factor and its level in words, with the step that is meant."""
    factor = effect.factor
    level = f"{factor.name} {effect.level}".strip()
    return f"{level}, {factor.unit}" if factor.unit else level


def importance_figure(ranked: Sequence[Importance]) -> go.Figure:
    """Bars, the most important factor on top; below zero is chance, which is drawn as nothing."""
    shown = ranked[::-1]
    shares = [max(0.0, one.share) for one in shown]
    trace = go.Bar(
        x=[round(share, 4) for share in shares],
        y=[escaped(one.factor) for one in shown],
        orientation="h",
        marker={"color": BLUE},
        text=[f"{share:.0%}" for share in shares],
        textposition="outside",
        cliponaxis=False,
        hoverinfo="skip",
    )
    figure = styled(go.Figure(trace), "")
    figure.update_xaxes(title_text="rise of the error", tickformat=".0%")
    figure.update_yaxes(automargin=True)
    return figure.update_layout(height=90 + ROW_PIXELS * len(ranked), margin={"t": 20, "r": 50})


def effects_figure(effects: Sequence[Effect]) -> go.Figure:
    """A mark with its interval for each level; filled where the interval excludes zero."""
    shown = effects[::-1]
    clear = [effect.low > 0 or effect.high < 0 for effect in shown]
    trace = go.Scatter(
        x=[round(100 * effect.value, 3) for effect in shown],
        y=[escaped(name(effect)) for effect in shown],
        mode="markers",
        marker={
            "size": 9,
            "color": [VERMILION if sure else BLUE for sure in clear],
            "symbol": ["circle" if sure else "circle-open" for sure in clear],
        },
        error_x={
            "type": "data",
            "array": [round(100 * (effect.high - effect.value), 3) for effect in shown],
            "color": "#8a96a3",
        },
        hovertemplate="%{y}: %{x:+.2f} points<extra></extra>",
    )
    figure = styled(go.Figure(trace), "")
    figure.add_vline(x=0, line={"color": "#8a96a3", "dash": "dot"})
    figure.update_xaxes(title_text="points", tickformat="+~g")
    figure.update_yaxes(automargin=True, range=(-0.8, len(effects) - 0.2))
    return figure.update_layout(height=90 + ROW_PIXELS * len(effects), margin_t=20)


def _table(effects: Sequence[Effect]) -> PageTable:
    rows = tuple(
        (
            effect.factor.name,
            effect.level or "its number",
            effect.factor.unit or "all of it",
            f"{100 * effect.value:+.2f}",
            f"{100 * effect.low:+.2f} to {100 * effect.high:+.2f}",
            str(effect.having),
        )
        for effect in effects
    )
    header = ("choice", "level", "step", "points", "95 % interval", "candidates")
    return PageTable("Effects in points of accuracy at equal cost", header, rows)
