"""Whole commands: `nas --help`, and `nas pareto` and `nas report` on a study of 1,000 trials."""

import subprocess
import sys
import tempfile
import time
from pathlib import Path

from machine import row, table

ROUNDS, TRIALS = 15, 1000
NAS = str(Path(sys.executable).parent / "nas")


def seconds(*command: str) -> float:
    started = time.perf_counter()
    subprocess.run(command, check=True, stdout=subprocess.DEVNULL)
    return time.perf_counter() - started


def main() -> None:
    with tempfile.TemporaryDirectory() as directory:
        storage = f"sqlite:///{directory}/a.db"
        driver = str(Path(__file__).parent / "driver.py")
        arguments = ["--trials", str(TRIALS), "--sampler", "random", "--storage", storage]
        subprocess.run([sys.executable, driver, *arguments], check=True, stdout=subprocess.DEVNULL)
        study = ("--study", "driver", "--storage", storage)
        page = f"{directory}/front.html"
        commands = {
            "nas --help": (NAS, "--help"),
            f"nas pareto, {TRIALS} trials": (NAS, "pareto", *study),
            f"nas pareto --json, {TRIALS} trials": (NAS, "pareto", "--json", *study),
            f"nas pareto --html, {TRIALS} trials": (NAS, "pareto", "--html", page, *study),
            f"nas report, {TRIALS} trials": (NAS, "report", "--out", page, *study),
        }
        times: dict[str, list[float]] = {name: [] for name in commands}
        for number in range(ROUNDS + 1):
            for name, command in commands.items():
                took = seconds(*command)
                if number:  # the first round fills the disk cache
                    times[name].append(took)
        table([row(name, values, "s") for name, values in times.items()])


if __name__ == "__main__":
    main()
