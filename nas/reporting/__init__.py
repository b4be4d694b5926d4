"""A study or networks gathered for people: the report, notes, the live view, comparisons, files.

Entered by the commands alone. It reads studies and changes none, but for notes in Optuna Dashboard.
"""
