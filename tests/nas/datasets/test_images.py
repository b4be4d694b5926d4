"""Images in memory: the order that a run sees them in, and batches of them."""

import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st

from nas.datasets import Batches, Images, order

counts = st.integers(1, 50)
budgets = st.integers(0, 200)
seeds = st.integers(0, 2**63 - 1)


@given(counts, budgets, budgets, seeds)
def test_a_smaller_budget_sees_the_beginning(count: int, one: int, two: int, seed: int) -> None:
    small, large = sorted((one, two))
    assert torch.equal(order(count, small, seed), order(count, large, seed)[:small])


@given(counts, budgets, seeds)
def test_an_epoch_sees_every_image_once(count: int, budget: int, seed: int) -> None:
    indexes = order(count, budget, seed)
    assert (indexes.dtype, indexes.shape) == (torch.int64, (budget,))
    for start in range(0, budget, count):
        epoch = indexes[start : start + count]
        assert len(set(epoch.tolist())) == len(epoch)
        assert epoch.min() >= 0
        assert epoch.max() < count


def test_orders_differ_by_seed_and_by_epoch() -> None:
    first, second = order(100, 200, seed=1).reshape(2, 100)
    assert not torch.equal(first, second)
    assert not torch.equal(first, order(100, 100, seed=2))


def test_drawing_an_order_leaves_the_global_generator_alone() -> None:
    before = torch.get_rng_state()
    order(10, 10, seed=1)
    assert torch.equal(before, torch.get_rng_state())


def test_impossible_orders_are_refused() -> None:
    with pytest.raises(ValueError, match="count is 0, but an order needs at least 1 image"):
        order(0, 5, seed=0)
    with pytest.raises(ValueError, match="budget is -1 images, but can't be negative"):
        order(5, -1, seed=0)


@given(budgets, st.integers(1, 60), st.booleans())
def test_batches_are_consecutive_pieces_of_the_order(
    budget: int, batch_size: int, drop_last: bool
) -> None:
    pixels = torch.arange(20, dtype=torch.uint8).reshape(20, 1, 1, 1).expand(-1, 3, 2, 2)
    images = Images(pixels, torch.arange(20) + 100)
    indexes = order(20, budget, seed=3)
    batches = Batches(images, indexes, batch_size, drop_last)
    seen = list(batches)
    assert len(seen) == len(batches) == len(list(batches))
    whole = budget - budget % batch_size if drop_last else budget
    assert [index for _, labels in seen for index in (labels - 100).tolist()] == (
        indexes[:whole].tolist()
    )
    for position, (chosen, labels) in enumerate(seen):
        assert len(labels) == min(batch_size, whole - position * batch_size) > 0
        assert torch.equal(chosen, images.pixels[labels - 100])
        assert (chosen.dtype, labels.dtype) == (torch.uint8, torch.int64)


def test_a_batch_size_below_one_is_refused() -> None:
    images = Images(torch.zeros(1, 1, 1, 1, dtype=torch.uint8), torch.zeros(1, dtype=torch.int64))
    with pytest.raises(ValueError, match="batch_size is 0, but must be at least 1"):
        Batches(images, order(1, 1, seed=0), 0)
