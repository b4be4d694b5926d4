"""All that this tool takes of Optuna beyond its public interface: its tables, and private parts.

Entered by the store and by whoever reads trials; nothing of Optuna that is private, and no name of
its tables, may stand anywhere else (a test looks). Written against Optuna 5; without its private
parts studies run all the same, slower.
"""
