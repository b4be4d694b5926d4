"""docs/exercises: the notebook, run by a real kernel from top to bottom, with small budgets."""

import re
from pathlib import Path

import nbformat
from nbclient import NotebookClient

NOTEBOOK = Path(__file__).parents[2] / "docs" / "exercises" / "googlenet.ipynb"


def text(cell: nbformat.NotebookNode) -> str:
    """What the outputs of a cell say."""
    return "".join(
        output.get("text", "") or output["data"].get("text/html", "") for output in cell.outputs
    )


def small(notebook: nbformat.NotebookNode) -> None:
    """Let runs be short, on small images."""
    cells = [cell for cell in notebook.cells if cell.cell_type == "code"]
    assert "BUDGET, SEEDS = 5_000, 3" in cells[0].source
    cells[0].source = cells[0].source.replace("5_000, 3", "128, 1")
    assert "seeds=SEEDS)" in cells[1].source
    cells[1].source = cells[1].source.replace("seeds=SEEDS)", "seeds=SEEDS, resolution=12)")


def test_it_runs_from_top_to_bottom(tmp_path: Path) -> None:
    notebook = nbformat.read(NOTEBOOK, as_version=4)
    small(notebook)
    NotebookClient(notebook, timeout=240, resources={"metadata": {"path": str(tmp_path)}}).execute()
    shown = "\n".join(text(cell) for cell in notebook.cells if cell.cell_type == "code")
    for words in (
        "+ norm, residual block",
        "the smallest that runs: 1\n",
        "the smallest with a last map of 3x3: 65\n",
        "torchvision's, whose pooling isn't padded: 15\n",
        "316,410",
        "alexnet has 7.8 times the parameters of googlenet, yet googlenet does 1.6 times",
        "fit into 8.39 MB on the chip",
    ):
        assert words in shown
    assert "<svg" in shown


def test_it_is_landed_with_its_outputs() -> None:
    notebook = nbformat.read(NOTEBOOK, as_version=4)
    cells = [cell for cell in notebook.cells if cell.cell_type == "code"]
    assert all(cell.outputs for cell in cells[1:])
    tried = cells[1].outputs[-1]["data"]["text/html"]
    assert len(re.findall(r"\d\d\.\d\d%", tried)) == 9
    assert "After 5,000 training images as 1x28x28" in tried
    assert "Error" not in "".join(text(cell) for cell in cells)
