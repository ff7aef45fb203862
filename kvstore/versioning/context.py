"""The actor, the reason and the request of a change; every version that is written meanwhile gets them."""

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from contextvars import ContextVar
from dataclasses import dataclass, replace
from typing import Any, NamedTuple

from kvstore.exceptions import UnusableContext
from kvstore.versioning.transactions import transaction_id

MAX_REASON_LENGTH = 255
MAX_REQUEST_ID_LENGTH = 64

Actor = Any
"""A user, a user's id, None, or a function without arguments that returns one of them when an entry is written."""


class RestoredFrom(NamedTuple):
    """The version that a restored version takes its state from."""

    student_module_id: int
    version: int


@dataclass(frozen=True, slots=True)
class Change:
    """What is known of the change being made."""

    actor: Actor = None
    reason: str = ""
    request_id: str = ""
    source: RestoredFrom | None = None
    """what is being restored, if anything is; :func:`history.api.restore` sets it"""

    @property
    def actor_id(self) -> int | None:
        """The id of whoever makes the change, None where nobody said or the user is anonymous."""
        actor = self.actor() if isinstance(self.actor, Callable) else self.actor  # type: ignore[arg-type]
        learner_id: int | None = getattr(actor, "pk", actor)
        return learner_id

    def to_dict(self) -> dict[str, Any]:
        """Return what to send along with a task, as JSON; in the worker ``change_context(**message)`` takes it up."""
        return {"actor": self.actor_id, "reason": self.reason, "request_id": self.request_id}


# A context variable follows threads started with its context, tasks and async views; each change is immutable.
NO_CHANGE = Change()
_current: ContextVar[Change] = ContextVar("history_change", default=NO_CHANGE)


def current_change() -> Change:
    """Return what is known of the change being made here."""
    return _current.get()


class Origin(NamedTuple):
    """The values that all versions of one write share."""

    actor_id: int | None
    reason: str
    request_id: str
    source_id: int | None
    source_version: int | None
    transaction_id: int


def current_origin(using: str) -> Origin:
    """Return the origin of a write to ``using``; may look up the user. Call it inside the write's transaction."""
    change = _current.get()
    source_id, source_version = change.source or (None, None)
    number = transaction_id(using)
    return Origin(change.actor_id, change.reason, change.request_id, source_id, source_version, number)


@contextmanager
def change_context(
    *, actor: Actor = None, reason: str | None = None, request_id: str | None = None
) -> Iterator[Change]:
    """Put this actor, reason and request id on every version written inside.

    What is not given is taken from the context around this one. Raises UnusableContext for a reason of more than
    255 characters or a request id of more than 64.
    """
    given = {"actor": actor, "reason": reason, "request_id": request_id}
    change = _checked(replace(_current.get(), **{name: value for name, value in given.items() if value is not None}))
    token = _current.set(change)
    try:
        yield change
    finally:
        _current.reset(token)


@contextmanager
def restoring_from(source: RestoredFrom) -> Iterator[None]:
    """Name the version that what is written inside is restored from."""
    token = _current.set(replace(_current.get(), source=source))
    try:
        yield
    finally:
        _current.reset(token)


def _checked(change: Change) -> Change:
    _check_text("reason", change.reason, MAX_REASON_LENGTH)
    _check_text("request id", change.request_id, MAX_REQUEST_ID_LENGTH)
    actor = change.actor
    # A user, or a function that finds one, is asked when an entry is written.
    if isinstance(actor, (str, bytes, float)) or (isinstance(actor, int) and not abs(actor) < 2**63):
        raise UnusableContext(f"The actor {actor!r:.60} is no user and no id of one; pass request.user, or an id.")
    return change


def _check_text(name: str, text: object, longest: int) -> None:
    if not isinstance(text, str):
        raise UnusableContext(f"The {name} {text!r:.60} is a {type(text).__name__}; pass a string.")
    if len(text) > longest or "\0" in text:
        raise UnusableContext(
            f"The {name} {text[:40]!r} has {len(text)} characters or a NUL; at most {longest}, none NUL."
        )
    try:
        text.encode()
    except UnicodeEncodeError as error:
        raise UnusableContext(f"The {name} {text[:40]!r} has a lone surrogate; leave it out.") from error
