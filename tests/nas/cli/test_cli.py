"""The command line as a user runs it: bad input is one line and exit code 2, nothing written."""

import json
import re
import sqlite3
import subprocess
import sys
from collections.abc import Callable, Sequence
from pathlib import Path

import pytest
from typer.testing import CliRunner

from nas import cli
from nas.cli.parsing import count, duration
from nas.objectives import OBJECTIVES
from nas.sampling.samplers import SAMPLERS
from nas.settings import check_study_name


def refused(capsys: pytest.CaptureFixture[str], arguments: Sequence[str]) -> str:
    """The one line that `nas` prints, in this process, as it ends with exit code 2."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(sys, "argv", ["nas", *arguments])
        with pytest.raises(SystemExit) as ended:
            cli.main()
    assert ended.value.code == 2
    out, err = capsys.readouterr()
    assert out == ""
    assert err.startswith("error: ")
    assert err.count("\n") == 1
    return err


@pytest.fixture
def empty(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.chdir(tmp_path)
    return tmp_path


BAD = [
    ("--sampler best", "sampler is 'best'; choose one of: random, tpe, nsga2, nsga3, gp, ms-ehvi"),
    ("--objectives accuracy,speed", "objective is 'speed'; choose one of: accuracy, params"),
    (
        "--objectives params,params",
        f"give at least one of {', '.join(OBJECTIVES)}, each",
    ),
    ("--max-latency 3601s", "--max-latency is '3601s'; give a time such as 500us"),
    ("--max-latency=", "--max-latency is ''; give a time such as 500us"),
    ("--sampler ms-ehvi --objectives accuracy,latency", "'ms-ehvi' and latency is an objective"),
    ("--start-from=", "'' is not in the catalog"),
    ("--resolution 7", "resolution is 7; it must be a whole number from 8 to 224"),
    ("--resolution 225", "resolution is 225; it must be a whole number from 8 to 224"),
    ("--channels 2", "channels is 2; choose one of: 1, 3"),
    ("--trials 0", "trials is 0; it must be a whole number from 1 to 1000000"),
    ("--trials many", "Invalid value for '--trials'"),
    ("--budget 10", "budget is 10; it must be a whole number from 128 to 10000000"),
    ("--budget 600,200", "budgets is 600,200; they must increase from rung to rung"),
    ("--budget 1k --rungs 4", "4 rungs that grow by 4 would begin at 16 images"),
    ("--rungs 0", "rungs is 0; it must be a whole number from 1 to 20"),
    ("--eta 1", "eta is 1.0; it must be a number from 1.01 to 100"),
    ("--promotion best", "promotion is 'best'; choose one of: improvement, known-cost, asha, none"),
    ("--budget lots", "budget is 'lots'; give a whole number above 0"),
    ("--max-params 0", "--max-params is '0'; give a whole number above 0"),
    ("--max-flops -5", "--max-flops is '-5'; give a whole number above 0"),
    ("--max-params 20", "no candidate of the space meets --max-params 20; the nearest found has"),
    ("--max-flops 9k", "no candidate of the space meets --max-flops 9,000; the nearest found"),
    ("--seed -1", "seed is -1; it must be a whole number from 0 to 9223372036854775807"),
    ("--memory-limit 1k", "a whole number from 268435456 to 1125899906842624"),
    ("--workers -1", "workers is -1; it must be a whole number from 0 to 1024"),
    ("--timeout soon", "timeout is 'soon'; give a time above 0 such as 90s, 30m or 1h30m"),
    ("--precision int8", "precision is 'int8'; choose one of: auto, float32, bf16"),
    ("--study ../x", "study is '../x'; give 1 to 100 letters"),
    ("--space none.toml", "space none.toml can't be read: No such file or directory"),
    ("--data-dir none", "none"),
    ("--storage nas.db", "storage is not a database URL"),
    ("--storage sqlite:///no/nas.db", "no is not a directory; make it first"),
    ("--colour", "No such option: --colour"),
]


@pytest.mark.parametrize(("options", "words"), BAD)
def test_bad_input_is_one_line_and_nothing_written(
    empty: Path, capsys: pytest.CaptureFixture[str], options: str, words: str
) -> None:
    assert words in refused(capsys, ["run", *options.split()])
    assert list(empty.iterdir()) == []


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ("[stem]\ncolour = [1]", "dimension 'stem.colour' is unknown; the dimensions are: stem."),
        ("[stem]\nkernel = [4]", "stem.kernel is 4; choose one of: 3, 5, 7"),
        ("[stage]\nwidth = [18]", "stage.width is 18; it must be a multiple of 4"),
        ("[stage]\nwidth = []", "give a list of at least one choice"),
        ("stages = 3", "'stages' stands outside the tables"),
        ("[stem", "not TOML"),
        ("[body]\nstages = [6]\n[stem]\nstride = [2]\npool = [true]", "no candidate of this space"),
    ],
)
def test_a_bad_space_names_the_file_and_the_dimension(
    empty: Path, capsys: pytest.CaptureFixture[str], text: str, words: str
) -> None:
    (empty / "my.toml").write_text(text)
    for command in (["run", "--resolution", "28"], ["space"]):
        assert words in refused(capsys, [*command, "--space", "my.toml"])
    assert [path.name for path in empty.iterdir()] == ["my.toml"]


@pytest.mark.parametrize("command", [["pareto"], ["studies"], ["show", "0"]])
def test_reading_makes_no_database(
    empty: Path, capsys: pytest.CaptureFixture[str], command: list[str]
) -> None:
    assert "sqlite:///nas.db does not exist; `nas run` makes it" in refused(capsys, command)
    assert list(empty.iterdir()) == []


def test_altered_data_names_the_file_and_both_digests(
    empty: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    data = empty / "data"
    data.mkdir()
    (data / "train-images-idx3-ubyte").write_bytes(b"altered")
    words = refused(capsys, ["run", "--data-dir", "data"])
    assert "train-images-idx3-ubyte" in words
    assert re.search(r"expected SHA-256 [0-9a-f]{64}, found [0-9a-f]{64}", words)
    assert [path.name for path in empty.iterdir()] == ["data"]


def test_a_study_is_run_shown_continued_and_exported(
    nas: str, nas_in: Callable[..., tuple[int, str, str]], tmp_path: Path, tiny_toml: Path
) -> None:
    def call(*arguments: str, code: int = 0) -> tuple[str, str]:
        ended, out, err = nas_in(*arguments)
        assert ended == code, err
        assert "Traceback" not in err
        assert "Warning" not in err
        return out, err

    options = ["--workers", "0", "--budget", "500", "--rungs", "1"]
    options += ["--space", str(tiny_toml), "--resolution", "12"]
    first = subprocess.run(
        [nas, "run", "--trials", "3", *options], capture_output=True, text=True, check=True
    )
    assert "Warning" not in first.stderr
    assert "3/3 trials, 0:00 left | 3 done" in first.stderr
    assert "Pareto front of inception" in first.stdout
    assert "plot: inception-pareto.html" in first.stdout
    assert "next: nas show" in first.stdout
    assert call("run", "--trials", "3", *options) == (first.stdout, "")
    more = json.loads(call("run", "--trials", "4", *options, "--json")[0])
    assert more["trials"] == {"complete": 4}
    assert json.loads(call("pareto", "--json", "--html", "front.html")[0])["front"] == more["front"]
    assert "plotly" in (tmp_path / "front.html").read_text()
    best = more["front"][-1]
    shown = json.loads(call("show", str(best["trial"]), "--json")[0])
    assert shown["values"] == {k: pytest.approx(v) for k, v in best["values"].items()}
    assert shown["curve"][-1][0] == 500
    text = call("show", str(best["trial"]))[0]
    assert f"{best['params']:,}" in text
    assert "Learning curve" in text
    studies = json.loads(call("studies", "--json")[0])
    assert [(one["study"], one["trials"]) for one in studies] == [("inception", {"complete": 4})]
    assert "inception" in call("studies")[0]
    unknown = call("pareto", "--study", "incepton", code=2)[1]
    assert "study 'incepton' is not in sqlite:///nas.db; the nearest are: inception" in unknown
    assert (
        "trial 9 is not in study 'inception'; the nearest are: 3, 2, 1"
        in (call("show", "9", code=2)[1])
    )
    other = call("run", "--trials", "4", *options, "--seed", "9", code=2)[1]
    assert "seed: the study has 0, this run asks for 9" in other


@pytest.mark.slow
def test_a_full_disk_ends_the_run_in_one_line_and_the_study_goes_on_afterwards(
    nas: str, tmp_path: Path, tiny_toml: Path
) -> None:
    command = [nas, "run", "--workers", "0", "--budget", "500", "--rungs", "1", "--quiet"]
    command += ["--resolution", "8", "--space", str(tiny_toml), "--trials"]
    subprocess.run([*command, "2"], cwd=tmp_path, check=True, capture_output=True)
    size = sum(path.stat().st_size for path in tmp_path.glob("nas.db*"))
    limit = f"ulimit -f {size // 1024 + 8}; trap '' XFSZ; exec \"$@\""
    full = subprocess.run(
        ["bash", "-c", limit, "bash", *command, "40"],
        cwd=tmp_path,
        capture_output=True,
        text=True,
        check=False,
    )
    assert full.returncode == 2
    assert full.stderr.startswith("error: storage sqlite:///nas.db failed: ")
    assert full.stderr.count("\n") == 1
    assert "everything finished before is kept" in full.stderr
    with sqlite3.connect(tmp_path / "nas.db") as connection:
        count = connection.execute("SELECT count(*) FROM trials WHERE state='COMPLETE'").fetchone()
    connection.close()
    assert count[0] >= 2
    read = subprocess.run([nas, "pareto", "--json"], cwd=tmp_path, capture_output=True, check=True)
    assert json.loads(read.stdout)["trials"]["complete"] == count[0]
    more = [*command, str(count[0] + 1)]
    subprocess.run(more, cwd=tmp_path, check=True, capture_output=True)


def test_help_names_every_sampler_and_objective_and_is_plain() -> None:
    result = CliRunner().invoke(cli.application(), ["run", "--help"], env={"COLUMNS": "200"})
    assert result.exit_code == 0
    text = " ".join(result.output.split())
    for sampler in SAMPLERS:
        assert f"{sampler}: " in text
    assert f"Any of {', '.join(OBJECTIVES)}." in text


@pytest.mark.parametrize(
    ("text", "seconds"), [("90", 90), ("90s", 90), ("30m", 1800), ("1h30m", 5400), ("1.5h", 5400)]
)
def test_durations(text: str, seconds: float) -> None:
    assert duration(text) == seconds


@pytest.mark.parametrize("text", ["", "0", "m", "1x", "-5m", "1h30", "30 m", "nan"])
def test_bad_durations(text: str) -> None:
    with pytest.raises(ValueError, match="give a time above 0"):
        duration(text)


@pytest.mark.parametrize(
    ("text", "number"),
    [("20k", 20_000), ("1.5M", 1_500_000), ("150_000", 150_000), ("2G", 2 * 10**9), ("7", 7)],
)
def test_counts(text: str, number: int) -> None:
    assert count("budget", text) == number


@pytest.mark.parametrize("text", ["", "0", "-1", "1.5", "k", "1e3", "10kk", "0.0001k"])
def test_bad_counts(text: str) -> None:
    with pytest.raises(ValueError, match=r"budget is .*give a whole number above 0"):
        count("budget", text)


@pytest.mark.parametrize("name", ["", "a/b", "../a", ".a", "a\nb", "a" * 101, "-x", "a\x00"])
def test_bad_study_names(name: str) -> None:
    with pytest.raises(ValueError, match="study is"):
        check_study_name(name)
