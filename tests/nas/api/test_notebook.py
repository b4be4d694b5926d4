"""A notebook, run by a real kernel: bars renewed in place, results that show themselves."""

from pathlib import Path
from typing import Any

import nbformat
import pytest
from nbclient import NotebookClient

CELLS = (
    "from nas import Settings, compare, network, run_study, try_networks",
    """result = run_study(
    Settings(resolution=8, max_params=2_000, budgets=(128,)), trials=2, workers=0
)
result""",
    "network('inception-28')",
    "compare('googlenet-28', 'inception-28')",
    "try_networks('inception-28', budget=128, seeds=1, resolution=8, workers=0)",
    "result.train(result.best()['trial'], epochs=1, train_size=200)",
)


@pytest.fixture(scope="module")
def outputs(tmp_path_factory: pytest.TempPathFactory) -> list[list[dict[str, Any]]]:
    """Of each cell."""
    directory: Path = tmp_path_factory.mktemp("notebook")
    notebook = nbformat.v4.new_notebook(cells=[nbformat.v4.new_code_cell(one) for one in CELLS])
    resources = {"metadata": {"path": str(directory)}}
    NotebookClient(notebook, timeout=120, resources=resources).execute()
    return [cell["outputs"] for cell in notebook.cells]


def shown(outputs: list[dict[str, Any]]) -> str:
    """What HTML the outputs of a cell hold."""
    return "".join(one.get("data", {}).get("text/html", "") for one in outputs)


def test_progress_is_one_bar_that_is_renewed(outputs: list[list[dict[str, Any]]]) -> None:
    for cell, done in ((1, "2/2 trials"), (4, "1/1 run"), (5, "")):
        bars = [one for one in outputs[cell] if "<progress" in shown([one])]
        assert len(bars) == 1
        assert done in shown(bars)
        lines = "".join(one["text"] for one in outputs[cell] if one["output_type"] == "stream")
        assert "ipywidgets" not in lines
        assert "left |" not in lines, "no lines beside the bar"


def test_results_show_themselves(outputs: list[list[dict[str, Any]]]) -> None:
    assert "Pareto front of inception" in shown(outputs[1])
    assert "<svg" in shown(outputs[2])
    assert "316,410" in shown(outputs[3])
    assert "After 128 training images" in shown(outputs[4])
    assert "test images right" in shown(outputs[5])
