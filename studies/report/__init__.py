"""The report of a study: one self-contained page, made of plain data."""
