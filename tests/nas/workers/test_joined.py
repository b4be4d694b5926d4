"""A cluster that runs already: who may join it, what its workers need, and when it goes away."""

import json
import os
import signal
import socket
import subprocess
import time
from collections.abc import Callable
from dataclasses import replace
from functools import cache
from pathlib import Path
from typing import Any

import pytest

from nas.datasets import Dataset, find, load
from nas.settings import Settings
from nas.short_run.evaluation import evaluate
from nas.workers import remote as joined
from nas.workers.place import Address, loopback
from nas.workers.preparation import Package, Supply, lacking, package
from nas.workers.protocol import ClusterError
from nas.workers.remote import join
from search_space.architecture import Candidate
from studies.evaluation import Evaluation
from studies.store import open_store

Make = Callable[[str], Any]

OTHER = """\
import nas.short_run.evaluation
known = nas.short_run.evaluation.versions() | {"torch": "1.2.3"}
nas.short_run.evaluation.versions = lambda: known
"""


@cache
def images() -> Package:
    return package(dataset())


def dataset() -> Dataset:
    found = find("fashion-mnist")
    return load(found.reading(8, 1))


STUDY = ["run", "--trials", "4", "--resolution", "8", "--budget", "256", "--rungs", "1"]


def url_options(cluster: Any) -> list[str]:
    address = cluster.address
    files = ["--tls-ca", str(address.ca), "--tls-cert", str(address.certificate)]
    return ["--cluster", cluster.url, *files, "--tls-key", str(address.key)]


def test_study_on_a_cluster_whose_workers_have_no_images(
    working: Any, nas_in: Callable[..., tuple[int, str, str]], tmp_path: Path, tiny_toml: Path
) -> None:
    code, out, err = nas_in(*STUDY, "--space", str(tiny_toml), *url_options(working), "--json")
    assert code == 0, err + working.log()
    store = open_store(f"sqlite:///{tmp_path / 'nas.db'}")
    settings = Settings.from_json(store.study("inception")["settings"])
    found = json.loads(out)["front"]
    assert found
    for result in found:  # as this process would have found it
        candidate = Candidate.from_json(store.candidate(result["key"]))
        request = settings.request(candidate, find("fashion-mnist").directory, 0)
        assert evaluate(request).accuracy == result["values"]["accuracy"]


def test_images_go_to_a_worker_once(working: Any) -> None:
    def held() -> dict[str, int]:  # in here, to be sent by value: workers can't import tests
        from nas.workers import preparation

        return {address: id(dataset) for address, dataset in preparation._kept.items()}

    kept = []
    for _ in range(2):
        with join(working.address, images, 60) as pool:
            assert pool.client is not None
            kept.append(pool.client.run(held))
    first, second = kept
    assert first == second  # the same objects, not others that are equal
    ((address, *more),) = [list(found) for found in first.values()]
    assert address == images().address
    assert not more


@pytest.mark.parametrize(
    ("worker", "words"),
    [
        ({"nthreads": 4, "resources": {}}, "has 4 threads; start it with --nthreads 1"),
        ({"nthreads": 1, "resources": {}}, "has GPU=0 and a trial takes 0.25; start it with"),
        ({"nthreads": 1, "resources": {"GPU": 0.2}}, "has GPU=0.2 and a trial takes 0.25"),
        ({"nthreads": 1, "resources": {"GPU": 0.25}}, ""),
    ],
)
def test_workers_that_cannot_be_used(worker: dict[str, Any], words: str) -> None:
    supply = Supply(evaluate, images(), {"GPU": 0.25})
    assert lacking(supply, worker).startswith(words)


def test_worker_of_more_threads_is_refused_by_name(cluster: Any) -> None:
    cluster.work("--name", "wide", "--nthreads", "2")
    refused = pytest.raises(ClusterError, match="worker wide has 2 threads")
    with refused, join(cluster.address, images, 60):
        pass


