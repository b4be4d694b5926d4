"""A run: a study brought to its trials, wherever its candidates are trained."""
