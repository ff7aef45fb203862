"""Unsaved entries for tests."""

from datetime import UTC, datetime, timedelta

from opaque_keys.edx.keys import CourseKey, UsageKey

from history.models import StudentModuleHistory
from kvstore.versioning.digests import digest_of

COURSE = CourseKey.from_string("course-v1:Org+Course+Run")
BLOCK = UsageKey.from_string("block-v1:Org+Course+Run+type@problem+block@tides")
START = datetime(2026, 1, 31, 12, tzinfo=UTC)


def entry(version=1, state="{}", model=StudentModuleHistory, **columns):
    """Return an entry of row 7, an hour after the version before it, with its digest; it is not stored."""
    given = {
        "student_module_id": 7,
        "student_id": 5,
        "course_id": COURSE,
        "module_state_key": BLOCK,
        "module_type": "problem",
        "action": "created" if version == 1 else "changed",
        "created": START + timedelta(hours=version),
        "request_id": f"request-{version}",
    }
    return sealed(model(version=version, state=state, **given | columns))


def sealed(one, previous=None):
    """Return an entry with the digest of its values, as the version after the one with the digest ``previous``."""
    one.previous, one.digest = previous, b""
    one.digest = digest_of(one.as_version())
    return one


def store_chain(entries):
    """Store entries of one row, oldest first, each as the version after the one before it."""
    previous = None
    for one in entries:
        sealed(one, previous).save()
        previous = one.digest


def identity_of(row):
    """Return the columns that identify the learner and block of a StudentModule instance."""
    return {name: getattr(row, name) for name in ("student_id", "course_id", "module_state_key")}
