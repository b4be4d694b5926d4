"""Where Fashion-MNIST's raw files come from: sources, digests, and the cache."""

import errno
import gzip
import hashlib
import os
import subprocess
import sys
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import pytest

from nas.datasets import DATASETS, DataError, cache, download, fashion

IMAGES, LABELS = "train-images-idx3-ubyte", "train-labels-idx1-ubyte"

Contents = dict[str, bytes]
Routes = dict[str, Callable[[Path], Path]]


@pytest.fixture
def contents(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> Contents:
    """Four tiny files whose digests are the expected ones; the cache is empty, no source works."""
    source = DATASETS[fashion.NAME]
    files = {path: f"the content of {path}".encode() for path in source.files}
    digests = {path: digest(content) for path, content in files.items()}
    monkeypatch.setitem(DATASETS, fashion.NAME, replace(source, files=digests, routes=()))
    monkeypatch.setenv(cache.CACHE_VARIABLE, str(tmp_path / "cache"))
    return {Path(path).name: content for path, content in files.items()}


@pytest.fixture
def fetched_by(monkeypatch: pytest.MonkeyPatch) -> Callable[[Routes], None]:
    """Replaces the routes by which the files are fetched."""

    def replaced(routes: Routes) -> None:
        source = DATASETS[fashion.NAME]
        monkeypatch.setitem(DATASETS, fashion.NAME, replace(source, routes=tuple(routes)))
        for name, route in routes.items():
            monkeypatch.setitem(
                download.ROUTES, name, lambda scratch, _, route=route: route(scratch)
            )

    return replaced


def kept() -> Path:
    """Return the cache."""
    return cache.cache_directory(fashion.NAME)


def digest(content: bytes) -> str:
    return hashlib.sha256(content).hexdigest()


def put(directory: Path, contents: Contents, gz: bool = False) -> Path:
    """Write the files into a directory, and return it."""
    directory.mkdir(parents=True, exist_ok=True)
    for name, content in contents.items():
        if gz:
            (directory / f"{name}.gz").write_bytes(gzip.compress(content))
        else:
            (directory / name).write_bytes(content)
    return directory


def held(directory: Path) -> Contents:
    """Return all that is in a directory, hidden files too."""
    return {path.name: path.read_bytes() for path in directory.iterdir()}


@pytest.mark.parametrize("gz", [False, True])
@pytest.mark.parametrize("layout", [".", "FashionMNIST/raw"])
def test_a_data_directory_enters_the_cache(
    contents: Contents, tmp_path: Path, layout: str, gz: bool
) -> None:
    put(tmp_path / "given" / layout, contents, gz)
    found = fashion.find_files(tmp_path / "given")
    assert found == kept() == tmp_path / "cache" / "fashion-mnist"
    assert held(found) == contents
    assert fashion.find_files() == found


def test_files_may_be_kept_in_different_ways(contents: Contents, tmp_path: Path) -> None:
    names = list(contents)
    put(tmp_path / "given", {name: contents[name] for name in names[:2]}, gz=True)
    put(tmp_path / "given" / "FashionMNIST" / "raw", {name: contents[name] for name in names[2:]})
    assert held(fashion.find_files(tmp_path / "given")) == contents


@pytest.mark.parametrize("gz", [False, True])
def test_an_altered_file_is_named_with_both_digests(
    contents: Contents, tmp_path: Path, gz: bool
) -> None:
    put(kept(), contents)
    altered = contents[IMAGES][:-1] + b"!"
    given = put(tmp_path / "given", contents | {IMAGES: altered}, gz)
    with pytest.raises(DataError) as caught:
        fashion.find_files(given)
    path = given / (f"{IMAGES}.gz" if gz else IMAGES)
    assert str(caught.value) == (
        f"--data-dir: {path} is altered or truncated: "
        f"expected SHA-256 {digest(contents[IMAGES])}, "
        f"found {digest(altered)} in {len(altered)} bytes. "
        "Put the original files there, or leave out --data-dir to have them fetched"
    )


def test_a_truncated_file_is_named_with_both_digests(contents: Contents, tmp_path: Path) -> None:
    given = put(tmp_path / "given", contents | {LABELS: contents[LABELS][:9]})
    with pytest.raises(DataError) as caught:
        fashion.find_files(given)
    assert f"{given / LABELS} is altered or truncated" in str(caught.value)
    assert f"expected SHA-256 {digest(contents[LABELS])}" in str(caught.value)
    assert f"found {digest(contents[LABELS][:9])} in 9 bytes" in str(caught.value)


@pytest.mark.parametrize("damage", ["truncated", "header", "middle", "empty"])
def test_a_damaged_gzip_file_is_named_with_both_digests(
    contents: Contents, tmp_path: Path, damage: str
) -> None:
    given = put(tmp_path / "given", contents, gz=True)
    path = given / f"{IMAGES}.gz"
    packed = path.read_bytes()
    middle = len(packed) // 2
    path.write_bytes(
        {
            "truncated": packed[:middle],
            "header": b"no" + packed[2:],
            "middle": packed[:middle] + bytes(b ^ 255 for b in packed[middle:]),
            "empty": b"",
        }[damage]
    )
    with pytest.raises(DataError) as caught:
        fashion.find_files(given)
    message = f"{path} is altered or truncated: expected SHA-256 {digest(contents[IMAGES])}, found "
    assert message in str(caught.value)


def test_every_missing_file_is_named_with_its_digest(contents: Contents, tmp_path: Path) -> None:
    given = put(tmp_path / "given", {name: contents[name] for name in (IMAGES, LABELS)})
    with pytest.raises(DataError, match="leave out --data-dir to have them fetched") as caught:
        fashion.find_files(given)
    for name, content in contents.items():
        fact = f"{given / name} is missing (expected SHA-256 {digest(content)})"
        assert (fact in str(caught.value)) == (name not in (IMAGES, LABELS))


def test_an_absent_data_directory_is_an_error_whatever_the_cache_has(
    contents: Contents, tmp_path: Path
) -> None:
    put(kept(), contents)
    with pytest.raises(DataError, match=f"--data-dir: there is no directory {tmp_path / 'no'}"):
        fashion.find_files(tmp_path / "no")


def test_an_unreadable_file_is_an_error(contents: Contents, tmp_path: Path) -> None:
    given = put(tmp_path / "given", contents)
    (given / LABELS).unlink()
    (given / LABELS).mkdir()
    with pytest.raises(DataError, match=f"{given / LABELS} can't be read: Is a directory"):
        fashion.find_files(given)


def test_the_first_source_with_all_four_wins(
    contents: Contents, tmp_path: Path, fetched_by: Callable[[Routes], None]
) -> None:
    calls: list[str] = []

    def source(name: str, files: Contents) -> Callable[[Path], Path]:
        def fetch(scratch: Path) -> Path:
            calls.append(name)
            assert not list(scratch.iterdir())
            return put(scratch / "files", files, gz=True)

        return fetch

    partial = {name: contents[name] for name in (IMAGES, LABELS)}
    sources = {
        "partial": source("partial", partial),
        "full": source("full", contents),
        "late": source("late", contents),
    }
    fetched_by(sources)
    assert held(fashion.find_files()) == contents
    assert calls == ["partial", "full"]
    fashion.find_files()
    assert calls == ["partial", "full"], "the cache has them now"


def test_every_failure_is_in_the_message(
    contents: Contents, tmp_path: Path, fetched_by: Callable[[Routes], None]
) -> None:
    def broken(scratch: Path) -> Path:
        raise DataError("the line is dead")

    def full(scratch: Path) -> Path:
        raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))

    put(kept(), {IMAGES: b"bad"})
    sources = {"first": broken, "second": full, "third": lambda scratch: scratch / "no"}
    fetched_by(sources)
    with pytest.raises(DataError) as caught:
        fashion.find_files()
    lines = str(caught.value).splitlines()
    assert lines[0] == "no source has fashion-mnist:"
    assert lines[1].startswith(f"  the cache: {kept() / IMAGES} is altered")
    assert f"expected SHA-256 {digest(contents[IMAGES])}, found {digest(b'bad')}" in lines[1]
    assert lines[2] == "  first: the line is dead"
    assert lines[3] == "  second: [Errno 28] No space left on device"
    assert lines[4].startswith("  third: there is no directory ")
    assert lines[5].endswith("by hand (.gz will do) and name their directory by --data-dir")


