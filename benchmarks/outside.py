"""Other tools as searchers on the replayed problem, as they are shipped unless it says otherwise.

All are told the losses of a study: accuracy negated, params and FLOPs as logarithms. What is
numeric is given as ordered. None of them knows that params and FLOPs cost nothing to know.

.. [Lindauer2022] M. Lindauer et al., SMAC3: A Versatile Bayesian Optimization Package for
   Hyperparameter Optimization, JMLR 23, 2022.
.. [Knowles2006] J. Knowles, ParEGO: A Hybrid Algorithm with On-Line Landscape Approximation for
   Expensive Multiobjective Optimization Problems, IEEE TEVC 10, 2006.
.. [Ament2023] S. Ament et al., Unexpected Improvements to Expected Improvement for Bayesian
   Optimization, NeurIPS 2023.
.. [Schmucker2021] R. Schmucker et al., Multi-objective Asynchronous Successive Halving, 2021.
"""

import contextlib
import logging
import tempfile
import warnings
from collections.abc import Callable, Iterator
from datetime import datetime
from functools import partial
from importlib.util import find_spec
from itertools import pairwise
from typing import Any

import numpy as np
from problem import Problem, Proposal, Searcher

TRIALS = 200
"""What SMAC is told to expect, of which a quarter is its initial design; and where Ax ends."""

FIT_STEPS = 75
"""Steps of L-BFGS that Ax's Gaussian processes are fitted by; without a limit it takes hundreds."""


@contextlib.contextmanager
def quiet() -> Iterator[None]:
    """Without the logs and warnings of a tool."""
    before = logging.root.manager.disable
    logging.disable(logging.CRITICAL)
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            yield
    finally:
        logging.disable(before)


def ordered(choices: tuple[Any, ...]) -> bool:
    """Whether the choices are numbers."""
    return not isinstance(choices[0], bool | str)


class Smac:
    """SMAC3 with ParEGO on its facade for hyperparameters ([Lindauer2022]_, [Knowles2006]_).

    A random forest, expected improvement, a Sobol design of a quarter of ``TRIALS`` at first, a new
    scalarization and model every 8 proposals. A stage's questions are conditional on its being
    there. Evaluations are said to be deterministic, so that none is asked for twice.
    """

    @quiet()
    def __init__(self, problem: Problem, seed: int) -> None:
        from ConfigSpace import (
            CategoricalHyperparameter,
            ConfigurationSpace,
            InCondition,
            OrdinalHyperparameter,
        )
        from smac import HyperparameterOptimizationFacade, Scenario
        from smac.multi_objective.parego import ParEGO

        space = ConfigurationSpace(seed=seed)
        for name, choices in problem.questions.items():
            kind = OrdinalHyperparameter if ordered(choices) else CategoricalHyperparameter
            space.add(kind(name, list(choices)))
        counts = problem.questions["body.stages"]
        for name in problem.questions:
            part = name.partition(".")[0]
            there = [n for n in counts if part in {f"stage{i + 1}" for i in range(n)}]
            if 0 < len(there) < len(counts):
                space.add(InCondition(space[name], space["body.stages"], there))
        self._output = tempfile.TemporaryDirectory()
        scenario = Scenario(
            space,
            output_directory=self._output.name,
            deterministic=True,
            objectives=[axis.name for axis in problem.axes],
            n_trials=TRIALS,
            seed=seed,
        )
        self._smac = HyperparameterOptimizationFacade(
            scenario, multi_objective_algorithm=ParEGO(scenario), logging_level=False
        )

    @quiet()
    def ask(self) -> Proposal:
        trial = self._smac.ask()
        answers = {
            name: value.item() if isinstance(value, np.generic) else value
            for name, value in trial.config.items()
        }
        return Proposal(trial, answers)

    @quiet()
    def tell(self, handle: Any, losses: np.ndarray[Any, Any]) -> None:
        from smac.runhistory import TrialValue

        self._smac.tell(handle, TrialValue(cost=losses.tolist()), save=False)


