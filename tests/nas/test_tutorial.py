"""README's way from a search to a network in use, line by line, with small budgets."""

import re
import shlex
from collections.abc import Callable
from pathlib import Path

from nas.model.export.c.proof import compiler

ROOT = Path(__file__).parents[2]
README = (ROOT / "README.md").read_text()
SECTION = README.split("## From a search to a network in use\n")[1].split("\n## ")[0]
IMAGES = (ROOT / "docs" / "train.md").read_text().split("## Predictions and measurements\n")[1]
"""Where README's line on images leads: a script that writes some, which is run first."""


def test_every_line_works(nas_in: Callable[..., tuple[int, str, str]], tiny_toml: Path) -> None:
    small = {
        "run": ["--trials", "2", "--space", str(tiny_toml), "--budget", "256", "--rungs", "1"],
        "train": ["--epochs", "1", "--train-size", "300"],
    }
    assert "(docs/train.md#predictions-and-measurements)" in SECTION
    (script,) = re.findall(r"^```python\n(.*?)^```", IMAGES, re.MULTILINE | re.DOTALL)
    exec(compile(script, "train.md", "exec"), {"__name__": "__main__"})
    blocks = re.findall(r"^```sh\n(.*?)^```", SECTION, re.MULTILINE | re.DOTALL)
    assert len(blocks) == 2
    for block in blocks if compiler() else blocks[:1]:
        outputs: dict[str, str] = {}
        for line in block.splitlines():
            program, command, *arguments = shlex.split(line)
            if program.endswith("pip"):  # what export needs; the tests have it in their extra
                assert arguments[-1] == ".[onnx]"
                continue
            assert program == "nas"
            if command == "run":
                arguments += ["--workers", "0", "--quiet"]
            code, output, errors = nas_in(command, *arguments, *small.get(command, []))
            assert code == 0, (line, errors)
            outputs[command] = output
        of_a_model = ["run", "train", "export", "predict", "evaluate"]
        assert set(outputs) - {"compare"} == set(of_a_model)
        assert len(list(Path("images").glob("*.png"))) == 5
        for path in Path("images").iterdir():
            assert path.name in outputs["predict"]
        accuracy = re.search(r"test accuracy: ([\d.]+%)", outputs["train"])
        assert accuracy
        if "compare" not in outputs:
            assert accuracy[1] in outputs["evaluate"]
            continue
        in_integers = re.search(r"([\d.]+%) in 8-bit integers", outputs["export"])
        assert in_integers
        assert f"accuracy {in_integers[1]}" in outputs["evaluate"]
        assert "bytes are exact, cycles an estimate" in " ".join(outputs["compare"].split())
