"""What accuracy is: against scikit-learn's, and how noisy it is, against draws."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from sklearn.metrics import accuracy_score, balanced_accuracy_score

from nas.metrics import ACCURACY, BALANCED, METRICS, Tally

CLASS = st.integers(0, 4)


@given(st.lists(st.tuples(CLASS, CLASS), min_size=1, max_size=80))
@pytest.mark.filterwarnings("ignore:y_pred contains classes")
@pytest.mark.filterwarnings("ignore:A single label was found")
def test_metrics_are_those_of_scikit_learn(pairs: list[tuple[int, int]]) -> None:
    truth, said = (np.array(column) for column in zip(*pairs, strict=True))
    right = np.bincount(truth[truth == said], minlength=5)
    tally = Tally(tuple(right.tolist()), tuple(np.bincount(truth, minlength=5).tolist()))
    assert METRICS[ACCURACY].value(tally) == pytest.approx(accuracy_score(truth, said))
    assert METRICS[BALANCED].value(tally) == pytest.approx(balanced_accuracy_score(truth, said))


@pytest.mark.parametrize("metric", METRICS)
@pytest.mark.parametrize("shown", [(50, 50, 50), (400, 20, 5), (9, 0, 90)])
def test_a_metric_is_as_noisy_as_a_share_of_so_many_images(
    metric: str, shown: tuple[int, ...]
) -> None:
    rng, share = np.random.default_rng(3), 0.8
    of = METRICS[metric]
    right = rng.binomial(shown, share, (4000, 3)).tolist()
    drawn = [of.value(Tally(tuple(row), shown)) for row in right]
    expected = share * (1 - share) / of.images(shown)
    assert np.var(drawn) == pytest.approx(expected, rel=0.12)


def test_tallies_add_up() -> None:
    assert Tally((1, 2), (3, 4)) + Tally((5, 0), (6, 7)) == Tally((6, 2), (9, 11))
