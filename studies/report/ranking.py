"""How well the small rungs ranked: Kendall's tau against the last rung, and the scatter."""

import warnings
from collections.abc import Sequence

import numpy as np
import plotly.graph_objects as go
from scipy.stats import kendalltau

from studies.pareto import Floats
from studies.report.content import Content
from studies.report.section import Block, Drawn, Section, Words
from studies.style import BLUE, styled
from studies.wording import counted

TITLE = "How well the small rungs ranked"
LEAST = 5
RESAMPLES = 100


def section(content: Content) -> Section:
    """A scatter for each rung below the last; in words tau with its interval."""
    if len(content.budgets) < 2:
        return Section("ranking", TITLE, [Words("The study has one rung: nothing to compare.")])
    blocks: list[Block] = []
    full = len(content.budgets)
    rungs = {trial.key: trial.rungs for trial in content.trials if len(trial.rungs) == full}
    stopped = sum(0 < len(trial.rungs) < full for trial in content.trials)
    for rung, budget in enumerate(content.budgets[:-1]):
        pairs = np.array([(found[rung], found[-1]) for found in rungs.values()]).reshape(-1, 2)
        before = f"{budget:,} images against {content.budgets[-1]:,}"
        if len(pairs) < LEAST:
            blocks.append(
                Words(f"{before}: {counted(len(pairs), 'candidate')} reached both, too few.")
            )
            continue
        tau, low, high = tau_interval(pairs)
        words = (
            f"{before}: Kendall's tau {tau:.2f} (95 % interval {low:.2f} to {high:.2f}, "
            f"bootstrap) over the {len(pairs)} candidates that reached both."
        )
        figure = ranking_figure(pairs.tolist(), budget, content.budgets[-1])
        blocks.append(Drawn(f"ranking-{rung}", figure, words))
    if stopped:
        blocks.append(
            Words(
                f"Not in these figures: {counted(stopped, 'candidate')} stopped before the last "
                "rung. So tau is of those let through, and would differ over all."
            )
        )
    return Section("ranking", TITLE, blocks)


def tau_interval(pairs: Floats) -> tuple[float, float, float]:
    """Kendall's tau-b of the two columns and its 95 % interval, by resampling rows.

    0 where a column is constant, which ranks nothing.
    """
    random = np.random.default_rng(0)
    count = len(pairs)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # of resamples that are constant
        taus = [_tau(pairs[random.integers(0, count, count)]) for _ in range(RESAMPLES)]
        low, high = np.quantile(taus, (0.025, 0.975)).tolist()
        return _tau(pairs), low, high


def _tau(pairs: Floats) -> float:
    tau = float(kendalltau(pairs[:, 0], pairs[:, 1]).statistic)
    return tau if np.isfinite(tau) else 0.0


def ranking_figure(pairs: Sequence[Sequence[float]], small: int, large: int) -> go.Figure:
    """Accuracy at the last rung against that at a smaller one."""
    trace = go.Scatter(
        x=[round(pair[0], 5) for pair in pairs],
        y=[round(pair[1], 5) for pair in pairs],
        mode="markers",
        marker={"color": BLUE, "size": 7, "opacity": 0.6},
        hovertemplate=f"%{{x:.2%}} after {small:,}, %{{y:.2%}} after {large:,}<extra></extra>",
    )
    figure = styled(go.Figure(trace), "").update_layout(margin_t=20)
    figure.update_xaxes(title_text=f"accuracy after {small:,} images", tickformat="~%")
    figure.update_yaxes(title_text=f"accuracy after {large:,} images", tickformat="~%")
    return figure
