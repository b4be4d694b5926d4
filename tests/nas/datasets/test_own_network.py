"""From a folder of one's own images to a network in use: search, train, export, predict."""

import json
from collections.abc import Callable
from pathlib import Path

Run = Callable[..., tuple[int, str, str]]


def test_a_folder_becomes_a_network(
    nas_in: Run, tiny_toml: Path, own_cache: Path, shapes: Callable[..., Path], tmp_path: Path
) -> None:
    root = shapes(tmp_path / "shapes", 40)

    def nas(*arguments: str) -> str:
        code, output, errors = nas_in(*arguments)
        assert code == 0, errors
        return output

    small = ("--rungs", "1", "--budget", "256", "--workers", "0", "--quiet", "--resolution", "16")
    images, space = ("--dataset", f"folder:{root}"), ("--space", str(tiny_toml))
    nas("run", "--trials", "2", *images, *space, *small)
    nas("train", "best", "--epochs", "30", "--out", "model", "--quiet")
    card = json.loads(Path("model/card.json").read_text())
    assert card["classes"] == ["circle", "square", "tri angle"]
    assert card["job"]["channels"] == 3
    assert card["job"]["train_size"] == 102
    assert card["test"]["images"] == 18
    assert card["test"]["accuracy"] > 0.6

    nas("export", "model", "--out", "model.onnx")
    by_model, by_file = (
        [one["predictions"][0]["class"] for one in json.loads(said)]
        for said in (nas("predict", path, str(root), "--json") for path in ("model", "model.onnx"))
    )
    assert by_model == by_file
    assert len(by_file) == 120
