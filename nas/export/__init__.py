"""A trained model as one file for others' runtimes: written, run, compared, and only then kept."""
