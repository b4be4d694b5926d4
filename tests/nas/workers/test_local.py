"""Workers of this machine: what becomes of an evaluation whose worker dies, or asks too much."""

import os
import signal
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from nas.settings import Request, Settings
from nas.short_run.evaluation import Evaluate
from nas.workers import local
from nas.workers.exits import exit_words
from nas.workers.local import check_places, default_workers, device, open_workers
from nas.workers.protocol import InDriver, Outcome, Workers
from search_space import catalog
from studies.evaluation import Evaluation

RESULT = Evaluation(0.5, 1.0, (), 0.1, 10.0, "here", {})
BIG = 2**31


def requests(count: int) -> list[Request]:
    candidate = catalog.candidate("inception-28")
    return [Settings(seed=seed).request(candidate, "", 0) for seed in range(count)]


def outcomes(workers: Workers, asked: list[Request], seconds: float = 120) -> list[Outcome]:
    for request in asked:
        workers.submit(request)
    found: list[Outcome] = []
    until = time.monotonic() + seconds
    while len(found) < len(asked):
        assert time.monotonic() < until, (found, workers.words())
        if (outcome := workers.next(1.0)) is not None:
            found.append(outcome)
    return found


def dying(marks: Path, deaths: int, how: Callable[[], None]) -> Evaluate:
    """An evaluation of the first request that ends its process so many times; others go well.

    ``how`` is defined inside a test, and so sent by value: a worker can't import tests.
    """
    result, first = RESULT, requests(1)[0].seed

    def evaluate(request: Request) -> Evaluation:
        if request.seed == first:
            died = len(list(marks.iterdir()))
            if died < deaths:
                (marks / str(died)).touch()
                how()
        return result

    return evaluate


def test_dead_worker_costs_one_evaluation_which_another_repeats(tmp_path: Path) -> None:
    def how() -> None:
        os.kill(os.getpid(), signal.SIGKILL)

    with open_workers(2, dying(tmp_path, 1, how)) as workers:
        found = outcomes(workers, requests(4))
        assert "1 retried" in workers.words()
    assert all(outcome.result == RESULT for outcome in found)
    (lost,) = [outcome.lost for outcome in found if outcome.lost]
    assert len(lost) == 1
    assert "killed by signal 9 (SIGKILL)" in lost[0]


@pytest.mark.slow
def test_evaluation_that_kills_two_workers_fails_with_their_reasons(tmp_path: Path) -> None:
    def how() -> None:
        os._exit(7)

    with open_workers(2, dying(tmp_path, 9, how)) as workers:
        found = outcomes(workers, requests(3))
    (failed,) = [outcome for outcome in found if outcome.result != RESULT]
    assert isinstance(failed.result, str)
    assert failed.result.count("ended with exit code 7") == 2
    assert len(failed.lost) == 2
    assert len(list(tmp_path.iterdir())) == 2


@pytest.mark.slow
def test_evaluation_beyond_the_workers_memory_is_stopped_by_it(tmp_path: Path) -> None:
    size = BIG

    def how() -> None:
        held = bytearray(size)
        for place in range(0, size, 4096):
            held[place] = 1
        time.sleep(30)

    with open_workers(1, dying(tmp_path, 9, how), memory=2**30) as workers:
        found = outcomes(workers, requests(2))
    (failed,) = [outcome for outcome in found if outcome.result != RESULT]
    assert isinstance(failed.result, str)
    assert failed.result.count("out of memory: it held") == 2
    assert "of the 1.00 GiB that a worker may" in failed.result


@pytest.mark.parametrize("count", [0, 1])
def test_error_is_told_with_where_it_was_raised(count: int) -> None:
    def evaluate(request: Request) -> Evaluation:
        raise RuntimeError(f"no\nsuch {request.budget}")

    with open_workers(count, evaluate) as workers:
        (outcome,) = outcomes(workers, requests(1))
    assert isinstance(outcome.result, str)
    assert outcome.result.startswith("RuntimeError: no such 5000 (test_local.py:")
    assert not outcome.lost


def test_each_worker_sees_one_gpu_and_has_its_share(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(local, "gpus", lambda: ["3", "5"])
    assert [device(number)["env"]["CUDA_VISIBLE_DEVICES"] for number in range(3)] == ["3", "5", "3"]
    assert default_workers(None) == 2
    assert default_workers(0.25) == 8
    check_places(8, 0.25)
    with pytest.raises(ValueError, match=r"on 2 GPUs there is room for 8 trials of 0\.25 each"):
        check_places(9, 0.25)


def test_a_share_of_no_gpu_is_refused(nas_in: Any, tmp_path: Path) -> None:
    code, _, err = nas_in("run", "--trials", "2", "--gpus-per-trial", "0.5", "--workers", "1")
    assert code == 2
    assert "on 0 GPUs there is room for 0 trials" in err
    assert list(tmp_path.iterdir()) == []


def test_no_workers_is_this_process() -> None:
    with open_workers(0, lambda request: RESULT) as workers:
        assert isinstance(workers, InDriver)


@pytest.mark.parametrize(
    ("code", "words"),
    [
        (3, "ended with exit code 3"),
        (-15, "killed by signal 15 (SIGTERM)"),
        (-9, "killed by signal 9 (SIGKILL), as where the machine is out of memory"),
        (-99, "killed by signal 99"),
    ],
)
def test_exit_codes_in_words(code: int, words: str) -> None:
    assert exit_words(code) == words
