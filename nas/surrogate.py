"""The surrogate: a candidate's accuracy at the last rung, predicted from those seen at any rung.

.. [Geurts2006] P. Geurts et al., Extremely Randomized Trees, Machine Learning 63, 2006.
.. [Hutter2014] F. Hutter et al., Algorithm Runtime Prediction, Artificial Intelligence 206, 2014,
   section 4.3.2: the spread of a forest's trees as uncertainty.
"""

from collections.abc import Mapping

import numpy as np
from sklearn.ensemble import ExtraTreesRegressor

from nas.forecast import forecast, log_error
from nas.history import History
from studies.pareto import Floats

TREES = 64


class Surrogate:
    """Predicts accuracies (0..1) from rows of features.

    Trees are grown on the logarithm of each candidate's error at the highest rung that it has been
    at, brought to the last rung by a line through the candidates known at both.
    """

    def __init__(self, history: History, rows: Mapping[str, Floats], seed: int) -> None:
        labels = errors_at_the_end(history)
        keys = sorted(labels)
        self.forest = ExtraTreesRegressor(
            TREES, bootstrap=True, min_samples_leaf=2, random_state=seed % 2**32
        )
        self.forest.fit(np.array([rows[key] for key in keys]), [labels[key] for key in keys])

    def predict(self, rows: Floats) -> tuple[Floats, Floats]:
        """Mean and standard deviation of the accuracy at the last rung, [N] each."""
        trees = np.array([1 - np.exp(tree.predict(rows)) for tree in self.forest.estimators_])
        return trees.mean(axis=0), trees.std(axis=0) + 1e-4


def errors_at_the_end(history: History) -> dict[str, float]:
    """Natural logarithm of each candidate's error at the last rung, measured or expected."""
    labels: dict[str, float] = {}
    for rung in range(history.rungs):
        known = forecast(history, rung) if rung < history.rungs - 1 else None
        for key, accuracy in history.learned(rung).items():
            labels[key] = known.expected(accuracy) if known else log_error(accuracy)
    return labels
