"""Tests of the downloads that run commands: torchvision's, and apt-get's."""

import gzip
import hashlib
import os
import shutil
import struct
import subprocess
import time
from dataclasses import replace
from math import prod
from pathlib import Path

import pytest

from nas.datasets import DATASETS, DataError, download, originals

Contents = dict[str, bytes]
FASHION = DATASETS["fashion-mnist"]
FILES = [Path(path).name for path in FASHION.files]


def idx(*shape: int) -> bytes:
    """Return an IDX file of zeros."""
    return (
        bytes((0, 0, 8, len(shape))) + struct.pack(f">{len(shape)}I", *shape) + bytes(prod(shape))
    )


@pytest.fixture
def contents(monkeypatch: pytest.MonkeyPatch) -> Contents:
    """Four tiny files that are well formed, and whose digests are the expected ones."""
    files = {
        name: idx(count, 28, 28) if "images" in name else idx(count)
        for name, count in zip(FILES, (6, 6, 4, 4), strict=True)
    }
    digests = {
        path: hashlib.sha256(content).hexdigest()
        for path, content in zip(FASHION.files, files.values(), strict=True)
    }
    monkeypatch.setitem(DATASETS, "fashion-mnist", replace(FASHION, files=digests))
    return files


def put(directory: Path, contents: Contents) -> None:
    """Write the files into a directory, gzipped and not."""
    directory.mkdir(parents=True)
    for name, content in contents.items():
        (directory / name).write_bytes(content)
        (directory / f"{name}.gz").write_bytes(gzip.compress(content))


def test_torchvision_puts_the_files_where_they_are_looked_for(
    contents: Contents, tmp_path: Path
) -> None:
    # torchvision downloads nothing if the files are there: all runs but its connection
    put(tmp_path / "FashionMNIST" / "raw", contents)
    source = DATASETS["fashion-mnist"]
    found = originals.read(source, download.torchvision(tmp_path, source))
    assert list(found.values()) == list(contents.values())


def fake_apt(directory: Path, monkeypatch: pytest.MonkeyPatch, script: str) -> None:
    """Put a shell script in the place of `apt-get`."""
    directory.mkdir()
    program = directory / "apt-get"
    program.write_text(f"#!/bin/sh\n{script}\n")
    program.chmod(0o755)
    monkeypatch.setenv("PATH", f"{directory}{os.pathsep}{os.environ['PATH']}")


@pytest.mark.skipif(shutil.which("dpkg-deb") is None, reason="builds a package")
def test_apt_unpacks_the_package_even_if_another_source_fails_to_update(
    contents: Contents, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    tree = tmp_path / "tree"
    put(tree / download.INSTALLED.relative_to("/"), contents)
    (tree / "DEBIAN").mkdir()
    control = (
        f"Package: {download.PACKAGE}\nVersion: 1\nArchitecture: all\n"
        "Maintainer: nobody\nDescription: test\n"
    )
    (tree / "DEBIAN" / "control").write_text(control)
    package = tmp_path / f"{download.PACKAGE}_1_all.deb"
    subprocess.run(["dpkg-deb", "--build", tree, package], check=True, stdout=subprocess.DEVNULL)
    script = (
        f'case "$*" in *update) exit 100;; *"download {download.PACKAGE}") cp {package} .;; esac'
    )
    fake_apt(tmp_path / "bin", monkeypatch, script)
    (tmp_path / "scratch").mkdir()
    source = DATASETS["fashion-mnist"]
    found = originals.read(source, download.apt(tmp_path / "scratch", source))
    assert list(found.values()) == list(contents.values())


def test_apt_says_why_it_failed(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    script = 'case "$*" in *update) echo "E: no route"; exit 100;; esac; echo "E: unknown"; exit 1'
    fake_apt(tmp_path / "bin", monkeypatch, script)
    with pytest.raises(DataError) as caught:
        download.apt(tmp_path, FASHION)
    assert str(caught.value) == (
        "apt-get download failed: E: unknown; before that, apt-get update failed: E: no route"
    )


def test_apt_may_leave_no_package(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    fake_apt(tmp_path / "bin", monkeypatch, "exit 0")
    with pytest.raises(DataError, match="apt-get download left no package dataset-fashion-mnist"):
        download.apt(tmp_path, FASHION)


def test_apt_may_be_absent(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("PATH", str(tmp_path))
    with pytest.raises(DataError, match="apt-get is not installed"):
        download.apt(tmp_path, FASHION)


def test_a_command_that_hangs_is_ended_with_its_children(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(download, "TIMEOUT", 0.2)
    start = time.monotonic()
    with pytest.raises(DataError, match=r"sleeper took over 0\.2 s"):
        download.run("sleeper", ["sh", "-c", "sleep 600; true"], tmp_path)
    assert time.monotonic() - start < 300


def test_the_real_apt_configuration_is_read(tmp_path: Path) -> None:
    if shutil.which("apt-config") is None:
        pytest.skip("no apt here")
    configuration = tmp_path / "apt.conf"
    configuration.write_text(download.APT_CONFIGURATION.format(scratch="/a b"))
    dump = subprocess.run(
        ["apt-config", "-c", configuration, "dump"], capture_output=True, text=True, check=True
    ).stdout
    assert 'Dir::State::lists "/a b/lists/";' in dump
    assert "APT::Update::Post-Invoke-Success::" not in dump, "the hooks of the system are off"
