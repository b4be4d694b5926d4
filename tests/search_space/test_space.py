"""Tests of sampling: what is asked, within which choices, and what the resolution rules out."""

from collections.abc import Sequence
from itertools import pairwise
from random import Random
from typing import Any

import optuna
import pytest
from hypothesis import assume, given
from hypothesis import strategies as st

from search_space.architecture import Block, Candidate
from search_space.diagram import rows
from search_space.dimensions import (
    DEFAULTS_0_1,
    DIMENSIONS,
    MAX_STAGES,
    SHARES,
    WIDTHS,
    general,
)
from search_space.expand import expand
from search_space.space import SearchSpace

RESOLUTIONS = st.integers(8, 224)
SEEDS = st.integers(0, 2**32)


class Recorder:
    """A seeded chooser that keeps what it was asked, and its answers."""

    def __init__(self, seed: int) -> None:
        self.random = Random(seed)
        self.asked: dict[str, tuple[Any, ...]] = {}
        self.answers: dict[str, Any] = {}

    def __call__(self, name: str, options: Sequence[Any]) -> Any:
        assert name not in self.asked, f"{name} is asked twice"
        self.asked[name] = tuple(options)
        self.answers[name] = self.random.choice(options)
        return self.answers[name]


def sample(space: SearchSpace, chooser: Recorder, resolution: int = 28) -> Candidate:
    """A candidate, or rejection of the example where the resolution allows none."""
    try:
        return space.sample(chooser, resolution)
    except ValueError as error:
        assume("no candidate of this space can run" not in str(error))
        raise


def test_the_same_answers_give_the_same_candidate(sampled: list[Candidate]) -> None:
    assert [SearchSpace().sample(Recorder(seed)) for seed in range(100)] == sampled[:100]
    recorder = Recorder(5)
    candidate = SearchSpace().sample(recorder)
    assert SearchSpace().sample(lambda name, _: recorder.answers[name]) == candidate


def test_every_default_choice_turns_up(sampled: list[Candidate]) -> None:
    answered: dict[str, set[Any]] = {}
    for seed in range(1000):
        recorder = Recorder(seed)
        SearchSpace().sample(recorder)
        for name, answer in recorder.answers.items():
            answered.setdefault(general(name.split("[")[0]), set()).add(answer)
    everywhere = {name for name, choices in SearchSpace().items() if len(choices) > 1}
    assert answered == {
        name: set(item.choices) for name, item in DIMENSIONS.items() if name in everywhere
    }


@given(st.from_type(SearchSpace), RESOLUTIONS, SEEDS)
def test_questions_are_within_the_space(space: SearchSpace, resolution: int, seed: int) -> None:
    recorder = Recorder(seed)
    sample(space, recorder, resolution)
    for name, options in recorder.asked.items():
        bare, _, listed = name.rstrip("]").partition("[")
        choices = space.choices(bare)
        assert len(options) > 1, f"{name} is no question"
        assert set(options) <= set(choices)
        assert list(options) == [choice for choice in choices if choice in options]
        assert (options == choices) is (listed == "")
        assert listed in ("", ",".join(map(str, options)))


@given(st.from_type(SearchSpace), RESOLUTIONS, SEEDS)
def test_candidates_are_within_the_space(space: SearchSpace, resolution: int, seed: int) -> None:
    candidate = sample(space, Recorder(seed), resolution)
    architecture = candidate.architecture
    stem = architecture.stem
    for name in ("kernel", "stride", "pool", "width"):
        assert getattr(stem, name) in space.choices(f"stem.{name}")
    assert (stem.second is not None) in space.choices("stem.second")
    if stem.second is not None:
        for width, name in zip(stem.second, ("second_1x1", "second_3x3"), strict=True):
            ratios = map(float, space.choices(f"stem.{name}"))
            assert width in {max(4, 4 * round(ratio * stem.width / 4)) for ratio in ratios}
    assert len(architecture.stages) in space.choices("body.stages")
    assert (architecture.norm != "none") in space.choices("body.batch_norm")
    assert architecture.norm in ("none", *space.choices("body.order"))
    assert architecture.dropout in space.choices("head.dropout")
    assert candidate.label_smoothing in space.choices("head.label_smoothing")

    inputs = stem.second[1] if stem.second else stem.width
    for number, stage in enumerate(architecture.stages, 1):
        name = f"stage{number}"
        choices = {
            key[6:]: space.choices(f"{name}.{key[6:]}") for key in DIMENSIONS if "stage." in key
        }
        assert len(stage.blocks) in choices["blocks"]
        if number == 1:
            assert stage.reduction == "none"
        else:
            assert stage.reduction in choices["reduction"]
        inputs *= 2 if stage.reduction == "inception" else 1
        last = stage.blocks[-1]
        assert set(stage.blocks[1:]) <= {last}
        for block in stage.blocks:
            widths = (block.width_1x1, block.width_3x3, block.width_5x5, block.width_pool)
            if space.divided:
                assert block.width in choices["width"]
                for width, share in zip(widths, SHARES, strict=True):
                    assert width % 4 == 0
                    assert (0 in choices[share]) if width == 0 else any(choices[share])
            else:
                for width, branch in zip(widths, WIDTHS, strict=False):
                    assert width in (0, *choices[branch])
            assert block.factorization in ("none", *choices["factorization"])
            assert block.factorization != "asymmetric" or block.n in {3, *choices["n"]}
            assert not block.width_pool or block.pool in choices["pool"]
            assert block.residual in ("none", *choices["residual"])
            assert block.residual != "block" or block.scale in choices["scale"]
            for kind, _, reduce, width in block.large:
                step, name = (4, "reduce") if space.divided else (8, f"reduce_{kind}")
                ratios = map(float, choices[name])
                at_ratios = {max(step, step * round(r * width / step)) for r in ratios}
                assert reduce in at_ratios if width else reduce == 0
        if last.residual == "block":
            assert stage.blocks[0].residual == ("block" if inputs == last.width else "none")
            assert len(stage.blocks) > 1 or inputs == last.width
        else:
            assert stage.blocks[0] == last
        inputs = last.width


