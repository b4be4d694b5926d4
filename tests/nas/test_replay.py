"""Studies that replay a table of evaluations, on a clock that is simulated."""

import json
import math
import random
import statistics
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import optuna
import pytest
from scipy.stats import kendalltau

from nas import cli
from nas.evaluation import Evaluation
from nas.replay import LEAST_CANDIDATES, Replay, open_replay
from nas.search import Until, open_study, search
from nas.seeds import derive
from nas.settings import Recipe, Request, Settings
from nas.simulated import Simulated
from search_space.architecture import Candidate
from search_space.cost import cost
from search_space.space import SearchSpace
from studies.store import open_store
from studies.table import Outcome, Run, Setting, Table, TableError

BUDGETS = (5_000, 20_000)
NOISE = 0.04
SETTINGS = Settings(sampler="random", budgets=BUDGETS, promotion="none")
BF16 = Recipe(precision="bf16")


def candidates(count: int, seed: int = 0) -> Iterator[Candidate]:
    chance = random.Random(seed)
    for _ in range(count):
        yield SearchSpace().sample(lambda name, options: chance.choice(options))


def true_error(candidate: Candidate, budget: int) -> float:
    """Fewer errors with more parameters, with batch norm, and with more training."""
    params = cost(candidate.architecture).params
    normed = candidate.architecture.norm != "none"
    return 0.9 * params**-0.12 * (0.6 if normed else 1.0) * (20_000 / budget) ** 0.3


def recorded(count: int = 60, seeds: tuple[int, ...] = (1, 2)) -> Table:
    table = Table(SearchSpace().to_json())
    setting = Setting.of(vars(BF16), 28, 1, "d")
    for one in candidates(count):
        table.candidates[one.key] = one.to_json()
        for budget in BUDGETS:
            for seed in seeds:
                noise = np.random.default_rng(derive(one.key, budget, seed)).normal(0, NOISE)
                accuracy = 1 - true_error(one, budget) * math.exp(noise)
                seconds = budget * cost(one.architecture).flops ** 0.5 / 2e6
                run = Run(one.key, setting, budget, seed)
                table.outcomes[run] = Outcome(accuracy, 0.5, seconds)
    return table


@pytest.fixture(scope="module")
def path(tmp_path_factory: pytest.TempPathFactory) -> Path:
    found = tmp_path_factory.mktemp("table") / "table.jsonl"
    recorded().write(found)
    return found


@pytest.fixture(scope="module")
def replay(path: Path) -> Replay:
    return open_replay(path, SETTINGS, "auto")[0]


