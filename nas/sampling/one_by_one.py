"""What samplers have in common that are asked for a candidate's dimensions one by one."""

from typing import Any

from optuna.samplers import BaseSampler
from optuna.study import Study
from optuna.trial import FrozenTrial


class OneByOne(BaseSampler):
    """Proposes nothing relative to other trials through Optuna: ``sample_independent`` says it all.

    Optuna's relative sampling wants to know all dimensions before the first is chosen, and here
    earlier choices decide which others there are.
    """

    def infer_relative_search_space(self, study: Study, trial: FrozenTrial) -> dict[str, Any]:
        """Empty."""
        return {}

    def sample_relative(
        self, study: Study, trial: FrozenTrial, search_space: dict[str, Any]
    ) -> dict[str, Any]:
        """Empty."""
        return {}

    def recall(self, number: int) -> None:
        """Know again what was expected of trial ``number``, which an earlier run began."""