@given(st.from_type(SearchSpace))
def test_one_name_always_has_the_same_options(space: SearchSpace) -> None:
    """Optuna refuses a name whose choices change within a study."""
    options: dict[str, tuple[Any, ...]] = {}
    for resolution in (8, 9, 12, 16, 28, 57, 224):
        for seed in range(10):
            recorder = Recorder(seed)
            sample(space, recorder, resolution)
            for name, asked in recorder.asked.items():
                assert options.setdefault(name, asked) == asked


@pytest.mark.parametrize("resolution", [8, 28])
def test_an_optuna_trial_can_choose(resolution: int) -> None:
    optuna.logging.disable_default_handler()
    study = optuna.create_study(sampler=optuna.samplers.RandomSampler(seed=0))
    for _ in range(100):
        trial = study.ask()
        candidate = SearchSpace().sample(trial.suggest_categorical, resolution)
        assert isinstance(candidate, Candidate)
        study.tell(trial, 0.0)


def test_a_single_option_is_no_question() -> None:
    recorder = Recorder(0)
    SearchSpace({"stage.width": (16,), "body.stages": (1,)}).sample(recorder)
    assert not {"stage1.width", "body.stages"} & recorder.asked.keys()


def test_all_dimensions_of_the_stages_that_are_there_are_asked() -> None:
    asked = {n for n, choices in SearchSpace().items() if n in DIMENSIONS and len(choices) > 1}
    everywhere = {name for name in asked if not name.startswith("stage.")}
    of_a_stage = {name[6:] for name in asked if name.startswith("stage.")}
    for seed in range(100):
        recorder = Recorder(seed)
        SearchSpace().sample(recorder)
        expected = set(everywhere)
        if not recorder.answers["stem.second"]:
            expected -= {"stem.second_1x1", "stem.second_3x3"}
        for number in range(1, recorder.answers["body.stages"] + 1):
            here = of_a_stage - {"reduction"} if number == 1 else of_a_stage
            expected |= {f"stage{number}.{name}" for name in here}
        assert recorder.asked.keys() == expected


def keys(answers: dict[str, Any], name: str, **choices: tuple[Any, ...]) -> int:
    """How many networks there are for the choices of one dimension, the other answers fixed."""
    given = {dimension.replace("__", "."): options for dimension, options in choices.items()}
    before = DEFAULTS_0_1 | {"body.stages": (1,), "stem.second": (False,)}
    space = SearchSpace(before | given)

    def choose(asked: str, options: Sequence[Any]) -> Any:
        return answers.get(asked, options[0])

    options = space.choices(name)
    found = set()
    for option in options:
        answers[name] = option
        found.add(space.sample(choose).key)
    return len(found)


def test_answers_that_change_nothing_make_no_other_key() -> None:
    large = {"stage__share_3x3": (1,)}
    assert keys({"stage1.factorization": "none"}, "stage1.n", **large) == 1
    assert keys({"stage1.factorization": "asymmetric"}, "stage1.n", **large) == 3
    assert keys({"stage1.residual": "branch"}, "stage1.scale") == 1
    wide = {"stem__width": (8,), "stage__width": (16,), "stage__blocks": (1,)}
    assert keys({}, "stage1.residual", **wide) == 2
    assert keys({"stage1.residual": "block"}, "stage1.scale", **wide) == 1
    for fits in ({"stem__width": (16,)}, {"stage__blocks": (2,)}):
        assert keys({}, "stage1.residual", **wide | fits) == 3
        assert keys({"stage1.residual": "block"}, "stage1.scale", **wide | fits) == 3
    without = {"stage__share_3x3": (0,), "stage__share_5x5": (0,), "stage__share_1x1": (1,)}
    assert keys({}, "stage1.reduce", **without) == 1
    assert keys({}, "stage1.factorization", **without) == 1
    assert keys({"stage1.share_pool": 0}, "stage1.pool", **without) == 1
    assert keys({"stage1.share_pool": 1}, "stage1.pool", **without) == 2
    assert keys({"body.batch_norm": False}, "body.order") == 1
    assert keys({"body.batch_norm": True}, "body.order") == 2