@pytest.fixture
def ran(monkeypatch: pytest.MonkeyPatch, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> Any:
    """Runs the command in a directory of its own: exit code, output, errors."""
    monkeypatch.chdir(tmp_path)

    def run(*words: str) -> tuple[int, str, str]:
        monkeypatch.setattr("sys.argv", ["nas", *words])
        with pytest.raises(SystemExit) as ended:
            cli.main()
        shown = capsys.readouterr()
        return int(ended.value.code or 0), shown.out, shown.err

    return run


def request(candidate: Candidate, budget: int, seed: int = 0) -> Request:
    return Request(candidate, BF16, 28, 1, budget, seed, "d")


def accuracy(found: Evaluation) -> float:
    assert found.accuracy is not None
    return found.accuracy


def test_the_model_predicts_what_it_has_not_seen(replay: Replay) -> None:
    fresh = list(candidates(100, seed=9))
    for budget in BUDGETS:
        assert replay.quality[budget].candidates == 60
        assert replay.quality[budget].tau > 0.5
        assert replay.quality[budget].r2 > 0.5
        answers = [replay.truth(one, budget) for one in fresh]
        truth = [1 - true_error(one, budget) for one in fresh]
        assert kendalltau(answers, truth)[0] > 0.5


def test_a_candidate_of_the_table_has_what_was_measured(replay: Replay) -> None:
    for one in candidates(10):
        measured = [
            math.log(true_error(one, 5_000))
            + np.random.default_rng(derive(one.key, 5_000, seed)).normal(0, NOISE)
            for seed in (1, 2)
        ]
        assert math.log(1 - replay.truth(one, 5_000)) == pytest.approx(statistics.mean(measured))


def test_noise_is_as_measured_and_of_the_seed_alone(replay: Replay) -> None:
    assert replay.quality[5_000].noise == pytest.approx(NOISE, rel=0.3)
    one = next(candidates(1, seed=9))
    errors = [math.log(1 - accuracy(replay(request(one, 5_000, seed)))) for seed in range(300)]
    assert statistics.stdev(errors) == pytest.approx(replay.quality[5_000].noise, rel=0.15)
    expected = math.log(1 - replay.truth(one, 5_000))
    assert statistics.mean(errors) == pytest.approx(expected, abs=0.01)
    assert replay(request(one, 5_000, 7)) == replay(request(one, 5_000, 7))


def test_deviations_are_as_large_as_the_models_errors(path: Path) -> None:
    """And alike at both budgets, where what the model can't see is the same at both."""
    table = recorded(200, seeds=(1,))
    shifts = {key: random.Random(key).gauss(0, 0.3) for key in table.candidates}
    table.outcomes = {
        run: found._replace(
            accuracy=1 - (1 - (found.accuracy or 0)) * min(1.8, math.exp(shifts[run.key]))
        )
        for run, found in table.outcomes.items()
    }
    shifted = path.with_name("shifted.jsonl")
    table.write(shifted)
    replay = open_replay(shifted, SETTINGS, "auto")[0]
    logs = np.array(
        [
            [
                math.log((1 - replay.truth(one, budget)) / true_error(one, budget))
                for budget in BUDGETS
            ]
            for one in candidates(200, seed=9)
        ]
    )
    assert logs.std(axis=0) == pytest.approx(0.3, rel=0.35)
    assert np.corrcoef(logs.T)[0, 1] > 0.9


def test_answers_are_of_the_table_whatever_budgets_are_asked_for(path: Path) -> None:
    both = open_replay(path, SETTINGS, "auto")[0]
    last = open_replay(path, replace(SETTINGS, budgets=(20_000,)), "auto")[0]
    for one in candidates(20, seed=9):
        assert both(request(one, 20_000, 4)) == last(request(one, 20_000, 4))


def test_seconds_follow_the_cost(replay: Replay) -> None:
    for one in candidates(30, seed=9):
        expected = 5_000 * cost(one.architecture).flops ** 0.5 / 2e6
        assert replay.seconds(one, 5_000) == pytest.approx(expected, rel=0.25)
        assert replay(request(one, 5_000)).seconds == replay.seconds(one, 5_000)


def test_simulated_workers_end_in_the_order_of_their_clock() -> None:
    seconds = {1: 5.0, 2: 1.0, 3: 2.0}

    def evaluate(asked: Request) -> Evaluation:
        if asked.seed == 4:
            raise RuntimeError("broken")
        return Evaluation(0.5, None, (), seconds[asked.seed], 1.0, "h", {})

    one = next(candidates(1))
    workers = Simulated(2, evaluate)
    ended = []
    workers.submit(request(one, 128, 1))
    workers.submit(request(one, 128, 2))
    for following in (3, 4, None):
        asked, _ = workers.next(0)
        ended.append((asked.seed, workers.clock))
        if following:
            workers.submit(request(one, 128, following))
    asked, outcome = workers.next(0)
    ended.append((asked.seed, workers.clock))
    assert ended == [(2, 1.0), (3, 3.0), (4, 3.0), (1, 5.0)]
    assert isinstance(outcome, Evaluation)


def test_two_workers_take_half_the_time_of_one(path: Path, tmp_path: Path) -> None:
    replay, settings = open_replay(path, SETTINGS, "auto")
    clocks = []
    for slots in (1, 2):
        store = open_store(f"sqlite:///{tmp_path}/{slots}.db", create=True)
        study = open_study(store, "s", settings)
        workers = Simulated(slots, replay)
        done = search(settings, store, study, Until(20), workers, "", lambda _: None)
        clocks.append(workers.clock)
        spent = sum(trial.user_attrs["seconds"] for trial in study.get_trials())
        assert workers.clock * slots == pytest.approx(spent, rel=0.15)
        assert len(done.completed) == 20
    assert clocks[1] < 0.65 * clocks[0]


def test_a_study_on_a_table_from_the_command_line(path: Path, ran: Any) -> None:
    words = ["run", "--trials", "15", "--replay", str(path), "--budget", "5k,20k", "--quiet"]
    code, first, errors = ran(*words, "--json", "--workers", "1")
    assert (code, errors) == (0, "")
    found = json.loads(first)
    assert found["trials"]["complete"] + found["trials"].get("pruned", 0) == 15
    store = open_store("sqlite:///nas.db")
    settings = store.study("inception")["settings"]
    assert settings["data"].startswith("replay of ")
    assert settings["recipe"]["precision"] == "bf16"
    assert ran(*words, "--json", "--workers", "1")[1] == first
    code, _, errors = ran(*words[:-1], "--replay", str(path), "--precision", "float32")
    assert code == 2
    assert "no evaluation at resolution 28, 1 channels and precision float32" in errors


def test_another_table_is_another_study(path: Path, tmp_path: Path, ran: Any) -> None:
    other = tmp_path / "other.jsonl"
    recorded(40).write(other)
    words = ["run", "--trials", "2", "--budget", "5k,20k", "--quiet", "--workers", "1"]
    assert ran(*words, "--replay", str(path))[0] == 0
    code, _, errors = ran(*words, "--replay", str(other))
    assert code == 2
    assert "data: the study has 'replay of " in errors


@pytest.mark.parametrize(
    ("options", "message"),
    [
        (["--budget", "5k,30k"], r"0 candidates at a budget of 30,000 images"),
        (["--budget", "5k,20k", "--resolution", "32"], "no evaluation at resolution 32"),
        (["--budget", "5k,20k", "--channels", "3"], "3 channels"),
        (["--budget", "5k,20k", "--space", "SPACE"], "is of another space: stem.kernel is"),
        (["--budget", "20k,5k"], "must increase"),
        (["--rungs", "2", "--eta", "1"], "eta is 1"),
        (["--replay", "nowhere"], "nowhere can't be read: No such file"),
        (["--replay", "SPACE"], "line 1 is not a JSON object"),
        (["--sampler", "optuna.samplers.Nothing"], "can't be imported"),
        (
            ["--sampler", "no.such.module"],
            "can't be imported: ModuleNotFoundError: No module named 'no'",
        ),
        (["--sampler", "optuna.trial.Trial"], "is not a subclass of Optuna's BaseSampler"),
        (["--sampler", "optuna.samplers.GridSampler"], "can't be made without search_space"),
        (["--sampler", "optuna.samplers.BaseSampler"], "can't be made without"),
        (["--sampler", "tpee"], "sampler is 'tpee'"),
        (["--sampler", "."], "can't be imported"),
        (["--sampler", "./broken.X"], "it is no dotted path"),
        (["--sampler", "broken.Sampler"], "can't be imported: SyntaxError"),
        (["--sampler", "raising.Sampler"], "can't propose for 3 objectives: RuntimeError: no GPU"),
        (["--sampler", "optuna.samplers.CmaEsSampler"], "can't propose for 3 objectives"),
        (["--data-dir", "."], "--replay and --data-dir exclude each other"),
    ],
)
def test_bad_input_is_one_line_and_nothing_written(
    path: Path, tmp_path: Path, ran: Any, options: list[str], message: str
) -> None:
    space = tmp_path / "space.toml"
    space.write_text("[stem]\nkernel = [3]\n")
    (tmp_path / "broken.py").write_text("class Sampler(:")
    (tmp_path / "raising.py").write_text(RAISING)
    options = [str(space) if option == "SPACE" else option for option in options]
    code, out, errors = ran("run", "--replay", str(path), "--trials", "3", *options)
    assert code == 2
    assert out == ""
    assert errors.startswith("error: ")
    assert errors.count("\n") == 1
    assert message in errors
    left = {found.name for found in tmp_path.iterdir()} - {"__pycache__"}
    assert left == {"space.toml", "broken.py", "raising.py"}


RAISING = """
from optuna.samplers import RandomSampler

class Sampler(RandomSampler):
    def __init__(self):
        raise RuntimeError("no GPU")
"""


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"recipe": {"batch_size": 64}}, "has no evaluation at resolution 28"),
        ({"recipe": {"colour": "red"}}, "a recipe that this version doesn't know"),
        ({"key": "0123"}, "the table's candidate 0123 has the key"),
        ({"candidate": {"architecture": {}}}, "is none: Architecture has no"),
    ],
)
def test_tables_that_are_not_ours_are_refused(
    tmp_path: Path, change: dict[str, Any], message: str
) -> None:
    other = tmp_path / "other.jsonl"
    recorded(35).write(other)
    head, first, *rest = map(json.loads, other.read_text().splitlines())
    if "recipe" in change:
        head["settings"][0] |= change
    else:
        first |= change
    other.write_text("\n".join(json.dumps(line) for line in (head, first, *rest)))
    with pytest.raises(TableError, match=message):
        open_replay(other, SETTINGS, "bf16")


