"""A search that found nothing is a failure that says why, and a file is what it is called."""

import json
import shutil
from collections.abc import Callable
from pathlib import Path

import pytest

from nas.settings import Request
from studies.evaluation import Evaluation

UNLIMITED = "optuna.samplers.RandomSampler"
"""A sampler that knows of no limits, and proposes what is over one."""

Run = Callable[..., tuple[int, str, str]]
MADE = Path(__file__).parents[1] / "made_by_0_1"


@pytest.fixture
def search(nas_in: Run, tiny_toml: Path) -> Run:
    """`nas run` on the small space."""
    common = ("--workers", "0", "--space", str(tiny_toml), "--precision", "float32")
    short = ("--sampler", "random", "--budget", "256", "--rungs", "1", "--resolution", "8")
    return lambda *options: nas_in("run", *common, *short, *options)


@pytest.mark.parametrize("options", [(), ("--json",), ("--quiet",)])
def test_trials_that_all_failed_are_exit_code_1(
    search: Run, nas_in: Run, monkeypatch: pytest.MonkeyPatch, options: tuple[str, ...]
) -> None:
    def evaluate(request: Request) -> Evaluation:
        raise OSError(f"no room left on the moon for {request.budget}")

    monkeypatch.setattr("nas.short_run.evaluation.evaluate", evaluate)
    code, out, err = search("--trials", "3", *options)
    assert code == 1
    line = "error: no result: 3 of 3 trials failed, 3 for this: "
    assert err.splitlines()[-1].startswith(line)
    assert "no room left on the moon for 256" in err.splitlines()[-1]
    if "--json" in options:
        assert list(json.loads(out)["failures"].values()) == [3]
    if not options:
        assert "| failed: OSError: no room left on the moon" in err
        assert "\n      nas studies" not in out, "nothing to be aligned with"
        assert "\nnext: nas studies --storage" in out
    code, out, err = nas_in("pareto")
    assert code == 0
    assert "Pareto front of inception: empty" in out
    assert err.startswith("no result: 3 of 3 trials failed, 3 for this: ")


def test_trials_that_were_all_over_a_limit(search: Run) -> None:
    code, out, err = search("--max-params", "300", "--trials", "4", "--sampler", UNLIMITED)
    assert (code, "Pareto front of inception: empty" in out) == (1, True)
    (why, smallest) = err.splitlines()[-2:]
    assert why.startswith("error: no result: 4 of 4 trials were over the limit --max-params, befor")
    proposed = int(why.rpartition(" ")[2].replace(",", ""))
    assert proposed > 300
    assert smallest.startswith("the smallest found in the space has ")
    there = int(smallest.split(" has ")[1].split(":")[0].replace(",", ""))
    assert there <= 300
    assert smallest.endswith(": give more --trials, or raise --max-params")


@pytest.fixture
def studied(tmp_path: Path) -> Path:
    shutil.copy(MADE / "study.sqlite", tmp_path / "nas.db")
    return tmp_path


@pytest.mark.parametrize(
    ("command", "said"),
    [
        (("export", "MODEL", "--out", "x.h5"), "x.h5, but .h5 is of no format here"),
        (("export", "MODEL", "--out", "x.bin"), "x.bin, but .bin is of no format here; give one"),
        (("export", "MODEL", "--out", "x.pt", "--format", "onnx"), "give x.onnx, or --format torc"),
        (("pareto", "--html", "x.png"), "--html is x.png, but what it writes is a page, .html"),
        (("pareto", "--csv", "x.html"), "--csv is x.html, but what it writes is a table as CSV"),
        (("pareto", "--png", "x.svg"), "--png is x.svg, but what it writes is a PNG picture"),
        (("report", "--out", "x.pdf"), "--out is x.pdf, but what it writes is a page"),
        (("show", "googlenet", "--svg", "x.png"), "--svg is x.png, but what it writes is an SVG"),
        (("compare", "googlenet", "--html", "x.md"), "--html is x.md, but what it writes is a p"),
        (("studies", "--export", "x.csv"), "--export is x.csv, but what it writes is a table of"),
    ],
)
def test_a_file_is_what_it_is_called(
    nas_in: Run, studied: Path, command: tuple[str, ...], said: str
) -> None:
    model = str(MADE / "model.safetensors")
    code, out, err = nas_in(*(model if word == "MODEL" else word for word in command))
    assert (code, out) == (2, "")
    assert said in err
    assert err.count("\n") == 1
    assert {path.name.split("-")[0] for path in studied.iterdir()} == {"nas.db"}


def test_the_suffix_may_say_the_format(nas_in: Run, tmp_path: Path) -> None:
    code, out, err = nas_in("export", str(MADE / "model.safetensors"), "--out", "x.pt2", "--json")
    assert code == 0, err
    assert json.loads(out)["format"] == "torch-export"


@pytest.mark.parametrize(
    ("name", "said"),
    [
        ("sqlite:///bar%baz.db", "has a %, with which its URL would mean another file"),
        ("sqlite:///a?b.db", "has a ?, with which its URL would mean another file"),
        ("sqlite:///~/x.db", "has a ~, which is no directory here; give sqlite:////"),
        ("sqlite://x.db", "has two slashes before its path, where three belong"),
        ("x.db", "for that file give sqlite:///x.db"),
        ("sqlite:///file:x.db", "has a URI in it"),
    ],
)
def test_a_database_is_the_file_that_was_typed(
    search: Run, tmp_path: Path, name: str, said: str
) -> None:
    code, out, err = search("--trials", "1", "--storage", name)
    assert (code, out) == (2, "")
    assert said in err
    assert err.count("\n") == 1
    assert not [path for path in tmp_path.iterdir() if path.suffix != ".toml"]


@pytest.mark.parametrize("name", ["with space.db", "a#b.db", "ü.db", "a&b=c.db"])
def test_other_characters_are_what_they_are(search: Run, nas_in: Run, name: str) -> None:
    storage = ("--storage", f"sqlite:///{name}")
    code, _, err = search("--trials", "1", *storage)
    assert code == 0, err
    assert Path(name).is_file()
    assert nas_in("pareto", *storage)[0] == 0
