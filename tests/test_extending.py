"""What docs/extending.md says to add works as it stands there."""

import re
import subprocess
import sys
from pathlib import Path

PAGE = (Path(__file__).parent.parent / "docs" / "extending.md").read_text()

CHECK = """

assert len(result.front) and set(result.front[0]) >= {"accuracy", "intensity"}, result.front
chosen = [trial.params.get("factorization", trial.params) for trial in result.study.trials]
assert "transposed" in str(chosen), chosen
for row in result.front:
    assert abs(row["intensity"] - row["flops"] / row["params"]) < 1e-9
"""


def test_the_page_works_from_top_to_bottom(tmp_path: Path) -> None:
    blocks = re.findall(r"^```python\n(.*?)^```", PAGE, re.M | re.S)
    assert len(blocks) == 4
    small = "\n".join(blocks).replace("(5_000,)", "(256,), resolution=8")
    small = small.replace("trials=4", "trials=6")
    script = small.replace("workers=0", "workers=0, precision='float32', progress=False") + CHECK
    assert script.count("256") == script.count("progress=False") == 1
    done = subprocess.run(
        [sys.executable, "-c", script], cwd=tmp_path, capture_output=True, text=True, check=False
    )
    assert done.returncode == 0, done.stderr