def test_candidates_must_be_the_same_at_all_budgets(tmp_path: Path) -> None:
    table = recorded(70, seeds=(1,))
    kept = {key: BUDGETS[place % 2] for place, key in enumerate(sorted(table.candidates))}
    table.outcomes = {run: o for run, o in table.outcomes.items() if kept[run.key] == run.budget}
    table.write(tmp_path / "apart.jsonl")
    with pytest.raises(
        TableError, match=r"0 candidates that were measured at all of 5,000, 20,000"
    ):
        open_replay(tmp_path / "apart.jsonl", SETTINGS, "auto")


def test_what_one_seed_can_not_tell_is_said(tmp_path: Path) -> None:
    recorded(40, seeds=(1,)).write(tmp_path / "once.jsonl")
    replay = open_replay(tmp_path / "once.jsonl", SETTINGS, "auto")[0]
    assert replay.quality[5_000].noise is None
    assert "noise unknown" in replay.quality[5_000].words()
    one = next(candidates(1, seed=9))
    assert accuracy(replay(request(one, 5_000, 1))) == accuracy(replay(request(one, 5_000, 2)))


def test_too_few_candidates_are_refused(tmp_path: Path) -> None:
    few = tmp_path / "few.jsonl"
    recorded(LEAST_CANDIDATES - 1).write(few)
    with pytest.raises(TableError, match=r"has 29 candidates at a budget of 5,000.*30 timed"):
        open_replay(few, SETTINGS, "auto")
    untimed = recorded()
    for run, found in untimed.outcomes.items():
        untimed.outcomes[run] = found._replace(seconds=None)
    untimed.write(few)
    with pytest.raises(TableError, match=r"60 candidates.*0 of them timed"):
        open_replay(few, SETTINGS, "auto")


