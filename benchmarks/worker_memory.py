"""Peak memory of a worker: after the smallest, then the largest of 3,000 sampled candidates."""

import random
import resource

from machine import row, table

from nas.datasets import find
from nas.settings import Recipe, Settings
from nas.short_run.evaluation import evaluate
from nas.short_run.precision import best_precision
from nas.workers.local import open_workers
from nas.workers.pool import Pool
from search_space.architecture import Candidate
from search_space.cost import cost
from search_space.space import SearchSpace
from studies.evaluation import Evaluation

SAMPLES = 3000


def sampled(seed: int) -> Candidate:
    state = random.Random(seed)
    return SearchSpace().sample(lambda _, options: state.choice(options))


def macs(candidate: Candidate) -> int:
    return cost(candidate.architecture).macs


def peak() -> float:
    """Of this process so far, in GB."""
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1e6


def main() -> None:
    found = find("fashion-mnist")
    recipe = Recipe(precision=best_precision())
    settings = Settings(budgets=(1280,), data=found.digest, recipe=recipe)
    directory = found.directory
    candidates = sorted((sampled(seed) for seed in range(SAMPLES)), key=macs)
    least, most = candidates[0], candidates[-1]
    rows = []
    with open_workers(1, evaluate) as workers:
        assert isinstance(workers, Pool)
        assert workers.client is not None
        for name, candidate in (("smallest", least), ("largest", most)):
            workers.submit(settings.request(candidate, directory))
            while (outcome := workers.next(1.0)) is None:
                pass
            assert isinstance(outcome.result, Evaluation), outcome
            (used,) = workers.client.run(peak).values()
            what = f"after the {name} candidate, {macs(candidate) / 1e6:,.1f} MMACs"
            rows.append(row(what, [used], "GB"))
    table(rows)


if __name__ == "__main__":
    main()
