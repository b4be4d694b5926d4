"""Few images: budgets and folds that follow them, and what their accuracies are worth, in lines."""

import math

from nas.datasets import Found
from nas.datasets.folds import most_folds
from nas.metrics import ACCURACY, METRICS
from nas.model.scores import wilson_interval
from nas.settings import BUDGET, DEFAULT_BUDGETS, Settings
from studies.wording import counted

MOST_EPOCHS = 50
"""Passes over the training images at the last rung, at most, where no budget was asked for."""

FEW = 500
"""Validation images below which others are validated on too, or it is said how little they tell."""

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


def folds_of(asked: int | None, begun: Settings | None, found: Found) -> int:
    """How often each network is trained and validated on other images: as asked, or as begun.

    Else so often that FEW images are validated on, if there are as many. ValueError where there
    can't be as many folds as asked for.
    """
    if asked is None and begun is not None:
        return begun.folds or 1
    most = most_folds(found.train, found.validation) if found.held_out else 1
    if asked is None:
        return min(most, math.ceil(FEW / found.validation))
    if asked > most:
        why = f"{found.train:,} images for training and {found.validation:,} for validation"
        if not found.held_out:
            why = "a folder of their own with those for validation"
        raise ValueError(f"folds is {asked}, and the images have {why}; give at most {most}")
    return asked


def words_of_few(settings: Settings, found: Found) -> list[str]:
    """Lines on the epochs of each rung, and on how well so few images tell accuracies."""
    budgets, folds = settings.budgets, settings.folds or 1
    epochs = [f"{budget / found.train:.2g}" for budget in budgets]
    each = ", ".join(f"{budget:,}" for budget in budgets)
    passes = counted(len(budgets), "rung")
    lines = [
        f"{passes} of {each} images: {', '.join(epochs)} epochs of the {found.train:,} for training"
    ]
    validated = found.validation * folds
    if folds > 1:
        times = "twice" if folds == 2 else f"{folds} times"
        lines.append(
            f"cross-validation: each network is trained {times}, and each time validated on "
            f"others of the images, about {validated:,} in all (--folds)"
        )
    if settings.metric != ACCURACY:
        lines.append(f"accuracy is {settings.metric}: {METRICS[settings.metric].words}")
    if validated < FEW:
        right = round(EXAMPLE * validated)
        low, high = wilson_interval(right, validated)
        about = "about " if folds > 1 else ""
        lines.append(
            f"note: there are {about}{counted(validated, 'validation image')}, so few that "
            f"{right} of them right mean an accuracy of {low:.0%} to {high:.0%}: networks that "
            "are closer than that can't be told apart; more images are the only remedy"
        )
    return lines