OWN = '''
from optuna.samplers import RandomSampler

class Counting(RandomSampler):
    """Remembers what it was asked, as samplers do that Optuna's users write."""
    def __init__(self, seed=None):
        super().__init__(seed)
        self.asked = set()

    def sample_independent(self, study, trial, name, distribution):
        self.asked.add(trial.number)
        study.set_user_attr("asked", sorted(self.asked))
        return super().sample_independent(study, trial, name, distribution)
'''


def test_a_sampler_of_ones_own_is_one_for_the_whole_run(
    path: Path, tmp_path: Path, ran: Any
) -> None:
    (tmp_path / "my_samplers.py").write_text(OWN)
    words = ["run", "--replay", str(path), "--budget", "5k,20k", "--workers", "1", "--quiet"]
    own = [*words, "--sampler", "my_samplers.Counting", "--promotion", "none"]
    assert ran(*own, "--trials", "4")[0] == 0
    assert ran(*own, "--trials", "8")[0] == 0
    study = optuna.load_study(study_name="inception", storage="sqlite:///nas.db")
    assert study.user_attrs["asked"] == [4, 5, 6, 7]
    keys = [trial.user_attrs["key"] for trial in study.trials]
    assert len(set(keys)) == 8  # continued, it doesn't begin its sequence again