def test_where_all_shares_are_0_the_last_branch_that_may_be_there_takes_the_width() -> None:
    nothing: dict[str, Any] = {f"stage1.share_{kind}": 0 for kind in ("1x1", "3x3", "5x5", "pool")}

    def choose(name: str, options: Sequence[Any]) -> Any:
        return nothing.get(name, options[0])

    block = SearchSpace(DEFAULTS_0_1).sample(choose).architecture.stages[0].blocks[0]
    assert block.width_pool == block.width
    no_pool = SearchSpace({"stage.share_pool": (0,)})
    block = no_pool.sample(choose).architecture.stages[0].blocks[0]
    assert block.width_5x5 == block.width


def test_where_no_branch_was_chosen_one_has_its_least_width() -> None:
    def choose(_name: str, options: Sequence[Any]) -> Any:
        return options[0]

    def block(**given: tuple[int, ...]) -> Block:
        space = SearchSpace({f"stage.width_{branch}": widths for branch, widths in given.items()})
        return space.sample(choose).architecture.stages[0].blocks[0]

    assert block() == Block(width_3x3=8, reduce_3x3=8)
    assert block(**{"3x3": (0, 32, 16)}).width_3x3 == 16
    assert block(**{"3x3": (0,)}) == Block(width_1x1=8)
    assert block(**{"3x3": (0,), "1x1": (0,), "5x5": (0,)}) == Block(width_pool=8)


def test_a_stages_own_choices_come_before_those_of_all_stages() -> None:
    space = SearchSpace(
        {"stage.width": (16,), "stage2.width": (64,), "stage2.blocks": (3,), "body.stages": (3,)}
    )
    assert space.choices("stage1.width") == space.choices("stage3.width") == (16,)
    assert space.choices("stage2.width") == (64,)
    for seed in range(20):
        stages = space.sample(Recorder(seed)).architecture.stages
        assert [stage.blocks[0].width for stage in stages] == [16, 64, 16]
        assert len(stages[1].blocks) == 3


@pytest.mark.parametrize("resolution", [8, 9, 12, 28])
def test_every_reduction_sees_maps_of_at_least_2x2(resolution: int) -> None:
    space = SearchSpace({"body.stages": (1, 2, 3, 4, 5, 6)})
    counts = set()
    for seed in range(300):
        architecture = space.sample(Recorder(seed), resolution).architecture
        found = rows(expand(architecture), (1, resolution, resolution), depth=1)
        for before, row in pairwise(found):
            if row.name.startswith("reduction"):
                assert before.output[1] >= 2
                assert row.output[1] == (before.output[1] + 1) // 2
        counts.add(len(architecture.stages))
    # 8, 4, 2, 1 and 28, 14, 7, 4, 2, 1: no more stages, and no fewer.
    assert counts == set(range(1, {8: 4, 9: 5, 12: 5, 28: 6}[resolution] + 1))


def test_halvings_that_would_leave_too_few_stages_are_not_offered() -> None:
    space = SearchSpace({"body.stages": (5,)})
    for seed in range(100):
        recorder = Recorder(seed)
        stem = space.sample(recorder, 16).architecture.stem
        assert (stem.stride, stem.pool, stem.second) == (1, False, None)
        assert not {"stem.stride", "stem.pool", "stem.second"} & {
            name.split("[")[0] for name in recorder.asked
        }


@pytest.mark.parametrize(("stages", "resolution"), [(6, 8), (6, 16), (5, 8)])
def test_a_space_that_cannot_run_at_the_resolution(stages: int, resolution: int) -> None:
    space = SearchSpace({"body.stages": (stages,)})
    with pytest.raises(ValueError, match=rf"^resolution is {resolution}; no candidate of this spa"):
        space.sample(Recorder(0), resolution)
    with pytest.raises(ValueError, match=r"allow fewer stages or less pooling\)$"):
        space.sample(Recorder(0), resolution)


@pytest.mark.parametrize("resolution", [7, 225, 28.0])
def test_resolutions_outside_8_to_224(resolution: int) -> None:
    message = f"^resolution is {resolution}; it must be a whole number from 8 to 224$"
    with pytest.raises(ValueError, match=message):
        SearchSpace().sample(Recorder(0), resolution)


def test_there_are_six_stages_at_most() -> None:
    assert MAX_STAGES == 6
    assert general("stage6.n") == "stage.n"
    assert general("stage7.n") == "stage7.n"
