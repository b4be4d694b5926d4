"""`nas run --replay`, and samplers by their path, as a user runs them."""

import json
from pathlib import Path
from typing import Any

import optuna
import pytest

from studies.store import open_store


def test_a_study_on_a_table_from_the_command_line(
    path: Path,
    ran: Any,
) -> None:
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
    code, shown, _ = ran("show", "0")
    assert "simulated s\nno learning curve: nothing was trained\n" in shown
    code, _, errors = ran(*words[:-1], "--replay", str(path), "--precision", "float32")
    assert code == 2
    assert "no evaluation at resolution 28, 1 channel and precision float32" in errors


def test_another_table_is_another_study(
    path: Path,
    tmp_path: Path,
    ran: Any,
    recorded: Any,
) -> None:
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
    path: Path,
    tmp_path: Path,
    ran: Any,
    options: list[str],
    message: str,
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
    path: Path,
    tmp_path: Path,
    ran: Any,
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


def test_optunas_samplers_work_by_their_path(
    path: Path,
    ran: Any,
) -> None:
    words = ["run", "--replay", str(path), "--budget", "5k,20k", "--workers", "1", "--quiet"]
    for name in ("QMCSampler", "NSGAIISampler"):
        sampler = f"optuna.samplers.{name}"
        assert ran(*words, "--trials", "4", "--sampler", sampler, "--study", name)[0] == 0


def test_studies_on_one_table_pay_for_themselves(
    path: Path,
    ran: Any,
) -> None:
    """What another one had is neither looked up nor learned from."""
    words = ["run", "--replay", str(path), "--trials", "14", "--workers", "1", "--json"]
    words += ["--budget", "5k,20k"]
    first = json.loads(ran(*words, "--study", "a")[1])
    second = json.loads(ran(*words, "--study", "b")[1])
    assert first | {"study": "", "plot": ""} == second | {"study": "", "plot": ""}


def test_a_replay_says_how_good_it_is_and_how_long_it_would_take(
    path: Path,
    ran: Any,
) -> None:
    words = ["run", "--replay", str(path), "--trials", "3", "--sampler", "random"]
    code, _, errors = ran(*words)
    assert code == 2
    assert "the table has 0 candidates at a budget of 80,000 images" in errors
    assert "60 candidates at 5,000 images" in errors
    words += ["--budget", "5k,20k"]
    code, _, errors = ran(*words)
    assert code == 0
    assert "20,000 images: 60 candidates, out-of-fold tau 0." in errors
    assert "simulated on 2 workers" in errors
    code, out, _ = ran(*words, "--objectives", "params,flops", "--study", "free", "--json")
    assert code == 0
    assert json.loads(out)["trials"] == {"complete": 3}
