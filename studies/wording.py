"""Words for numbers of things, in the singular where there is one of them."""

REPLAY_WORDS = (
    "Accuracies of this study are replayed: answered from a table of earlier runs, nothing was "
    "trained for it."
)


def counted(number: int, thing: str, things: str | None = None) -> str:
    """A number with what it counts: "1 trial", "2,000 trials"; ``things`` is an odd plural."""
    return f"{number:,} {thing if number == 1 else things or f'{thing}s'}"
