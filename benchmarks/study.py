"""What a finished study looks like: accuracy over its trials, seconds, front, hypervolume."""

import sys
from pathlib import Path

import sqlalchemy as sa
from machine import machine, row

from studies.pareto import hypervolume_trace, losses, reference_point
from studies.results import load_results
from studies.schema import EVALUATIONS
from studies.store import open_store


def main() -> None:
    if len(sys.argv) < 2 or not Path(sys.argv[1]).is_file():
        sys.exit("give the database of a finished study: study.py nas.db [NAME]")
    store = open_store(f"sqlite:///{sys.argv[1]}")
    name = sys.argv[2] if len(sys.argv) > 2 else store.study_names()[0]
    results = load_results(store, name)
    with store.transaction() as connection:
        evaluations = connection.execute(sa.select(EVALUATIONS)).all()
    accuracies = sorted(e.accuracy for e in evaluations if e.accuracy is not None)
    print("| what | n | median | least..greatest | unit |\n| --- | --- | --- | --- | --- |")
    print(row("validation accuracy", [100 * accuracy for accuracy in accuracies], "%"))
    middle = accuracies[len(accuracies) // 4 : 3 * len(accuracies) // 4 + 1]
    print(row("its middle half", [100 * accuracy for accuracy in middle], "%"))
    print(row("seconds of an evaluation", [e.seconds for e in evaluations], "s"))
    speeds = [e.images_per_second for e in evaluations if e.images_per_second]
    print(row("images/s of its training", speeds, "images/s"))
    minimised = losses([result.values for result in results.completed], results.axes)
    trace = hypervolume_trace(minimised, reference_point(results.axes))
    steps = sorted({min(len(trace), step) for step in (25, 50, 100, 200)} - {0})
    at = ", ".join(f"{trace[step - 1]:.3f} after {step}" for step in steps)
    print(f"\n{results.states}; front of {len(results.front())}; hypervolume {at}")
    print(f"busy {sum(e.seconds for e in evaluations) / 60:.1f} worker minutes; {machine()}")


if __name__ == "__main__":
    main()
