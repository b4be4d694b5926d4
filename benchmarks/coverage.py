"""Whether the intervals of a study's front hold what its members have with fresh seeds.

``python coverage.py --storage URL --study NAME`` trains every member that counts, and the best up
to each size, again with three fresh seeds at the study's last budget; results go to
data/coverage.jsonl as they come.
"""

import argparse
import json
import os
from dataclasses import replace
from pathlib import Path
from statistics import fmean

os.environ["OMP_NUM_THREADS"] = "1"

from worker import each_trained

from nas.datasets import find
from nas.settings import Settings
from search_space.architecture import Candidate
from studies.best import best_up_to
from studies.interval import Estimates
from studies.results import Result, Results, load_results
from studies.store import open_store

RESULTS = Path(__file__).parent / "data" / "coverage.jsonl"
FRESH = (2_001, 2_002, 2_003)


def members(results: Results) -> list[Result]:
    """The front's members that count, and the best up to each size that do."""
    best = best_up_to(results, Estimates(results))
    found = {one.number: one for one in results.front() if results.useful(one)}
    return list(
        (found | {b.result.number: b.result for b in best if b.result and b.useful}).values()
    )


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--storage", required=True)
    parser.add_argument("--study", default="inception")
    parser.add_argument("--processes", type=int, default=2)
    asked = parser.parse_args()
    store = open_store(asked.storage)
    settings = Settings.from_json(store.study(asked.study)["settings"])
    results = load_results(store, asked.study)
    directory = find(settings.dataset).directory
    name = f"{asked.study} of {store.study(asked.study)['created']:%Y-%m-%d %H:%M}"
    rows = [json.loads(line) for line in RESULTS.open()] if RESULTS.exists() else []
    done = {(row["trial"], row["seed"]) for row in rows if row["study"] == name}
    jobs = []
    for member in members(results):
        candidate = Candidate.from_json(store.candidate(member.key))
        for seed in FRESH:
            if (member.number, seed) not in done:
                request = replace(settings, seed=seed).request(candidate, directory)
                jobs.append(((member, seed), request))
    for (member, seed), _, result in each_trained(jobs, asked.processes):
        row = {
            "study": name,
            "trial": member.number,
            "seed": seed,
            "params": member.params,
            "accuracy": result.accuracy,
        }
        rows.append(row)
        with RESULTS.open("a") as file:
            file.write(json.dumps(row) + "\n")
        print(row, flush=True)
    report(results, [row for row in rows if row["study"] == name])


def report(results: Results, rows: list[dict[str, float]]) -> None:
    """Of each member what was measured, what is known of it, and what it has with fresh seeds."""
    known = Estimates(results)
    place = results.place("accuracy")
    assert place is not None
    trials = {trial.number: trial for trial in results.completed}
    found: dict[int, list[float]] = {}
    for row in rows:
        found.setdefault(int(row["trial"]), []).append(row["accuracy"])
    print("| trial | measured | estimate (95 %) | fresh seeds, mean | inside | each inside |")
    print("| --- | --- | --- | --- | --- | --- |")
    inside, each, gaps, plain = [], [], [], []
    for number, fresh in sorted(found.items()):
        one, mean, value = known.of(trials[number]), fmean(fresh), trials[number].values[place]
        assert one is not None
        inside.append(one.low <= mean <= one.high)
        each += [one.low <= seed <= one.high for seed in fresh]
        gaps.append(one.mean - mean)
        plain.append(value - mean)
        print(
            f"| {number} | {value:.2%} | {one.mean:.2%} ({one.low:.2%} to {one.high:.2%}) "
            f"| {mean:.2%} | {'yes' if inside[-1] else 'no'} | {sum(each[-len(fresh) :])} |"
        )
    means = f"the mean of the fresh seeds is inside {fmean(inside):.0%} of the intervals"
    print(f"\n{len(inside)} members: {means}, each seed inside {fmean(each):.0%};")
    print(f"measured less fresh {100 * fmean(plain):+.2f} points on average,")
    print(f"estimated less fresh {100 * fmean(gaps):+.2f}")


if __name__ == "__main__":
    main()
