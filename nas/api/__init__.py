"""What scripts and notebooks call: the commands' work as functions, and its results as objects.

Entered through ``nas``, which has all of it under its own name.
"""
