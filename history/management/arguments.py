"""Types of command-line arguments. Each raises ArgumentTypeError for other text."""

from argparse import ArgumentTypeError


def not_negative(text: str) -> int:
    """Parse a whole number, zero or above."""
    if not text.isdecimal():
        raise ArgumentTypeError(f"{text!r} is not a whole number, zero or above")
    return int(text)


def seconds(text: str) -> float:
    """Parse a finite number of seconds, zero or above."""
    try:
        value = float(text)
    except ValueError:
        value = -1
    if not 0 <= value < float("inf"):
        raise ArgumentTypeError(f"{text!r} is not a number of seconds, zero or above")
    return value
