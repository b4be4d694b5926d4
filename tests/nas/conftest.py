"""What tests of commands share: `nas` in this process, and a model with random weights."""

import contextlib
import shutil
import sys
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
import torch
from PIL import Image, ImageDraw
from torch import nn

from nas import cli
from nas.datasets import find
from nas.model.export.inference import Inference
from nas.model.export.onnx_file import onnx_bytes
from nas.model.metadata import ModelMetadata
from nas.model.model import Model, save_model
from nas.settings import Settings
from nas.short_run.evaluation import Evaluate
from nas.study.loop import search
from nas.study.opened import open_study
from nas.study.until import Until
from nas.workers.protocol import InDriver
from search_space.architecture import Architecture, Block, Candidate, Stage, Stem
from search_space.network import build
from studies.store import Store, open_store

TWINS = ("ms-ehvi", "nsga3")
"""Samplers that differ from another one in a detail: tests of every sampler are slow for these."""

MODES = ("RGB", "RGBA", "L", "P", "LA", "CMYK")
"""Colour modes of drawn images."""

Run = Callable[..., tuple[int, str, str]]
Bring = Callable[..., None]
MakeModel = Callable[..., Model]


@pytest.hookimpl(tryfirst=True)
def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    for item in items:
        parameters = getattr(getattr(item, "callspec", None), "params", {})
        if parameters.get("sampler") in TWINS:
            item.add_marker(pytest.mark.slow)


@pytest.fixture(scope="session")
def shapes() -> Callable[..., Path]:
    """Draws a folder of images."""

    def shapes(root: Path, each: int = 18) -> Path:
        """Circles, squares and triangles in mixed sizes and colour modes."""
        for label, name in enumerate(("circle", "square", "tri angle")):
            (root / name).mkdir(parents=True)
            for number in range(each):
                width, height = 24 + 3 * number, 60 - number
                image = Image.new("RGB", (width, height), (230, 220 - number, 210))
                draw = ImageDraw.Draw(image)
                x, y, r = width / 2, height / 2, 0.35 * min(width, height)
                box = (x - r, y - r, x + r, y + r)
                fill = (20, 60, 2 * number)
                if label == 2:
                    draw.polygon([(x - r, y + r), (x + r, y + r), (x, y - r)], fill)
                else:
                    (draw.ellipse, draw.rectangle)[label](box, fill)
                mode = MODES[number % len(MODES)]
                ending = "jpg" if mode == "CMYK" else "png"
                image.convert(mode).save(root / name / f"{number} é.{ending}")
        return root

    return shapes


@pytest.fixture
def nas_in(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> Run:
    """`nas` in an empty directory, in this process: exit code, output, errors."""
    monkeypatch.chdir(tmp_path)

    def run(*arguments: str) -> tuple[int, str, str]:
        monkeypatch.setattr(sys, "argv", ["nas", *arguments])
        with pytest.raises(SystemExit) as ended:
            cli.main()
        code = ended.value.code
        assert isinstance(code, int)
        return (code, *capsys.readouterr())

    return run


@pytest.fixture(scope="session")
def bring() -> Bring:
    """Brings a study, s or of another name, to so many trials, with a function for training."""

    def bring(
        store: Store, settings: Settings, trials: int, evaluate: Evaluate, name: str = "s"
    ) -> None:
        study = open_study(store, name, settings)
        search(study, Until(trials), InDriver(evaluate), lambda _: None)

    return bring


@pytest.fixture(scope="session")
def make_database(bring: Bring, tmp_path_factory: pytest.TempPathFactory) -> Callable[..., Path]:
    """Makes an SQLite file with such a study; what is given is what `bring` is given."""

    def make(*given: object) -> Path:
        path = tmp_path_factory.mktemp("study") / "a.db"
        with contextlib.closing(open_store(f"sqlite:///{path}", create=True)) as store:
            bring(store, *given)
        return path

    return make


@pytest.fixture
def studied(database: Path, tmp_path: Path) -> Iterator[Store]:
    """The study of the module's own fixture ``database``, in a.db."""
    shutil.copy(database, tmp_path)
    with contextlib.closing(open_store(f"sqlite:///{tmp_path}/a.db")) as store:
        yield store


@pytest.fixture(scope="session")
def make_model() -> MakeModel:
    """A model of an architecture with random weights, and batch norms that do something."""

    def make(architecture: Architecture, resolution: int, channels: int = 1) -> Model:
        found = find("fashion-mnist")
        metadata = ModelMetadata(
            classes=found.classes,
            resolution=resolution,
            channels=channels,
            dataset=found.name,
            data=found.digest,
            held_out=True,
            candidate=Candidate(architecture),
            mean=(0.3, 0.2, 0.4)[:channels],
            std=(0.4, 0.3, 0.2)[:channels],
        )
        with torch.random.fork_rng([]):
            torch.manual_seed(0)
            network = build(architecture, channels, len(found.classes)).eval()
            for norm in network.modules():
                if isinstance(norm, nn.BatchNorm2d):
                    for values, low in (
                        (norm.running_mean, -0.5),
                        (norm.running_var, 0.5),
                        (norm.weight, 0.8),
                        (norm.bias, -0.3),
                    ):
                        nn.init.uniform_(values, low, low + 1)
        return Model(metadata, network)

    return make


@pytest.fixture(scope="session")
def tiny_architecture() -> Architecture:
    """Every branch, a residual, and batch norm after the convolutions; fast, on small maps."""
    block = Block(4, 2, 4, 2, 4, 4, factorization="asymmetric", residual="block", scale=0.5)
    stages = (Stage((block,)), Stage((block,), "inception"))
    return Architecture(Stem(4, stride=2, pool=True), stages, "conv-bn-relu", dropout=0.5)


@pytest.fixture(scope="session")
def tiny_model(make_model: MakeModel, tiny_architecture: Architecture) -> Model:
    """One for gray images of 28x28."""
    return make_model(tiny_architecture, 28)


@pytest.fixture(scope="session")
def saved(tiny_model: Model, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The directory of that model."""
    directory = tmp_path_factory.mktemp("saved")
    save_model(tiny_model, directory)
    return directory


@pytest.fixture(scope="session")
def exported(tiny_model: Model, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """That model as an ONNX file."""
    known = tiny_model.metadata.for_export()
    path = tmp_path_factory.mktemp("exported") / "tiny.onnx"
    path.write_bytes(onnx_bytes(Inference(tiny_model), known.image, known.to_text()))
    return path
