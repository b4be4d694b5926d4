"""The sampler random against Optuna's, which draws the same with the same seed."""

from types import SimpleNamespace
from typing import Any

from hypothesis import given
from hypothesis import strategies as st
from optuna.distributions import CategoricalDistribution
from optuna.samplers import RandomSampler

from nas.sampling.uniform import Uniform
from nas.seeds import derive


@given(
    seed=st.integers(0, 2**63 - 1),
    number=st.integers(0, 10**6),
    name=st.text(max_size=20),
    choices=st.lists(st.integers(), min_size=1, max_size=12, unique=True),
)
def test_it_draws_what_optuna_would(seed: int, number: int, name: str, choices: list[int]) -> None:
    trial: Any = SimpleNamespace(number=number)
    study: Any = None
    options = CategoricalDistribution(choices)
    fresh = RandomSampler(seed=derive(seed, number, name))
    expected = fresh.sample_independent(study, trial, name, options)
    ours = Uniform(seed)
    for _ in range(2):  # whatever was drawn before
        assert ours.sample_independent(study, trial, name, options) == expected
