"""An evaluation: a short run of training, or its answer from a table, as a pure function.

Entered through ``evaluation.evaluate``. It is told everything it depends on, and touches no study.
"""