@pytest.mark.parametrize("damaged", [b"", b"altered", None])
def test_a_bad_cache_is_filled_anew(
    contents: Contents, tmp_path: Path, damaged: bytes | None, fetched_by: Callable[[Routes], None]
) -> None:
    fetched_by({"disk": lambda _: tmp_path / "disk"})
    put(tmp_path / "disk", contents, gz=True)
    directory = put(kept(), contents)
    before = (directory / LABELS).stat().st_ino
    if damaged is None:
        (directory / IMAGES).unlink()
    else:
        (directory / IMAGES).write_bytes(damaged)
    assert held(fashion.find_files()) == contents
    assert (directory / LABELS).stat().st_ino == before, "a good file is left alone"


def test_the_cache_is_the_users_own_unless_overridden(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv(cache.CACHE_VARIABLE, raising=False)
    monkeypatch.setenv("XDG_CACHE_HOME", "/somewhere")
    assert kept().parts[-2:] == ("inception-nas", "fashion-mnist")
    monkeypatch.setenv(cache.CACHE_VARIABLE, "/elsewhere")
    assert kept() == Path("/elsewhere/fashion-mnist")


def test_an_unwritable_cache_is_one_line_before_anything_is_fetched(
    contents: Contents, tmp_path: Path, fetched_by: Callable[[Routes], None]
) -> None:
    # a file where a directory should be stops root as well, whom permissions don't
    (tmp_path / "cache").write_bytes(b"")
    sources = {"net": lambda _: pytest.fail("fetched in vain")}
    fetched_by(sources)
    for data_dir in (None, put(tmp_path / "given", contents)):
        with pytest.raises(DataError) as caught:
            fashion.find_files(data_dir)
        assert str(caught.value) == (
            f"can't write the cache {tmp_path / 'cache' / 'fashion-mnist'}: Not a directory. "
            "Set INCEPTION_NAS_CACHE to a writable directory with 60 MB free"
        )


def test_a_full_disk_leaves_the_old_file_and_no_litter(
    contents: Contents, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def fsync(descriptor: int) -> None:
        raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))

    directory = put(kept(), {IMAGES: b"old"})
    given = put(tmp_path / "given", contents)
    monkeypatch.setattr(os, "fsync", fsync)
    with pytest.raises(
        DataError, match=f"can't write the cache {directory}: No space left on device"
    ):
        fashion.find_files(given)
    assert held(directory) == {IMAGES: b"old"}


