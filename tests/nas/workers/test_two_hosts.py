"""Two hosts, as network namespaces, and the cable between them pulled in mid-trial."""

import os
import shutil
import subprocess
import tempfile
import threading
from collections.abc import Iterator
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import pytest
from filelock import FileLock

from nas.datasets import Dataset, find, load
from nas.settings import Request, Settings
from nas.workers.preparation import Package, package
from nas.workers.protocol import Outcome
from nas.workers.remote import join
from studies.evaluation import Evaluation

HERE, THERE = "10.231.7.1", "10.231.7.2"
NAMESPACE, CABLE = "nas-there", "nas-cable"

pytestmark = [
    pytest.mark.slow,
    pytest.mark.skipif(
        os.geteuid() != 0 or shutil.which("ip") is None,
        reason="network namespaces need root, and `ip` of the package iproute2",
    ),
]


def ip(*arguments: str) -> None:
    subprocess.run(["ip", *arguments], check=True, capture_output=True)


@pytest.fixture
def cable() -> Iterator[str]:
    """A second host on a cable of its own, for one test at a time; gives the cable's end here."""
    with FileLock(Path(tempfile.gettempdir()) / "nas-two-hosts.lock"):
        ip("netns", "add", NAMESPACE)
        try:
            ip("link", "add", CABLE, "type", "veth", "peer", "name", "eth0", "netns", NAMESPACE)
            ip("address", "add", f"{HERE}/24", "dev", CABLE)
            ip("link", "set", CABLE, "up")
            ip("-n", NAMESPACE, "address", "add", f"{THERE}/24", "dev", "eth0")
            ip("-n", NAMESPACE, "link", "set", "eth0", "up")
            ip("-n", NAMESPACE, "link", "set", "lo", "up")
            yield CABLE
        finally:
            subprocess.run(["ip", "link", "del", CABLE], check=False)  # at once, for the next test
            ip("netns", "del", NAMESPACE)


ELSEWHERE = ("ip", "netns", "exec", NAMESPACE)


@dataclass
class Study:
    """Images, and a trial on them that takes a while."""

    dataset: Dataset
    request: Request

    def images(self) -> Package:
        return package(self.dataset)


@pytest.fixture
def study(tiny_settings: Settings) -> Study:
    found = find("fashion-mnist")
    dataset = load(found.reading(8, 1))
    candidate = tiny_settings.space.sample(lambda name, options: options[0], 8)
    long = replace(tiny_settings, data=dataset.digest, budgets=(100_000,))
    return Study(dataset, long.request(candidate, "", 0))


def test_worker_whose_network_is_cut_in_mid_trial_and_restored(
    cable: str, cluster: Any, eventually: Any, study: Study
) -> None:
    cluster.stop()
    cluster.start(host=HERE)
    cluster.work(prefix=ELSEWHERE)
    with join(cluster.address, study.images, 120) as pool:
        pool.submit(study.request)
        assert pool.next(3.0) is None
        ip("link", "set", cable, "down")
        assert pool.next(20.0) is None
        ip("link", "set", cable, "up")
        outcome = eventually(lambda: pool.next(1.0), 300)
        assert isinstance(outcome.result, Evaluation), (outcome, cluster.log())
        assert outcome.result.accuracy is not None


@pytest.mark.parametrize("seconds", [3, 60])
def test_driver_whose_network_is_cut_in_mid_trial_and_restored(
    cable: str, cluster: Any, eventually: Any, study: Study, seconds: int
) -> None:
    """A short cut goes by unnoticed; after a long one the cluster is joined anew."""
    cluster.stop()
    cluster.start(host=THERE, prefix=ELSEWHERE)
    cluster.work(prefix=ELSEWHERE)
    away = []
    with join(cluster.address, study.images, 120) as pool:
        pool.submit(study.request)
        assert pool.next(2.0) is None
        ip("link", "set", cable, "down")
        restored = threading.Timer(seconds, ip, ("link", "set", cable, "up"))
        restored.start()

        def end() -> Outcome | None:
            away.append("cluster away for" in pool.words())
            return pool.next(1.0)

        outcome = eventually(end, 300)
        restored.join()
        assert isinstance(outcome.result, Evaluation), (outcome, cluster.log())
        assert not outcome.lost
    assert any(away) == (seconds > 30)
    assert not away[-1]
