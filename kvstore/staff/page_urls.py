"""Find the keys of a block and a course in the address of a courseware page."""

import re
from typing import Any
from urllib.parse import unquote

from opaque_keys import OpaqueKey
from opaque_keys.edx.keys import LearningContextKey, UsageKey

from kvstore.exceptions import UnusableKey
from kvstore.keys import key_from_text

MAX_LENGTH = 8_000
"""characters; the rest of an address is ignored"""

ADDRESS = re.compile(r"https?://", re.IGNORECASE)

# A key ends at the first character that keys cannot contain. Keys of the old form have three slashes, which old
# courseware writes as ;_ in addresses, and semicolons as ;;.
PART = r"[\w.~:+@$;%-]+"
NEW_FORM = rf"(?<![\w-])[a-z][\w-]{{0,40}}:{PART}"
BLOCK = re.compile(rf"i4x://{PART}/{PART}/{PART}/{PART}|i4x:;_;_{PART}|{NEW_FORM}")
COURSE = re.compile(rf"{NEW_FORM}|(?<=/courses/)[\w.~-]+/[\w.~-]+/[\w.~-]+(?=[/?#]|$)")
CANDIDATES = 20
"""possible keys that are parsed, from the end of the address"""


def keys_in(address: str) -> tuple[UsageKey | None, LearningContextKey | None]:
    """Return the last key of a block and the last key of a course in an address; None where it has none.

    Keys may be in the path, the query or the fragment, percent-encoded up to twice.
    """
    block, course = None, None
    text = address[:MAX_LENGTH]
    for _ in range(3):
        block = block or _last(BLOCK, text, UsageKey)
        course = course or _last(COURSE, text, LearningContextKey)
        text = unquote(text)
    return block, course


def _last(pattern: re.Pattern[str], text: str, key_class: type[OpaqueKey]) -> Any:
    for found in reversed(pattern.findall(text)[-CANDIDATES:]):
        try:
            return key_from_text(_unescaped(found).rstrip(".,:;"), key_class)
        except UnusableKey:
            continue
    return None


def _unescaped(found: str) -> str:
    if not found.startswith("i4x:;_;_"):
        return found
    return re.sub(r";[_;]", lambda escape: {";_": "/", ";;": ";"}[escape.group()], found)
