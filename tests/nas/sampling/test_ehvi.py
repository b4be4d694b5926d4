"""Expected hypervolume improvement: against Monte Carlo, closed forms, and its limits."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from nas.sampling.ms_ehvi.improvement import expected_improvement, undominated
from studies.pareto import front_mask, hypervolume


def random_front(rng: np.random.Generator, size: int, losses: int) -> np.ndarray:
    points = rng.random((size, losses))
    return points[front_mask(points)] if size else points


@pytest.mark.parametrize("known", [0, 1, 2, 3])
@pytest.mark.parametrize(
    "seed", [0, *(pytest.param(n, marks=pytest.mark.slow) for n in (1, 2, 3, 4))]
)
def test_the_closed_form_is_what_sampling_finds(known: int, seed: int) -> None:
    rng = np.random.default_rng([known, seed])
    front = random_front(rng, int(rng.integers(0, 15)), 1 + known)
    reference = np.ones(1 + known)
    costs, mean = rng.random((3, known)), rng.random(3)
    std = rng.uniform(0.02, 0.4, 3)
    found = expected_improvement(mean, std, costs, front, reference)
    before = hypervolume(front, reference)
    for index in range(3):
        samples = [
            hypervolume(np.vstack([front, [loss, *costs[index]]]), reference) - before
            for loss in rng.normal(mean[index], std[index], 1500)
        ]
        error = np.std(samples) / np.sqrt(len(samples))
        if max(samples) < 1e-12:  # too rare for so many samples: then it is worth next to nothing
            assert 0 <= found[index] < 1e-4
            continue
        assert abs(np.mean(samples) - found[index]) <= 3 * error + 1e-12


@given(st.integers(0, 2**32 - 1), st.integers(0, 3), st.integers(0, 12))
def test_with_certainty_it_is_the_hypervolume_that_is_won(seed: int, known: int, size: int) -> None:
    rng = np.random.default_rng(seed)
    front = random_front(rng, size, 1 + known)
    reference = np.full(1 + known, 0.9)
    points = rng.random((4, 1 + known))
    found = expected_improvement(points[:, 0], np.zeros(4), points[:, 1:], front, reference)
    before = hypervolume(front, reference)
    for point, improvement in zip(points, found, strict=True):
        won = hypervolume(np.vstack([front, point]), reference) - before
        assert improvement == pytest.approx(won, abs=1e-12)


def test_nothing_is_expected_of_a_dominated_candidate_that_is_certain() -> None:
    front = np.array([[0.2, 0.2, 0.2], [0.5, 0.1, 0.1]])
    for point in ([0.2, 0.2, 0.2], [0.3, 0.2, 0.4], [0.95, 0.05, 0.05], [0.1, 0.1, 1.0]):
        value = expected_improvement(
            np.array(point[:1]), np.zeros(1), np.array([point[1:]]), front, np.full(3, 0.9)
        )
        assert value[0] == 0.0


def test_without_known_losses_it_is_the_expected_improvement_of_one_objective() -> None:
    # sigma * phi(0) where mean and best are equal (Jones 1998)
    found = expected_improvement(
        np.array([0.5]), np.array([0.1]), np.empty((1, 0)), np.array([[0.5]]), np.array([1e3])
    )
    assert found[0] == pytest.approx(0.1 / np.sqrt(2 * np.pi))


def test_more_uncertainty_and_less_cost_promise_more() -> None:
    front = np.array([[0.3, 0.3], [0.6, 0.1]])
    costs = np.array([[0.3], [0.3], [0.2]])
    wide, certain, cheap = expected_improvement(
        np.full(3, 0.35), np.array([0.2, 0.05, 0.2]), costs, front, np.ones(2)
    )
    assert cheap > wide > certain > 0


@given(st.integers(0, 2**32 - 1), st.integers(1, 4), st.integers(0, 10))
def test_what_points_leave_undominated(seed: int, known: int, size: int) -> None:
    rng = np.random.default_rng(seed)
    points, corners = rng.random((size, known)), rng.random((3, known))
    reference = np.full(known, 0.8)
    found = undominated(corners, points, reference)
    for corner, volume in zip(corners, found, strict=True):
        inside = bool(np.all(corner < reference))
        box = float(np.prod(reference - corner)) if inside else 0.0
        taken = hypervolume(np.maximum(points, corner), reference) if inside else 0.0
        assert volume == pytest.approx(box - taken, abs=1e-12)
