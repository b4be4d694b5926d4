"""Who proposes the next candidate: the table of samplers, and the one that knows the cost.

Entered through ``samplers``. Every sampler draws from (study seed, trial number) alone.
"""
