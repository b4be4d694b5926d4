"""Other tools as searchers on the replayed problem; they need the extra ``outside``."""

from collections.abc import Callable

from problem import Problem, Searcher

SEARCHERS: dict[str, Callable[[Problem, int], Searcher]] = {}
"""Name to searcher, made for a problem and a seed."""