def test_trial_takes_its_share_of_a_worker_that_says_what_it_has(
    cluster: Any, eventually: Any, tiny_settings: Settings
) -> None:
    def used(dask_scheduler: Any) -> dict[str, Any]:
        return {str(w.name): dict(w.used_resources) for w in dask_scheduler.workers.values()}

    cluster.work("--name", "with", "--resources", "GPU=0.25")
    cluster.work("--name", "without")
    eventually(lambda: cluster.log().count("Registered to") > 1)
    settings = replace(tiny_settings, data=dataset().digest, budgets=(50_000,))
    said: list[str] = []
    with join(cluster.address, images, 60, gpus_per_trial=0.25, say=said.append) as pool:
        assert pool.slots == 1
        pool.submit(settings.request(first(settings), "", 0))
        assert pool.next(0.5) is None
        assert pool.client is not None
        assert pool.client.run_on_scheduler(used) == {"with": {"GPU": 0.25}, "without": {}}
        outcome = eventually(lambda: pool.next(0.5))
    assert isinstance(outcome.result, Evaluation)
    # said each time that the workers are looked through, which is more often on a slow machine
    (words,) = {words for words in said if not words.startswith("cluster ")}
    assert words.startswith("worker without has GPU=0 and a trial takes 0.25")


@pytest.mark.slow
def test_worker_of_other_versions_is_refused_by_name(cluster: Any, eventually: Any) -> None:
    other = cluster.directory / "other.py"
    other.write_text(OTHER)
    cluster.work("--name", "old", "--preload", str(other))
    with (
        pytest.raises(ClusterError, match=r"worker old on .* torch is 1.2.3, the driver has"),
        join(cluster.address, images, 60),
    ):
        pass
    cluster.work("--name", "new")
    eventually(lambda: cluster.log().count("Registered to") > 1)
    with join(cluster.address, images, 60) as pool:
        eventually(lambda: "1 worker, 1 refused" in pool.words() or pool.next(0.1))


@pytest.mark.slow
def test_cluster_that_goes_away_is_waited_for(
    cluster: Any, eventually: Any, tiny_settings: Settings
) -> None:
    settings = replace(tiny_settings, data=dataset().digest, budgets=(200_000,))
    request = settings.request(first(settings), "", 0)
    cluster.work()
    port = int(cluster.url.rpartition(":")[2])
    with join(cluster.address, images, 60) as pool:
        pool.submit(request)
        assert pool.next(1.0) is None
        assert cluster.scheduler is not None
        os.killpg(cluster.scheduler.pid, signal.SIGKILL)
        cluster.scheduler.wait()
        eventually(lambda: pool.next(0.1) is None and "away" in pool.words())
        cluster.start(port=port)
        cluster.work()
        outcome = eventually(lambda: pool.next(0.5), 120)
        assert isinstance(outcome.result, Evaluation)
        assert not outcome.lost


@pytest.mark.slow
def test_adaptive_cluster_grows_with_a_study_and_shrinks_after_it(
    nas: str, tmp_path: Path, tiny_toml: Path
) -> None:
    """One that has no worker before, as on SLURM with ``adapt(minimum=0, maximum=2)``."""
    import distributed

    options = {"dashboard_address": ":0", "host": "127.0.0.1"}
    with distributed.LocalCluster(n_workers=0, threads_per_worker=1, **options) as cluster:
        cluster.adapt(minimum=0, maximum=2, interval="500ms")
        command = [nas, *STUDY, "--space", str(tiny_toml), "--cluster", cluster.scheduler_address]
        command += ["--budget", "20000", "--trials", "10"]
        process = subprocess.Popen(command, cwd=tmp_path, stderr=subprocess.PIPE, text=True)
        most = 0
        while process.poll() is None:
            most = max(most, len(cluster.scheduler.workers))
            time.sleep(0.2)
        _, err = process.communicate()
        assert process.returncode == 0, err
        assert most == 2
        until = time.monotonic() + 60
        while cluster.scheduler.workers:
            assert time.monotonic() < until
            time.sleep(0.2)
        assert not cluster.scheduler.tasks


