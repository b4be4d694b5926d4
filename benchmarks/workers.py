"""`nas run` on 1 and on 2 workers, in turns: trials an hour; and how soon the first one trains.

The trials are those of a random sampler, of one rung; each run has a database of its own.
"""

import argparse
import json
import subprocess
import sys
import tempfile
import time
from datetime import datetime
from pathlib import Path

from machine import row, table

from studies.store import open_store


def run(directory: Path, *options: str) -> float:
    """Seconds of `nas run` there, from command to prompt."""
    command = [str(Path(sys.executable).parent / "nas"), "run", "--sampler", "random", "--rungs"]
    command += ["1", "--quiet", *options]
    began = time.perf_counter()
    subprocess.run(command, cwd=directory, check=True, capture_output=True)
    return time.perf_counter() - began


def first_step(directory: Path) -> float:
    """Seconds from the command to the first step: its trial's end less what training took."""
    began = time.time()
    run(directory, "--trials", "1", "--budget", "2000")
    store = open_store(f"sqlite:///{directory / 'nas.db'}")
    with store.transaction() as connection:
        ended = connection.exec_driver_sql("SELECT datetime_complete FROM trials").scalar_one()
        speed = connection.exec_driver_sql(
            "SELECT images_per_second FROM nas_evaluations"
        ).scalar_one()
    return datetime.fromisoformat(ended).timestamp() - began - 2000 / float(speed)


def main() -> None:
    parser = argparse.ArgumentParser()
    parser.add_argument("--trials", type=int, default=20)
    parser.add_argument("--budget", default="20000")
    parser.add_argument("--rounds", type=int, default=3)
    arguments = parser.parse_args()
    hourly: dict[int, list[float]] = {1: [], 2: []}
    starts = []
    for _ in range(arguments.rounds):
        for workers, measured in hourly.items():
            with tempfile.TemporaryDirectory() as directory:
                options = ["--trials", str(arguments.trials), "--budget", arguments.budget]
                took = run(Path(directory), *options, "--workers", str(workers))
            measured.append(3600 * arguments.trials / took)
            print(json.dumps({"workers": workers, "trials an hour": measured[-1]}), flush=True)
        with tempfile.TemporaryDirectory() as directory:
            starts.append(first_step(Path(directory)))
    ratio = [two / one for one, two in zip(hourly[1], hourly[2], strict=True)]
    rows = [row(f"{workers} workers", found, "trials/h") for workers, found in hourly.items()]
    table([*rows, row("2 / 1", ratio, "times"), row("first step", starts, "s")])


if __name__ == "__main__":
    main()
