"""Converts field values to JSON text and back, and refuses values that JSON cannot represent.

The text is ASCII, so that every database can store every string, including lone surrogates and NUL.
"""

import json
import json.encoder
import math
from collections.abc import Callable, Mapping
from typing import Any, NamedTuple, NoReturn

from kvstore.exceptions import UnstorableValue

# Deeper values may exceed Python's recursion limit when they are loaded.
MAX_DEPTH = 200
# Python does not parse longer integers (sys.set_int_max_str_digits).
MAX_INTEGER = 10**4300

PLAIN = {str, bool, type(None)}
CHANGEABLE = {dict, list}


class FieldName(NamedTuple):
    """A field of a block, for the text of an error, which is built only if there is an error."""

    name: str
    key: object

    def __str__(self) -> str:
        return f"field {self.name!r} of {self.key}"


def storable(value: Any, where: object, depth: int = 0) -> Any:
    """Return a copy of ``value`` as the store will return it: plain dicts, lists and scalars.

    A namedtuple becomes a dict, any other tuple a list, and the keys of a dict become strings, as in simplejson.
    The error begins with the text of ``where``.

    Raises UnstorableValue for NaN, infinity, and objects that JSON cannot represent, such as sets and dates.
    """
    kind = type(value)
    if kind in PLAIN:
        return value
    if depth > MAX_DEPTH:
        raise UnstorableValue(f"{where} is nested more than {MAX_DEPTH} levels deep; store a flatter value.")
    if kind is list:
        return [storable(item, where, depth + 1) for item in value]
    if kind is int or kind is float:
        return _storable_scalar(value, where)
    if kind is dict or isinstance(value, Mapping):
        return _storable_object(value, where, depth)
    if isinstance(value, tuple) and hasattr(value, "_asdict"):
        return _storable_object(value._asdict(), where, depth)
    if isinstance(value, (list, tuple)):
        return [storable(item, where, depth + 1) for item in value]
    return _storable_scalar(value, where)


def loads(text: str) -> Any:
    """Return the value of stored text. Raises ValueError for invalid JSON, NaN, infinity and deep nesting."""
    try:
        value, end = _scan(text, 0)
        if end == len(text):
            return value
    except (StopIteration, ValueError, RecursionError):
        # The decoder ignores white space around the value, and its errors name the position.
        pass
    try:
        return _decode(text)
    except RecursionError as error:
        raise ValueError("it is nested too deeply") from error


def loads_state(text: str | None) -> dict[str, Any]:
    """Return the fields of a stored state; none for NULL. Raises ValueError if it is not a JSON object."""
    state = {} if text is None else loads(text)
    if not isinstance(state, dict):
        raise ValueError(f"it is a JSON {type(state).__name__}, not an object")
    return state


def same_state(one: str | None, other: str | None) -> bool:
    """Return whether two stored states have equal fields; they may differ in white space."""
    if one == other or one is None or other is None:
        return one == other
    try:
        return dumps(loads_state(one)) == dumps(loads_state(other))
    except ValueError:
        return False


def copied(value: Any) -> Any:
    # Most items are neither dicts nor lists; they need no call.
    if isinstance(value, dict):
        return {name: copied(item) if type(item) in CHANGEABLE else item for name, item in value.items()}
    if isinstance(value, list):
        return [copied(item) if type(item) in CHANGEABLE else item for item in value]
    return value


def _storable_object(mapping: Mapping[Any, Any], where: object, depth: int) -> dict[str, Any]:
    stored = {_object_key(key, where): storable(item, where, depth + 1) for key, item in mapping.items()}
    if len(stored) != len(mapping):
        raise UnstorableValue(f"{where} has two keys that are one in JSON, such as 1 and '1'; keep one of them.")
    return stored


def _object_key(key: Any, where: object) -> str:
    if isinstance(key, str):
        return str.__str__(key)
    if key is None or isinstance(key, (bool, int, float)):
        return dumps(_storable_scalar(key, f"a key of {where}"))
    raise UnstorableValue(f"{where} has a key of type {type(key).__name__}; JSON objects have string keys.")


def _storable_scalar(value: Any, where: object) -> Any:
    if isinstance(value, str):
        return str.__str__(value)
    if value is None or isinstance(value, bool):
        return value
    if isinstance(value, int):
        if not -MAX_INTEGER < value < MAX_INTEGER:
            raise UnstorableValue(f"{where} is an integer of more than 4300 digits; store it as a string.")
        return int(value)
    if isinstance(value, float):
        if not math.isfinite(value):
            raise UnstorableValue(f"{where} is {value}, which JSON cannot represent; store a finite number or None.")
        return float(value)
    raise UnstorableValue(
        f"{where} is a {type(value).__name__}, which JSON cannot represent; give the field a to_json() that returns "
        "strings, numbers, booleans, None, lists and dicts."
    )


def _refuse_constant(name: str) -> NoReturn:
    raise ValueError(f"{name} is not JSON")


def _finite(text: str) -> float:
    number = float(text)
    if not math.isfinite(number):
        raise ValueError(f"{text[:40]} is beyond the range of floats")
    return number


def encoder(*, allow_nan: bool) -> Callable[[Any], str]:
    """Return a function that converts a value to compact ASCII JSON; it must not contain itself."""
    whole = json.JSONEncoder(allow_nan=allow_nan, separators=(",", ":"))
    # JSONEncoder.encode() makes an encoder in C at each call, which takes longer than encoding a small value.
    make: Any = json.encoder.c_make_encoder  # type: ignore[attr-defined]  # None without the C extension
    if make is None:
        return whole.encode
    quote = json.encoder.encode_basestring_ascii
    chunks = make(None, whole.default, quote, None, ":", ",", False, False, allow_nan)
    return lambda value: "".join(chunks(value, 0))


dumps = encoder(allow_nan=False)
"""returns the text of a value that :func:`storable` returned"""
# json.loads would make a decoder at each call with options.
_decoder = json.JSONDecoder(parse_constant=_refuse_constant, parse_float=_finite)
_decode = _decoder.decode
_scan: Callable[[str, int], tuple[Any, int]] = _decoder.scan_once  # type: ignore[attr-defined]  # not in the stubs
