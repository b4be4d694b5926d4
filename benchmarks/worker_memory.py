"""Peak memory of a worker process that evaluates a small and then the default space's largest."""

import resource

from machine import row, table

from nas.cluster import OnDask, open_workers
from nas.data import digest
from nas.download import find
from nas.evaluation import Evaluation, evaluate
from nas.precision import best_precision
from nas.settings import Recipe, Settings
from search_space.architecture import Candidate
from search_space.cost import cost
from search_space.space import SearchSpace


def peak() -> float:
    """Of this process so far, in GB."""
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1e6


def main() -> None:
    settings = Settings(budget=1280, data=digest(), recipe=Recipe(precision=best_precision()))
    directory = str(find())
    least = SearchSpace().sample(lambda _, options: options[0])
    most = SearchSpace().sample(
        lambda name, options: 1 if name == "stem.stride" else options[name != "stem.pool" and -1]
    )
    rows = []
    with open_workers(1, evaluate) as workers:
        assert isinstance(workers, OnDask)
        for name, candidate in (("smallest", least), ("largest", most)):
            assert isinstance(candidate, Candidate)
            workers.submit(settings.request(candidate, directory))
            while (outcome := workers.next(1.0)) is None:
                pass
            assert isinstance(outcome[1], Evaluation), outcome
            (used,) = workers.client.run(peak).values()
            macs = cost(candidate.architecture).macs / 1e6
            rows.append(row(f"after the {name} candidate, {macs:,.1f} MMACs", [used], "GB"))
    table(rows)


if __name__ == "__main__":
    main()
