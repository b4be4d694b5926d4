"""Tests of what mattered: planted effects are found, intervals hold, cost is taken out."""

from collections.abc import Callable
from dataclasses import replace

import numpy as np
import pytest

from studies.kept import Kept
from studies.report import attribution, mattered
from studies.report.content import Content, Factor
from studies.trials import Trial

MakeContent = Callable[..., Content]


def by_level(content: Content) -> dict[str, attribution.Effect]:
    found = attribution.effects(attribution.sample(content))
    return {f"{effect.factor.name} {effect.level}": effect for effect in found}


def test_a_planted_effect_is_found_at_given_cost(make_content: MakeContent) -> None:
    found = by_level(make_content(300))
    difference = found["norm yes"].value - found["norm no"].value
    assert difference == pytest.approx(0.05, abs=0.005)
    assert found["norm yes"].low > 0 > found["norm no"].high
    assert abs(found["noise a"].value) < 0.005
    ranked, fit = attribution.importances(attribution.sample(make_content(300)))
    assert [one.factor for one in ranked] == ["norm", "noise"]
    assert ranked[0].share > 0.5
    assert ranked[1].share < 0.1
    assert 0.5 < fit < 1


def study(seed: int, count: int = 120) -> Content:
    """Trials of a number, a choice that some lack, and shares; noise grows with the cost."""
    random = np.random.default_rng(seed)
    trials, choices = [], {}
    for number in range(count):
        size, kind, share = random.uniform(3, 6), random.integers(3), random.uniform()
        depth = float(random.integers(1, 5))
        accuracy = 0.2 + 0.1 * size + 0.02 * (kind == 1) - 0.03 * share + 0.01 * depth
        accuracy = float(accuracy + random.normal(0, 0.004 * size))
        known = {"key": f"k{number}", "params": 10**size, "flops": 10 ** (2 * random.uniform(3, 6))}
        trials.append(
            Trial(number, "complete", (), Kept.from_attributes(known | {"rungs": [accuracy]}))
        )
        choices[f"k{number}"] = {
            "kind": {"abc"[kind]: 1.0} if kind else {},
            "share": {"left": share, "right": 1 - share},
            "depth": {"": depth},
        }
    factors = [Factor("kind"), Factor("share", 0.1, "a tenth"), Factor("depth")]
    return Content("s", "", (), "", (1,), trials, factors=factors, choices=choices)


def test_shares_numbers_and_choices_that_some_lack() -> None:
    found = by_level(study(0, 600))
    moved = found["share left"].value - found["share right"].value
    assert moved == pytest.approx(-0.003, abs=0.001)
    assert found["depth "].value == pytest.approx(0.01, abs=0.003)
    assert found["kind b"].value - found["kind c"].value == pytest.approx(0.02, abs=0.005)
    assert found["kind b"].having < 300


def test_95_percent_of_the_intervals_hold() -> None:
    truth = 0.01
    inside = [
        found.low <= truth <= found.high
        for found in (by_level(study(seed))["depth "] for seed in range(100))
    ]
    assert 0.89 <= np.mean(inside) <= 0.99


def test_stopped_candidates_count_as_their_last_rung_foretells() -> None:
    random = np.random.default_rng(0)
    trials = []
    for number in range(60):
        error = float(random.uniform(0.1, 0.5))
        rungs = [1 - error, 1 - error / 2] if number % 2 else [1 - error]
        known = {"key": f"k{number}", "params": 1e4, "flops": 1e6, "rungs": rungs}
        trials.append(
            Trial(number, "complete" if number % 2 else "pruned", (), Kept.from_attributes(known))
        )
    choices = {f"k{number}": {"a": {str(number % 3): 1.0}} for number in range(60)}
    factors = [Factor("a")]
    content = Content("s", "", (), "", (1, 2), trials, factors=factors, choices=choices)
    found = attribution.sample(content)
    assert found.foretold == 30
    assert len(found.accuracy) == 60
    wanted = [1 - (1 - trial.rungs[0]) / 2 for trial in trials]
    assert found.accuracy == pytest.approx(wanted)


def test_equal_candidates_count_once_and_failed_ones_not(make_content: MakeContent) -> None:
    made = make_content(60)
    twice = replace(made, trials=[*made.trials, *made.trials])
    assert len(attribution.sample(twice).accuracy) == len(attribution.sample(made).accuracy) == 54


def test_what_cannot_be_told_apart_is_not_told() -> None:
    made = study(1)
    choices = {
        key: {**shares, "twin": shares["share"], "same": {"x": 1.0}}
        for key, shares in made.choices.items()
    }
    factors = [*made.factors, Factor("twin"), Factor("same")]
    found = by_level(replace(made, choices=choices, factors=factors))
    assert {name.split()[0] for name in found} == {"kind", "depth"}


def test_few_candidates_get_words_instead(make_content: MakeContent) -> None:
    (words,) = mattered.section(make_content(20)).blocks
    assert "18 distinct candidates" in str(words)
    assert "this needs 40" in str(words)


def test_an_effect_in_words() -> None:
    effect = attribution.Effect(
        Factor("branch", 0.1, "a tenth more"), "3x3", -0.0123, -0.02, -0.004, 17
    )
    assert mattered.sentence(effect) == (
        "branch 3x3, a tenth more: 1.23 points less accuracy (-2.00 to -0.40), 17 candidates."
    )
