"""What the commands of history take on their command lines."""

from argparse import ArgumentTypeError


def positive(text: str) -> int:
    """Read a whole number above zero."""
    if not text.isdecimal() or not int(text):
        raise ArgumentTypeError(f"{text!r} is not a whole number above zero")
    return int(text)


def not_negative(text: str) -> int:
    """Read a whole number, zero or above."""
    if not text.isdecimal():
        raise ArgumentTypeError(f"{text!r} is not a whole number, zero or above")
    return int(text)


def seconds(text: str) -> float:
    """Read a duration in seconds, zero or above."""
    try:
        value = float(text)
    except ValueError:
        value = -1
    if not 0 <= value < float("inf"):
        raise ArgumentTypeError(f"{text!r} is not a number of seconds, zero or above")
    return value
