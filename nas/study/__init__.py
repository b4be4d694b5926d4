"""A run of a study: what it is about, where it runs, until when, and the loop of the driver.

Entered through ``run_study``. One process at a time runs a study, and it alone writes the database.
"""
