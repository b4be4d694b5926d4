"""Repeats: which network is trained once more, with another seed, since its place isn't decided.

After one short run each, who is best is partly who was lucky. A share of a study's training goes to
finding out: the most doubtful of those that may be the best up to a size, or that are on the front,
gets a new seed, and counts with the mean over its seeds from then on.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field

from studies.best import SIZES
from studies.interval import Estimates
from studies.kept import Kept
from studies.results import Result, Results
from studies.trials import Trial

LEAST = 20
"""Candidates with an accuracy of the last rung before anything is repeated, and counted for it."""

MOST_SEEDS = 5
"""Trainings of a candidate, the first one included."""

DOUBT = 0.05
"""Doubt below which a candidate's place counts as decided; that of a toss-up is 0.25."""


@dataclass
class Training:
    """How much a study has trained since it can repeat, and how often each candidate.

    ``whole`` and ``repeated``, the repeats' part of it, are in FLOPs of one image times images,
    from the time on when there are enough candidates: counted from the start, the repeats' share
    would have piled up by then and be spent in one go. ``of`` counts by key the trainings at the
    last rung that were begun; one where a key is missing. ``ended`` are the candidates that have an
    accuracy of the last rung.
    """

    whole: int = 0
    repeated: int = 0
    of: dict[str, int] = field(default_factory=dict)
    ended: set[str] = field(default_factory=set)

    def remember(self, trial: Trial, budgets: Sequence[int]) -> None:
        """Take in a trial that has ended."""
        kept = trial.kept
        if trial.state in ("running", "waiting") or not kept.key:
            return
        self.begin(kept)
        for images in budgets[-1:] if kept.repeat else budgets[: len(kept.rungs)]:
            self.add(kept, images)
        if trial.state == "complete":
            self.ended.add(kept.key)

    def begin(self, kept: Kept) -> None:
        """Count one more training of a candidate, if the trial is that."""
        if kept.repeat:
            self.of[kept.key] = max(self.of.get(kept.key, 1), kept.repeat + 1)

    def add(self, kept: Kept, images: int) -> None:
        """A trial is trained on so many images."""
        if len(self.ended) < LEAST:
            return
        spent = (kept.flops or 0) * images
        self.whole += spent
        if kept.repeat:
            self.repeated += spent


def next_repeat(results: Results, trained: Mapping[str, int]) -> Result | None:
    """The candidate to be trained once more; None where all is decided that can be.

    ``trained`` counts by key the trainings that were begun, whatever became of them; one where a
    key is missing. It depends on these arguments alone.
    """
    candidates = results.distinct()
    known = Estimates(results)
    if len(candidates) < LEAST or not known.known:
        return None
    doubts = doubts_of(results, known)
    open_ones = [one for one in candidates if doubts.get(one.key, 0.0) >= DOUBT]
    open_ones = [one for one in open_ones if trained.get(one.key, 1) < MOST_SEEDS]
    # Another seed tells the less, the more there are.
    return max(open_ones, key=lambda one: doubts[one.key] / trained.get(one.key, 1), default=None)


def doubts_of(results: Results, known: Estimates) -> dict[str, float]:
    """How undecided candidates are, by key: p (1 - p), added up over what may be so of them.

    That is being the most accurate up to each number of parameters, and being on the front, for
    those that are on it as measured.
    """
    found: dict[str, float] = {}

    def add(of: Sequence[Result], chances: Sequence[float]) -> None:
        for one, chance in zip(of, chances, strict=True):
            found[one.key] = found.get(one.key, 0.0) + chance * (1 - chance)

    candidates = [one for one in results.distinct() if results.useful(one)]
    most = max((one.params for one in candidates), default=0)
    for size in [size for size in SIZES["params"] if size < most] + [most]:
        if within := [one for one in candidates if one.params <= size]:
            add(within, known.is_best(within).tolist())
    members = [one for one in results.front() if results.useful(one)]
    add(members, [known.on_front(one) or 0.0 for one in members])
    return found
