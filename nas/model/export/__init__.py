"""A trained model as one file for other runtimes, run and compared before it is kept.

Entered through ``exporting``; ``formats`` is an open table that loads none of the runtimes.
"""
