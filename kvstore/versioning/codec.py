"""Field values to JSON text and back, keeping what XBlock fields hand over and refusing what JSON cannot hold.

Text is ASCII: whatever the database's character set, it takes every string, lone surrogates and NUL included.
"""

import json
import math
from collections.abc import Mapping
from typing import Any, NoReturn

from kvstore.exceptions import UnstorableValue

# Deeper values cannot be relied on to load again within Python's recursion limit.
MAX_DEPTH = 200
# Python refuses to read a longer integer from text (sys.set_int_max_str_digits).
MAX_INTEGER = 10**4300

PLAIN = (str, bool, int, type(None))
CHANGEABLE = {dict, list}


def storable(value: Any, where: str) -> Any:
    """Return ``value`` as it will read back from the store: plain dicts, lists and scalars, sharing nothing.

    A namedtuple becomes an object with its field names, any other tuple a list, and the keys of an object
    strings, as simplejson does. ``where`` names the block and field in the error.

    Raises UnstorableValue for NaN, infinity, sets, dates, keys and every other object JSON has no form for.
    """
    return _storable(value, where, 0)


def dumps(value: Any) -> str:
    """Return the text of a value that :func:`storable` returned."""
    return _encode(value)


def loads(text: str) -> Any:
    """Return the value of stored text.

    Raises ValueError for anything but JSON, with NaN and infinity, and for values nested too deeply.
    """
    try:
        return _decode(text)
    except RecursionError as error:
        raise ValueError("it is nested too deeply") from error


def loads_state(text: str | None) -> dict[str, Any]:
    """Return the fields of a block's stored state; none for NULL. Raises ValueError if it is no JSON object."""
    state = {} if text is None else loads(text)
    if not isinstance(state, dict):
        raise ValueError(f"it is a JSON {type(state).__name__}, not an object")
    return state


def same_state(one: str | None, other: str | None) -> bool:
    """Return whether two stored states have the same fields, though one may have other white space."""
    if one == other or one is None or other is None:
        return one == other
    try:
        return dumps(loads_state(one)) == dumps(loads_state(other))
    except ValueError:
        return False


def copied(value: Any) -> Any:
    """Return a copy of a loaded value that may be changed without changing the original."""
    # Most of what is in a value is no dict or list, and needs no call.
    if isinstance(value, dict):
        return {name: copied(item) if type(item) in CHANGEABLE else item for name, item in value.items()}
    if isinstance(value, list):
        return [copied(item) if type(item) in CHANGEABLE else item for item in value]
    return value


def _storable(value: Any, where: str, depth: int) -> Any:
    if type(value) in PLAIN and type(value) is not int:
        return value
    if depth > MAX_DEPTH:
        raise UnstorableValue(f"{where} is nested more than {MAX_DEPTH} levels deep; store a flatter value.")
    if isinstance(value, Mapping):
        return _storable_object(value, where, depth)
    if isinstance(value, tuple) and hasattr(value, "_asdict"):
        return _storable_object(value._asdict(), where, depth)
    if isinstance(value, (list, tuple)):
        return [_storable(item, where, depth + 1) for item in value]
    return _storable_scalar(value, where)


def _storable_object(mapping: Mapping[Any, Any], where: str, depth: int) -> dict[str, Any]:
    stored = {_object_key(key, where): _storable(item, where, depth + 1) for key, item in mapping.items()}
    if len(stored) != len(mapping):
        raise UnstorableValue(f"{where} has two keys that are one in JSON, such as 1 and '1'; keep one of them.")
    return stored


def _object_key(key: Any, where: str) -> str:
    if isinstance(key, str):
        return str.__str__(key)
    if key is None or isinstance(key, (bool, int, float)):
        scalar = _storable_scalar(key, f"a key of {where}")
        return dumps(scalar)
    raise UnstorableValue(f"{where} has a key of type {type(key).__name__}; JSON objects have string keys.")


def _storable_scalar(value: Any, where: str) -> Any:
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
            raise UnstorableValue(f"{where} is {value}, which JSON cannot hold; store a finite number or None.")
        return float(value)
    raise UnstorableValue(
        f"{where} is a {type(value).__name__}, which JSON cannot hold; give the field a to_json() that returns "
        "strings, numbers, booleans, None, lists and dicts."
    )


def _refuse_constant(name: str) -> NoReturn:
    raise ValueError(f"{name} is not JSON")


def _finite(text: str) -> float:
    number = float(text)
    if not math.isfinite(number):
        raise ValueError(f"{text[:40]} is beyond the range of floats")
    return number


# Made once: json.dumps and json.loads make them anew for every call that has options.
_encode = json.JSONEncoder(allow_nan=False, separators=(",", ":")).encode
_decode = json.JSONDecoder(parse_constant=_refuse_constant, parse_float=_finite).decode