@pytest.mark.slow
def test_two_drivers_share_a_cluster(cluster: Any, tiny_settings: Settings) -> None:
    """Each hears of its own evaluations alone."""
    cluster.work()
    cluster.work()
    settings = replace(tiny_settings, data=dataset().digest)
    ways = [settings, replace(settings, seed=1)]
    requests = [way.request(first(way), find("fashion-mnist").directory, 0) for way in ways]
    with join(cluster.address, images, 60) as one, join(cluster.address, images, 60) as other:
        for pool, request in zip((one, other), requests, strict=True):
            pool.submit(request)
        for pool, request in zip((one, other), requests, strict=True):
            outcome = pool.next(60)
            assert outcome is not None
            assert outcome.request == request
            assert isinstance(outcome.result, Evaluation)
            assert outcome.result.accuracy == evaluate(request).accuracy
            assert pool.next(0.5) is None


@pytest.mark.slow
def test_worker_that_leaves_in_order_is_not_to_blame(
    cluster: Any, eventually: Any, tiny_settings: Settings
) -> None:
    """As SLURM ends one whose time is over: by SIGTERM to its nanny."""
    leaving = cluster.work()
    settings = replace(tiny_settings, data=dataset().digest, budgets=(100_000,))
    with join(cluster.address, images, 60) as pool:
        pool.submit(settings.request(first(settings), "", 0))
        assert pool.next(1.0) is None
        cluster.work()
        eventually(lambda: pool.next(0.1) is None and pool.slots == 2)
        os.kill(leaving.pid, signal.SIGTERM)
        outcome = eventually(lambda: pool.next(0.5), 120)
        assert isinstance(outcome.result, Evaluation)
        assert not outcome.lost
        assert pool.slots == 1


def first(settings: Settings) -> Candidate:
    """Of the space, with the first choice of each dimension."""
    return settings.space.sample(lambda name, options: options[0], 8)


def test_client_without_the_certificate_is_refused(working: Any, certificates: Make) -> None:
    stranger = certificates("stranger").address(working.url)
    with pytest.raises(ClusterError, match="can't be reached"), join(stranger, images, 5):
        pass


def test_nobody_there(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(joined, "CONNECT_SECONDS", 1.0)
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        url = f"tcp://127.0.0.1:{taken.getsockname()[1]}"
        with (
            pytest.raises(ClusterError, match="is `dask scheduler` running there"),
            join(Address(url), images, 5),
        ):
            pass


@pytest.mark.parametrize(
    ("url", "words"),
    [
        ("somewhere", "it must be tls://HOST:PORT"),
        ("tls://host", "it must be tls://HOST:PORT"),
        ("tls://:8786", "it must be tls://HOST:PORT"),
        ("tls://host:0", "it must be tls://HOST:PORT"),
        ("http://host:8786", "it must be tls://HOST:PORT"),
        ("tls://host:8786", "give --tls-ca, --tls-cert, --tls-key with it"),
        ("tcp://10.0.0.1:8786", "use tls:// with certificates, or say --insecure"),
        ("tcp://login.example:8786", "use tls:// with certificates, or say --insecure"),
    ],
)
def test_addresses_that_are_none(url: str, words: str) -> None:
    with pytest.raises(ValueError, match=words.replace("(", r"\(")):
        Address(url)


def test_certificates_that_are_none(tmp_path: Path) -> None:
    files = [tmp_path / name for name in ("ca", "cert", "key")]
    for file in files[:2]:
        file.write_text("no certificate")
    with pytest.raises(ValueError, match=r"--tls-key is '.*key'; there is no such file"):
        Address("tls://localhost:8786", *files)
    files[2].write_text("nor a key")
    address = Address("tls://localhost:8786", *files)
    with pytest.raises(ValueError, match="aren't PEM files"):
        address.security()
    with pytest.raises(ValueError, match="certificates mean nothing"):
        Address("tcp://localhost:8786", *files)


@pytest.mark.parametrize("host", ["localhost", "127.0.0.1", "127.9.9.9", "[::1]"])
def test_loopback_needs_no_certificate(host: str) -> None:
    assert loopback(host)
    Address(f"tcp://{host}:8786")
    Address("tcp://10.0.0.1:8786", insecure=True)
