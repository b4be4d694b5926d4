"""What is kept of a search: the database, the Pareto front and its plots."""
