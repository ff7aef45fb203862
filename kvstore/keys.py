"""Converts opaque keys to their stored text and back, and checks them."""

from __future__ import annotations

from typing import Any, NamedTuple

from opaque_keys import InvalidKeyError, OpaqueKey
from opaque_keys.edx.asides import AsideUsageKey
from opaque_keys.edx.keys import LearningContextKey, UsageKey

from kvstore.exceptions import UnusableKey

MAX_KEY_LENGTH = 255
MAX_TYPE_LENGTH = 128
MAX_FAMILY_LENGTH = 64

BLOCK_FAMILY = "xblock.v1"
ASIDE_FAMILY = "xblock_asides.v1"

SEEN_LIMIT = 20_000
# Keys by class and text. Keys are immutable and requests use the same few thousand, so each is parsed once.
_seen: dict[type[OpaqueKey], dict[str, OpaqueKey]] = {}
# Addresses by the text of their usage key, for the same reason.
_addresses: dict[str, BlockAddress] = {}
# Addresses by the id of their usage key, because a key is formatted at each str(). The value contains the key, so that
# no other key gets its id.
_addresses_by_id: dict[int, tuple[UsageKey, BlockAddress]] = {}


class BlockAddress(NamedTuple):
    """The stored columns that identify one block or aside."""

    course_id: str
    """key of a course or another learning context"""
    usage_key: str
    block_type: str
    """for an aside, the type of the aside, not of its block"""


def block_address(usage_key: Any, course_key: LearningContextKey | None = None) -> BlockAddress:
    """Return the address of a block's state.

    ``course_key`` completes a usage key of the deprecated ``i4x://`` form, which lacks the run.
    Raises UnusableKey if ``usage_key`` is not a usage key, lacks the run, or is too long.
    """
    seen = _addresses_by_id.get(id(usage_key))
    if seen is not None and seen[0] is usage_key:
        return seen[1]
    if not isinstance(usage_key, UsageKey):
        raise UnusableKey(
            f"{usage_key!r:.100} is not a usage key; pass a UsageKey, for example from UsageKey.from_string()."
        )
    text = _serialized(usage_key)
    address = _addresses.get(text)
    if address is None:
        address = _new_address(usage_key, course_key)
        _store_seen(_addresses, usage_key, text, address)
    _store_seen(_addresses_by_id, usage_key, id(usage_key), (usage_key, address))
    return address


def _new_address(usage_key: UsageKey, course_key: LearningContextKey | None) -> BlockAddress:
    context_key = _block_key(usage_key).context_key
    if _lacks_run(context_key):
        if course_key is None:
            raise UnusableKey(
                f"{usage_key!r:.100} lacks the run of its course; pass usage_key.map_into_course(course_key)."
            )
        context_key = course_key
    block_type = usage_key.aside_type if isinstance(usage_key, AsideUsageKey) else usage_key.block_type
    return BlockAddress(
        text_from_key(context_key, LearningContextKey),
        text_from_key(usage_key, UsageKey),
        checked_name(block_type, "block type", MAX_TYPE_LENGTH),
    )


def usage_key_in_course(text: str, course_text: str) -> Any:
    """Return the usage key stored as ``text``, completed with the run of its course."""
    usage_key = key_from_text(text, UsageKey)
    if _is_deprecated(usage_key) and _lacks_run(_block_key(usage_key).context_key):
        return usage_key.map_into_course(key_from_text(course_text, LearningContextKey))
    return usage_key


def key_from_text(text: str, key_class: type[OpaqueKey]) -> Any:
    """Return the key for ``text``, from a process-wide cache if possible. Raises UnusableKey."""
    seen = _seen.setdefault(key_class, {})
    key = seen.get(text)
    if key is None:
        try:
            key = key_class.from_string(text)
        except (InvalidKeyError, TypeError) as error:
            raise UnusableKey(f"{text!r:.100} is not a {key_class.__name__}; correct it.") from error
        checked_text(text, key_class.__name__)
        _store_seen(seen, key, text, key)
    return key


def text_from_key(key: Any, key_class: type[OpaqueKey]) -> str:
    """Return the stored text of ``key``, without branch and version. Raises UnusableKey."""
    if not isinstance(key, key_class):
        raise UnusableKey(
            f"{key!r:.100} is a {type(key).__name__}, not a {key_class.__name__}; pass the right kind of key."
        )
    key = unversioned(key)
    text = _serialized(key)
    seen = _seen.setdefault(key_class, {})
    if text not in seen:
        checked_text(text, key_class.__name__)
        _store_seen(seen, key, text, key)
    return text


def unversioned(key: Any) -> Any:
    """Return a key without branch and version, and any other value unchanged."""
    if isinstance(key, AsideUsageKey):
        plain = unversioned(key.usage_key)
        return key if plain is key.usage_key else type(key)(plain, key.aside_type)
    if isinstance(key, OpaqueKey) and hasattr(key, "for_branch") and _may_have_version(key):
        return key.for_branch(None).version_agnostic()
    return key


def _may_have_version(key: OpaqueKey) -> bool:
    # To search the text takes a tenth of the time that making another key takes.
    text = _serialized(key)
    return "branch@" in text or "version@" in text or ("@" in text and _is_deprecated(key))


def contains_course_key(usage_key: UsageKey) -> bool:
    """Return whether the text of a usage key contains the complete course key; the ``i4x://`` form lacks the run."""
    return not _is_deprecated(usage_key)


def checked_text(text: str, what: str, max_length: int = MAX_KEY_LENGTH) -> str:
    """Return ``text`` if a column can store it. Raises UnusableKey, which names ``what``."""
    if len(text) > max_length:
        raise UnusableKey(f"{what} {text[:60]!r}... has {len(text)} characters; shorten it to {max_length}.")
    if not text or text != text.strip() or not text.isprintable():
        raise UnusableKey(f"{what} {text!r} is empty or has outer white space or control characters; correct it.")
    return text


def checked_name(name: Any, what: str, max_length: int = MAX_KEY_LENGTH) -> str:
    """Return ``name`` if it is a string that a column can store. Raises UnusableKey, which names ``what``."""
    if not isinstance(name, str):
        raise UnusableKey(f"{what} {name!r:.100} is a {type(name).__name__}; pass a string.")
    return checked_text(str.__str__(name), what, max_length)


def _serialized(key: OpaqueKey) -> str:
    try:
        return str(key)
    except TypeError as error:
        raise UnusableKey(f"{key!r:.100} lacks a part; complete it.") from error


def _store_seen(seen: dict[Any, Any], key: OpaqueKey, index: str | int, value: Any) -> None:
    # The text of a deprecated key lacks the run, so different keys have the same text.
    if _is_deprecated(key):
        return
    if len(seen) >= SEEN_LIMIT:
        seen.clear()
    seen[index] = value


def _block_key(usage_key: Any) -> Any:
    """Return the key of an aside's block; the key itself for a block."""
    return usage_key.usage_key if isinstance(usage_key, AsideUsageKey) else usage_key


def _is_deprecated(key: Any) -> bool:
    return bool(getattr(_block_key(key), "deprecated", False))


def _lacks_run(context_key: Any) -> bool:
    return _is_deprecated(context_key) and context_key.run is None
