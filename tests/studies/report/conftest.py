"""What tests of the report share: studies made up of plain data, and a browser."""

from collections.abc import Callable
from dataclasses import replace
from datetime import datetime
from typing import Any

import numpy as np
import pytest

from studies.axis import Axis
from studies.evaluation import Evaluation
from studies.kept import Kept
from studies.report.content import Content, Factor, Reference
from studies.trials import Evaluated, Trial

ACCURACY = Axis("accuracy", "fraction", maximize=True, log=False, reference=0.1)
PARAMS = Axis("params", "parameters", maximize=False, log=True, reference=1e7)
FLOPS = Axis("flops", "FLOPs", maximize=False, log=True, reference=1e10)
AXES = (ACCURACY, PARAMS, FLOPS)
BUDGETS = (1_000, 4_000)
SVG = '<svg xmlns="http://www.w3.org/2000/svg" width="40" height="20"><path d="M0 0h9v9"/></svg>'

MakeContent = Callable[..., Content]


def evaluated(accuracy: float, seconds: float, curve: Any = ()) -> Evaluation:
    """An evaluation of these figures."""
    return Evaluation(accuracy, 0.5, tuple(map(tuple, curve)), seconds, 1000.0, "here", {})


@pytest.fixture(scope="session")
def make_content() -> MakeContent:
    """A study of so many trials: a third of those with rungs stopped, every tenth failed.

    Normed networks are 5 points better than their cost says, the factor ``noise`` changes nothing.
    """

    def make(count: int, axes: tuple[Axis, ...] = AXES, **more: Any) -> Content:
        random = np.random.default_rng(1)
        trials, evaluations, choices, drawings = [], [], {}, {}
        for number in range(count):
            size, normed = random.uniform(3, 6), bool(random.integers(2))
            params, flops = int(10**size), int(10 ** (size + random.uniform(1, 2)))
            accuracy = min(0.97, 0.3 + 0.09 * size + 0.05 * normed + random.normal(0, 0.01))
            rungs = (round(accuracy - 0.1 + random.normal(0, 0.01), 6), round(accuracy, 6))
            state = "fail" if number % 10 == 9 else "pruned" if number % 3 == 2 else "complete"
            rungs = {"fail": (), "pruned": rungs[:1], "complete": rungs}[state]
            key = f"key{number}"
            known = {"key": key, "architecture": f"net {number}", "params": params, "flops": flops}
            known |= {"rungs": list(rungs), "seconds": float(len(rungs) ** 2)} if rungs else {}
            known |= {"failure": "it diverged"} if state == "fail" else {}
            values = {"accuracy": accuracy, "params": params, "flops": flops}
            told = tuple(float(values[axis.name]) for axis in axes) if state == "complete" else ()
            trials.append(Trial(number, state, told, Kept.from_attributes(known)))
            choices[key] = {
                "norm": {"yes" if normed else "no": 1.0},
                "noise": {"a" if number % 2 else "b": 1.0},
            }
            for rung, reached in enumerate(rungs):
                budget, curve = BUDGETS[rung], ((500, 1.5, 0.4), (BUDGETS[rung], 0.9, reached))
                seconds = 1.0 + 2.0 * rung
                evaluations.append(
                    Evaluated(key, budget, evaluated(reached, seconds, curve), datetime(2026, 1, 1))
                )
            if state == "complete" and number < 30:
                drawings[number] = SVG
        given: dict[str, Any] = {
            "study": "s",
            "storage": "sqlite:///nas.db",
            "axes": axes,
            "searched": "random searched a space",
            "budgets": BUDGETS,
            "trials": trials,
            "evaluations": evaluations,
            "factors": [Factor("norm"), Factor("noise")],
            "choices": choices,
            "drawings": drawings,
            "references": [Reference("known net", "a paper", 0.9, 100_000, 10_000_000, True)],
            "facts": {"The study": [("seed", "0")]},
        }
        return Content(**given | more)

    return make


HOSTILE = "</script><script>window.hacked = 1</script><b>x</b> \"q\" 'r' <!-- \u202eleft {0} %{x}"


@pytest.fixture(scope="session")
def hostile(make_content: MakeContent) -> Content:
    """A study that has HTML, quotes and right-to-left text wherever there is text."""
    made = make_content(90)
    trials = []
    for trial in made.trials:
        failure = HOSTILE if trial.state == "fail" else None
        kept = replace(trial.kept, architecture=HOSTILE, failure=failure)
        trials.append(replace(trial, kept=kept))
    return replace(
        made,
        study=HOSTILE,
        storage=HOSTILE,
        searched=HOSTILE,
        trials=trials,
        factors=[Factor("norm", unit=HOSTILE), Factor("noise")],
        references=[Reference(HOSTILE, HOSTILE, 0.9, 100_000, 10_000_000, True)],
        facts={HOSTILE: [(HOSTILE, HOSTILE)]},
    )
