"""Tests of the sampler random: whole candidates, within limits, from the trial's number alone."""

import math
from dataclasses import replace

import optuna

from nas.sampling.even import Even, spread_of
from nas.settings import Settings
from search_space.architecture import Candidate
from search_space.cost import cost
from search_space.space import SearchSpace

SETTINGS = Settings(sampler="random")


def proposed(settings: Settings, seed: int, count: int) -> list[Candidate]:
    optuna.logging.set_verbosity(optuna.logging.ERROR)
    study = optuna.create_study(directions=["maximize"], sampler=Even(settings, seed))
    found = []
    for _ in range(count):
        trial = study.ask()
        found.append(settings.space.sample(trial.suggest_categorical, settings.resolution))
        study.tell(trial, 0.0)
    return found


def test_trials_are_the_candidates_that_it_draws_for_their_numbers() -> None:
    sampler = Even(SETTINGS, 3)
    found = proposed(SETTINGS, 3, 20)
    assert found == [sampler.draw(number).candidate for number in range(20)]
    assert found != proposed(SETTINGS, 4, 20)


def test_nothing_above_a_limit_is_proposed() -> None:
    settings = replace(SETTINGS, max_params=20_000, max_flops=3_000_000, max_latency=0.1)
    costs = [cost(one.architecture) for one in proposed(settings, 0, 60)]
    assert all(total.params <= 20_000 and total.flops <= 3_000_000 for total in costs)
    logs = [math.log10(total.params) for total in costs]
    assert max(logs) - min(logs) > 1


def test_a_spread_is_learned_once() -> None:
    assert spread_of(SETTINGS) is spread_of(replace(SETTINGS, seed=9))
    narrow = replace(SETTINGS, space=SearchSpace({"stem.width": (8,)}))
    assert spread_of(narrow) is not spread_of(SETTINGS)
    assert spread_of(replace(SETTINGS, max_params=9_000)) is not spread_of(SETTINGS)
