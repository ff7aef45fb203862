"""Opaque keys and the text they are stored as: the one place where a key is parsed, checked or written out."""

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
# Keys that this process parsed or was handed, by class and text. Keys never change and the same few thousand
# come back with every request, so rows are read without parsing what the caller already holds.
_seen: dict[type[OpaqueKey], dict[str, OpaqueKey]] = {}
# The addresses of usage keys, by the text of those, for the same reason.
_addresses: dict[str, BlockAddress] = {}


class BlockAddress(NamedTuple):
    """Where the state of one block (or aside) is kept, as stored."""

    course_id: str
    """The learning context that the block is used in."""
    usage_key: str
    block_type: str
    """For an aside, the aside's own type, not that of the block beside it."""


def block_address(usage_key: Any, course_key: LearningContextKey | None = None) -> BlockAddress:
    """Return the address of a block's state.

    ``course_key`` completes a usage key of the old ``i4x://`` form, which does not say its run.
    Raises UnusableKey for what is no usage key, has no run, or is too long.
    """
    if not isinstance(usage_key, UsageKey):
        raise UnusableKey(
            f"{usage_key!r:.100} is not a usage key; pass a UsageKey, for example from UsageKey.from_string()."
        )
    text = _serialized(usage_key)
    address = _addresses.get(text)
    if address is None:
        address = _new_address(usage_key, course_key)
        _remember(_addresses, usage_key, text, address)
    return address


def _new_address(usage_key: UsageKey, course_key: LearningContextKey | None) -> BlockAddress:
    context_key = _block_key(usage_key).context_key
    if _lacks_run(context_key):
        if course_key is None:
            raise UnusableKey(f"{usage_key!r:.100} does not say its run; pass usage_key.map_into_course(course_key).")
        context_key = course_key
    block_type = usage_key.aside_type if isinstance(usage_key, AsideUsageKey) else usage_key.block_type
    return BlockAddress(
        text_from_key(context_key, LearningContextKey),
        text_from_key(usage_key, UsageKey),
        checked_name(block_type, "block type", MAX_TYPE_LENGTH),
    )


def usage_key_in_course(text: str, course_text: str) -> Any:
    """Return the usage key stored as ``text``, with the run that a key of the old form does not say."""
    usage_key = key_from_text(text, UsageKey)
    if _is_old_form(usage_key) and _lacks_run(_block_key(usage_key).context_key):
        return usage_key.map_into_course(key_from_text(course_text, LearningContextKey))
    return usage_key


def key_from_text(text: str, key_class: type[OpaqueKey]) -> Any:
    """Return the key that ``text`` spells, the same object as before where it was seen before.

    Raises UnusableKey when ``text`` is not such a key.
    """
    seen = _seen.setdefault(key_class, {})
    key = seen.get(text)
    if key is None:
        try:
            key = key_class.from_string(text)
        except (InvalidKeyError, TypeError) as error:
            raise UnusableKey(f"{text!r:.100} is not a {key_class.__name__}; correct it.") from error
        checked_text(text, key_class.__name__)
        _remember(seen, key, text, key)
    return key


def text_from_key(key: Any, key_class: type[OpaqueKey]) -> str:
    """Return the text that ``key`` is stored as, without branch and version. Raises UnusableKey."""
    if not isinstance(key, key_class):
        raise UnusableKey(
            f"{key!r:.100} is a {type(key).__name__}, not a {key_class.__name__}; pass the right kind of key."
        )
    key = unversioned(key)
    text = _serialized(key)
    seen = _seen.setdefault(key_class, {})
    if text not in seen:
        checked_text(text, key_class.__name__)
        _remember(seen, key, text, key)
    return text


def unversioned(key: Any) -> Any:
    """Return a key without branch and version, under which state is kept; anything else as it is."""
    if isinstance(key, AsideUsageKey):
        plain = unversioned(key.usage_key)
        return key if plain is key.usage_key else type(key)(plain, key.aside_type)
    if isinstance(key, OpaqueKey) and hasattr(key, "for_branch") and _may_have_version(key):
        return key.for_branch(None).version_agnostic()
    return key


def _may_have_version(key: OpaqueKey) -> bool:
    # Looking at the text takes a tenth of the time that making another key does.
    text = _serialized(key)
    return "branch@" in text or "version@" in text or ("@" in text and _is_old_form(key))


def tells_its_course(usage_key: UsageKey) -> bool:
    """Return whether the stored text of a usage key says which course it is in; the old form leaves out the run."""
    return not _is_old_form(usage_key)


def checked_text(text: str, what: str, max_length: int = MAX_KEY_LENGTH) -> str:
    """Return ``text`` if a column can hold it and find it again. Raises UnusableKey naming ``what``."""
    if len(text) > max_length:
        raise UnusableKey(f"{what} {text[:60]!r}... has {len(text)} characters; at most {max_length} can be stored.")
    if not text or text != text.strip() or not text.isprintable():
        raise UnusableKey(f"{what} {text!r} is empty or has white space or control characters around it; remove them.")
    return text


def checked_name(name: Any, what: str, max_length: int = MAX_KEY_LENGTH) -> str:
    """Return a block type or field name if it is a string that a column can hold. Raises UnusableKey."""
    if not isinstance(name, str):
        raise UnusableKey(f"{what} {name!r:.100} is a {type(name).__name__}; pass a string.")
    return checked_text(str.__str__(name), what, max_length)


def _serialized(key: OpaqueKey) -> str:
    try:
        return str(key)
    except TypeError as error:
        raise UnusableKey(f"{key!r:.100} has no text form because a part of it is missing; complete it.") from error


def _remember(seen: dict[str, Any], key: OpaqueKey, text: str, value: Any) -> None:
    # The text of an old-form key leaves out the run, so it does not tell which key it was.
    if _is_old_form(key):
        return
    if len(seen) >= SEEN_LIMIT:
        seen.clear()
    seen[text] = value


def _block_key(usage_key: Any) -> Any:
    """Return the key of the block that an aside is beside, or the block's own."""
    return usage_key.usage_key if isinstance(usage_key, AsideUsageKey) else usage_key


def _is_old_form(key: Any) -> bool:
    return bool(getattr(_block_key(key), "deprecated", False))


def _lacks_run(context_key: Any) -> bool:
    return _is_old_form(context_key) and context_key.run is None