def test_a_cache_without_write_access_serves_if_it_is_good(
    contents: Contents, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    put(kept(), contents)
    monkeypatch.setattr(cache, "write", lambda *_: pytest.fail("written"))
    assert fashion.find_files() == fashion.find_files(put(tmp_path / "given", contents))


def test_many_processes_fill_one_cache(tmp_path: Path) -> None:
    contents = {Path(path).name: os.urandom(3 << 20) for path in DATASETS[fashion.NAME].files}
    given = put(tmp_path / "given", contents)
    directory = put(tmp_path / "cache" / "fashion-mnist", {IMAGES: b"bad"})
    program = f"""
from dataclasses import replace
from pathlib import Path
from nas.datasets import DATASETS, cache, download, fashion, originals
digests = { {f"FashionMNIST/raw/{name}": digest(content) for name, content in contents.items()}!r}
download.ROUTES["disk"] = lambda *_: Path({str(given)!r})
source = replace(DATASETS["fashion-mnist"], files=digests, routes=("disk",))
DATASETS["fashion-mnist"] = source
for _ in range(10):
    assert originals.read(source, fashion.find_files())
    # fills it again while the others read
    for path, content in originals.read(source, Path({str(given)!r})).items():
        cache.write(cache.cache_directory("fashion-mnist"), Path(path).name, content, "60 MB")
"""
    environment = {**os.environ, cache.CACHE_VARIABLE: str(tmp_path / "cache")}
    processes = [
        subprocess.Popen([sys.executable, "-c", program], env=environment) for _ in range(4)
    ]
    assert [process.wait(60) for process in processes] == [0] * 4
    assert held(directory) == contents


def test_finding_the_real_data_does_not_import_torch() -> None:
    program = (
        "import sys; from nas.datasets import find, load, Batches; found = find('fashion-mnist');"
        "sys.exit('torch' in sys.modules or found.digest != 'e15bf406d24f3c05')"
    )
    assert subprocess.run([sys.executable, "-c", program], check=False).returncode == 0
