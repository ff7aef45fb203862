"""The actor, reason and request id that every version written inside ``change_context()`` gets."""

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
"""a user, a user id, None, or a function without arguments that returns one of them at each write"""


class RestoredFrom(NamedTuple):
    """The version from which a state is restored."""

    student_module_id: int
    version: int


@dataclass(frozen=True, slots=True)
class Change:
    """The actor, reason and request id of a change."""

    actor: Actor = None
    reason: str = ""
    request_id: str = ""
    source: RestoredFrom | None = None
    """set by :func:`history.api.restore`"""

    @property
    def actor_id(self) -> int | None:
        """The user id of the actor; None if unknown or anonymous."""
        # The type checker does not accept Callable in isinstance().
        actor = self.actor() if isinstance(self.actor, Callable) else self.actor  # type: ignore[arg-type]
        learner_id: int | None = getattr(actor, "pk", actor)
        return learner_id

    def to_dict(self) -> dict[str, Any]:
        """Return arguments of ``change_context()`` that can be sent to a worker as JSON."""
        return {"actor": self.actor_id, "reason": self.reason, "request_id": self.request_id}


# A context variable is also visible in async views and tasks.
_current: ContextVar[Change] = ContextVar("history_change", default=Change())  # noqa: B039  it is frozen


def current_change() -> Change:
    """Return the change of the innermost ``change_context()``."""
    return _current.get()


class Origin(NamedTuple):
    """The columns that all versions of one write share."""

    actor_id: int | None
    reason: str
    request_id: str
    source_id: int | None
    source_version: int | None
    transaction_id: int


def current_origin(using: str) -> Origin:
    """Return the origin of a write. Call it inside the transaction; it may query the user."""
    change = _current.get()
    source_id, source_version = change.source or (None, None)
    number = transaction_id(using)
    return Origin(change.actor_id, change.reason, change.request_id, source_id, source_version, number)


@contextmanager
def change_context(
    *, actor: Actor = None, reason: str | None = None, request_id: str | None = None
) -> Iterator[Change]:
    """Set the actor, reason and request id of every version written inside; missing ones are inherited.

    Raises UnusableContext for a reason of more than 255 characters or a request id of more than 64.
    """
    given = {"actor": actor, "reason": reason, "request_id": request_id}
    change = _checked(replace(_current.get(), **{name: value for name, value in given.items() if value is not None}))
    token = _current.set(change)
    try:
        yield change
    finally:
        _current.reset(token)


@contextmanager
def restoring_from(source: RestoredFrom | None) -> Iterator[None]:
    """Set the source of every version written inside; None for no source."""
    token = _current.set(replace(_current.get(), source=source))
    try:
        yield
    finally:
        _current.reset(token)


def _checked(change: Change) -> Change:
    _check_text("reason", change.reason, MAX_REASON_LENGTH)
    _check_text("request id", change.request_id, MAX_REQUEST_ID_LENGTH)
    actor = change.actor
    # Users and functions are resolved at each write.
    if isinstance(actor, (str, bytes, float)) or (isinstance(actor, int) and not abs(actor) < 2**63):
        raise UnusableContext(f"The actor {actor!r:.60} is neither a user nor a user id; pass request.user or an id.")
    return change


def _check_text(name: str, text: object, longest: int) -> None:
    if not isinstance(text, str):
        raise UnusableContext(f"The {name} {text!r:.60} is a {type(text).__name__}; pass a string.")
    if len(text) > longest or "\0" in text:
        raise UnusableContext(
            f"The {name} {text[:40]!r} has {len(text)} characters or a NUL; pass at most {longest}, without NUL."
        )
    try:
        text.encode()
    except UnicodeEncodeError as error:
        raise UnusableContext(f"The {name} {text[:40]!r} contains a lone surrogate; remove it.") from error