def test_optunas_samplers_work_by_their_path(path: Path, ran: Any) -> None:
    words = ["run", "--replay", str(path), "--budget", "5k,20k", "--workers", "1", "--quiet"]
    for name in ("QMCSampler", "NSGAIISampler"):
        sampler = f"optuna.samplers.{name}"
        assert ran(*words, "--trials", "4", "--sampler", sampler, "--study", name)[0] == 0


def test_a_sampler_that_repeats_candidates_does(path: Path, tmp_path: Path, ran: Any) -> None:
    """benchmarks/again.py, by which second seeds are recorded."""
    here = Path(__file__).parents[2] / "benchmarks" / "again.py"
    (tmp_path / "again.py").write_text(here.read_text())
    words = ["run", "--replay", str(path), "--workers", "1", "--quiet", "--promotion", "none"]
    assert (
        ran(*words, "--trials", "5", "--sampler", "random", "--seed", "1", "--study", "a")[0] == 0
    )
    repeated = [*words, "--trials", "5", "--sampler", "again.Again", "--seed", "2", "--study", "b"]
    assert ran(*repeated, "--rungs", "1")[0] == 0
    a, b = (optuna.load_study(study_name=name, storage="sqlite:///nas.db").trials for name in "ab")
    assert [t.user_attrs["key"] for t in a] == [t.user_attrs["key"] for t in b]
    assert [t.values[0] for t in a] != [t.values[0] for t in b]


def test_studies_on_one_table_pay_for_themselves(path: Path, ran: Any) -> None:
    """What another one had is neither looked up nor learned from."""
    words = ["run", "--replay", str(path), "--trials", "14", "--workers", "1", "--json"]
    first = json.loads(ran(*words, "--study", "a")[1])
    second = json.loads(ran(*words, "--study", "b")[1])
    assert first | {"study": "", "plot": ""} == second | {"study": "", "plot": ""}


def test_a_replay_says_how_good_it_is_and_how_long_it_would_take(path: Path, ran: Any) -> None:
    words = ["run", "--replay", str(path), "--trials", "3", "--sampler", "random"]
    code, _, errors = ran(*words)
    assert code == 0
    assert "20,000 images: 60 candidates, out-of-fold tau 0." in errors
    assert "simulated on 2 workers" in errors
    code, out, _ = ran(*words, "--objectives", "params,flops", "--study", "free", "--json")
    assert code == 0
    assert json.loads(out)["trials"] == {"complete": 3}


def test_a_replayed_study_killed_is_the_study_never_killed(path: Path, tmp_path: Path) -> None:
    replay, settings = open_replay(path, Settings(), "auto")

    class Power(BaseException):
        pass

    def facts(name: str, cuts: tuple[int, ...]) -> list[Any]:
        store = open_store(f"sqlite:///{tmp_path}/{name}.db", create=True)
        for cut in cuts:
            left = iter(range(cut))

            def evaluate(asked: Request, left: Iterator[int] = left) -> Evaluation:
                if next(left, None) is None:
                    raise Power
                return replay(asked)

            study = open_study(store, "s", settings)
            try:
                search(
                    settings, store, study, Until(16), Simulated(1, evaluate), "", lambda _: None
                )
            except Power:
                continue
        return [(trial.params, trial.values, trial.user_attrs) for trial in study.get_trials()]

    assert facts("cut", (0, 3, 5, 1, 1000)) == facts("whole", (1000,))
