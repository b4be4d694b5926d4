"""Checks of values where they enter: each raises a ValueError with name, value and rule."""

from collections.abc import Collection


def check_choice(name: str, value: object, options: Collection[object]) -> None:
    """Raise a ValueError that names the valid options unless ``value`` is one of them."""
    if not any(type(value) is type(option) and value == option for option in options):
        listed = ", ".join(str(option) for option in options)
        raise ValueError(f"{name} is {value!r}; choose one of: {listed}")


def check_type(name: str, value: object, kind: type) -> None:
    """Raise a ValueError unless ``value`` is a ``kind``."""
    if not isinstance(value, kind):
        raise ValueError(f"{name} is {value!r}; it must be one {kind.__name__}")


def check_range(name: str, value: object, low: float, high: float, integer: bool = True) -> None:
    """Raise a ValueError that states the range unless low <= ``value`` <= high."""
    kinds = (int,) if integer else (int, float)
    if isinstance(value, bool) or not isinstance(value, kinds) or not low <= value <= high:
        kind = "a whole number" if integer else "a number"
        raise ValueError(
            f"{name} is {value!r}; it must be {kind} from {exact(low)} to {exact(high)}"
        )


def exact(number: float) -> str:
    """A number in digits that give it back: a whole one without an exponent or rounding."""
    return str(number) if isinstance(number, int) else f"{number:.15g}"
