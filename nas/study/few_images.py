"""Few images: budgets that follow them, and what their accuracies are worth, said in lines."""

from nas.datasets import Found
from nas.model.scores import wilson_interval
from nas.settings import BUDGET, DEFAULT_BUDGETS, Settings
from studies.wording import counted

MOST_EPOCHS = 50
"""Passes over the training images at the last rung, at most, where no budget was asked for."""

FEW = 500
"""Validation images below which it is said how little they tell."""

EXAMPLE = 0.9
"""The accuracy of which it is said how well it would be known."""


def following(
    budgets: tuple[int, ...], begun: Settings | None, eta: float, train: int
) -> tuple[int, ...]:
    """The budgets, the default ones cut to MOST_EPOCHS of so many training images.

    Rungs of fewer images than a budget may have are left out. A study that was begun with the
    default goes on with it.
    """
    last = max(BUDGET[0], MOST_EPOCHS * train)
    if budgets != DEFAULT_BUDGETS or last >= budgets[-1] or (begun and begun.budgets == budgets):
        return budgets
    steps = reversed(range(len(budgets)))
    cut = {round(last / eta**step) for step in steps}
    return tuple(sorted(budget for budget in cut if budget >= BUDGET[0]))


def words_of_few(budgets: tuple[int, ...], found: Found) -> list[str]:
    """Lines on the epochs of each rung, and on how well so few images tell accuracies."""
    epochs = [f"{budget / found.train:.2g}" for budget in budgets]
    each = ", ".join(f"{budget:,}" for budget in budgets)
    passes = counted(len(budgets), "rung")
    lines = [
        f"{passes} of {each} images: {', '.join(epochs)} epochs of the {found.train:,} for training"
    ]
    if found.validation < FEW:
        right = round(EXAMPLE * found.validation)
        low, high = wilson_interval(right, found.validation)
        lines.append(
            f"note: there are {counted(found.validation, 'validation image')}, so few that "
            f"{right} of them right mean an accuracy of {low:.0%} to {high:.0%}: networks that "
            "are closer than that can't be told apart; more images are the only remedy"
        )
    return lines