class Ax:
    """Ax's default for several objectives: Gaussian processes and qLogNEHVI ([Ament2023]_).

    Five trials come first, as Ax has it; then thresholds are the study's reference point, and the
    costs are said to be without noise. Not as shipped, so that a study takes minutes and not hours:
    fits end after FIT_STEPS steps, the acquisition is optimized from 4 restarts and 128 samples,
    and is itself estimated from 32.
    """

    @quiet()
    def __init__(self, problem: Problem, seed: int) -> None:
        from ax.api.client import Client
        from ax.api.configs import ChoiceParameterConfig
        from ax.api.utils.generation_strategy_dispatch import choose_generation_strategy
        from ax.api.utils.structs import GenerationStrategyDispatchStruct

        kinds = {bool: "bool", int: "int", float: "float", str: "str"}
        self._names = {name: name.replace(".", "_") for name in problem.questions}
        self._counts = sorted(problem.questions["body.stages"])
        self._axes = [axis.name for axis in problem.axes]
        parameters = [
            ChoiceParameterConfig(
                name=self._names[name],
                values=list(choices),
                parameter_type=kinds[type(choices[0])],
                is_ordered=ordered(choices),
            )
            for name, choices in problem.questions.items()
            if name != "body.stages"
        ]
        below: list[str] = []
        for fewer, count in reversed(list(pairwise(self._counts))):
            stages = {f"stage{n + 1}" for n in range(fewer, count)}
            below += [self._names[q] for q in problem.questions if q.partition(".")[0] in stages]
            name = f"at_least_{count}_stages"
            parameters.append(
                ChoiceParameterConfig(
                    name=name,
                    values=[False, True],
                    parameter_type="bool",
                    is_ordered=True,
                    dependent_parameters={True: below},
                )
            )
            below = [name]
        self._client = Client(random_seed=seed)
        self._client.configure_experiment(parameters)
        bounds = zip(self._axes, problem.reference, strict=True)
        self._client.configure_optimization(
            ", ".join(f"-{axis}" for axis in self._axes),
            [f"{axis} <= {bound}" for axis, bound in bounds],
        )
        strategy = choose_generation_strategy(
            GenerationStrategyDispatchStruct(initialization_random_seed=seed)
        )
        [model] = strategy.nodes_by_name["MBM"].generator_specs
        model.generator_gen_kwargs["model_gen_options"] = {
            "optimizer_kwargs": {"num_restarts": 4, "raw_samples": 128},
            "acquisition_function_kwargs": {"mc_samples": 32},
        }
        self._client.set_generation_strategy(strategy)
        _shorten_fits()
        self._left = TRIALS

    @quiet()
    def ask(self) -> Proposal | None:
        if not self._left:
            return None
        self._left -= 1
        [(index, found)] = self._client.get_next_trials(1).items()
        answers = {name: found[own] for name, own in self._names.items() if own in found}
        more = (found.get(f"at_least_{count}_stages", False) for count in self._counts[1:])
        return Proposal(index, {**answers, "body.stages": self._counts[sum(more)]})

    @quiet()
    def tell(self, handle: Any, losses: np.ndarray[Any, Any]) -> None:
        accuracy, *costs = losses.tolist()
        data = dict(zip(self._axes, [accuracy, *((cost, 0.0) for cost in costs)], strict=True))
        self._client.complete_trial(handle, data)


def _shorten_fits() -> None:
    """Ax has no option for it: fits of its Gaussian processes end after ``FIT_STEPS`` steps."""
    from ax.generators.torch.botorch_modular.utils import fit_botorch_model
    from botorch.fit import fit_gpytorch_mll
    from botorch.models import SingleTaskGP

    @fit_botorch_model.register(SingleTaskGP)  # type: ignore[untyped-decorator]
    def fit(model: Any, mll_class: Any, mll_options: dict[str, Any] | None = None) -> None:
        likelihood = mll_class(likelihood=model.likelihood, model=model, **(mll_options or {}))
        fit_gpytorch_mll(likelihood, optimizer_kwargs={"options": {"maxiter": FIT_STEPS}})


class MoAsha:
    """Syne Tune's MO-ASHA: random proposals, of each rung the best 1/eta goes on [Schmucker2021]_.

    What goes on is run anew at the next rung, as in a study. As shipped, it takes the order of
    non-dominated sorting (at a place, who is there) for ranks (of everyone, the place), so who goes
    on is nearly a matter of chance. ``mended`` turns the order into ranks.

    It draws from NumPy's global generator, so let there be one at a time.
    """

    @quiet()
    def __init__(self, problem: Problem, seed: int, mended: bool = False) -> None:
        from syne_tune.config_space import choice
        from syne_tune.optimizer.schedulers.multiobjective.moasha import MOASHA
        from syne_tune.optimizer.schedulers.multiobjective.multiobjective_priority import (
            NonDominatedPriority,
        )

        class Ranks(NonDominatedPriority):  # type: ignore[misc]
            def priority_unsafe(self, objectives: Any) -> Any:
                return np.argsort(super().priority_unsafe(objectives))

        np.random.seed(seed)
        self._axes = [axis.name for axis in problem.axes]
        self._budgets = problem.settings.budgets
        self._scheduler = MOASHA(
            {name: choice(list(choices)) for name, choices in problem.questions.items()},
            self._axes,
            time_attr="images",
            multiobjective_priority=Ranks() if mended else NonDominatedPriority(),
            max_t=self._budgets[-1],
            grace_period=self._budgets[0],
            reduction_factor=problem.settings.eta,
            random_seed=seed,
        )
        self._promoted: list[Proposal] = []
        self._count = 0

    @quiet()
    def ask(self) -> Proposal:
        from syne_tune.backend.trial_status import Trial

        if self._promoted:
            return self._promoted.pop()
        trial = Trial(self._count, self._scheduler.suggest().config, datetime.now())
        self._count += 1
        self._scheduler.on_trial_add(trial)
        return Proposal((trial, 0), trial.config, 0)

    @quiet()
    def tell(self, handle: Any, losses: np.ndarray[Any, Any]) -> None:
        from syne_tune.optimizer.scheduler import SchedulerDecision

        trial, rung = handle
        result = dict(zip(self._axes, losses.tolist(), strict=True))
        decision = self._scheduler.on_trial_result(trial, {**result, "images": self._budgets[rung]})
        if decision == SchedulerDecision.STOP:
            self._scheduler.on_trial_remove(trial)
        else:
            self._promoted.append(Proposal((trial, rung + 1), trial.config, rung + 1))


_TOOLS: dict[str, tuple[str, Callable[[Problem, int], Searcher]]] = {
    "smac": ("smac", Smac),
    "ax": ("ax", Ax),
    "mo-asha": ("syne_tune", MoAsha),
    "mo-asha, mended": ("syne_tune", partial(MoAsha, mended=True)),
}

SEARCHERS = {name: make for name, (package, make) in _TOOLS.items() if find_spec(package)}
"""Name to searcher, made for a problem and a seed: those whose package is installed."""

ABSENT = [name for name in _TOOLS if name not in SEARCHERS]
"""Names of the others."""
