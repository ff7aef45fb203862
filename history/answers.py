"""The learner's answer as text, from the function that HISTORY_ANSWER_FORMATTERS names for the type of the block.

Such a function takes the usage key and the fields of the state, and returns the answer in the words of the block, or
None if the state contains no answer:

    def answer_text(usage_key: UsageKey, fields: dict[str, Any]) -> str | None: ...
"""

import logging
from typing import Any

from django.db import DatabaseError
from django.utils.module_loading import import_string
from django.utils.translation import gettext as _
from opaque_keys.edx.keys import UsageKey

from history.conf import conf
from kvstore.staff.text import escape_unprintable
from kvstore.versioning import codec

logger = logging.getLogger(__name__)

MAX_STATE = 200_000
"""characters; a page shows many versions, and a longer state is not parsed for it"""
MAX_ANSWER = 2_000
"""characters"""


def answer_text(usage_key: UsageKey, block_type: str, state: str | None) -> str:
    """Return the answer that a stored state contains, with unprintable characters escaped; not safe for HTML.

    Empty if no function is set for the type, if the state contains no answer, is not a JSON object or is longer than
    MAX_STATE, and if the function fails; the failure is logged. An answer longer than MAX_ANSWER is cut and ends with
    its length. Raises DatabaseError if the function does.
    """
    path = conf.HISTORY_ANSWER_FORMATTERS.get(block_type)
    if path is None or state is None or len(state) > MAX_STATE:
        return ""
    try:
        fields = codec.loads_state(state)
    except ValueError:
        return ""
    return _displayed(_formatted(path, usage_key, fields))


def _formatted(path: str, usage_key: UsageKey, fields: dict[str, Any]) -> str:
    try:
        answer = import_string(path)(usage_key, fields)
    except DatabaseError:
        # In a transaction, the next query of the page would fail too, with an error that does not name the cause.
        raise
    except Exception:
        # A page about a learner's work must not depend on the code of a block.
        logger.exception("%s failed to format the answer of %s.", path, escape_unprintable(str(usage_key)))
        return ""
    if answer is None or isinstance(answer, str):
        return answer or ""
    logger.error("%s returned a %s, not a string.", path, type(answer).__name__)
    return ""


def _displayed(answer: str) -> str:
    text = "\n".join(escape_unprintable(line) for line in answer[:MAX_ANSWER].split("\n"))
    if len(answer) <= MAX_ANSWER:
        return text
    return _("{begin}… ({count} characters)").format(begin=text, count=len(answer))
