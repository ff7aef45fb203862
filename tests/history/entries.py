"""Entries for tests of what is made of them; they are not written anywhere."""

from datetime import UTC, datetime, timedelta

from opaque_keys.edx.keys import CourseKey, UsageKey

from history.models import StudentModuleHistory

COURSE = CourseKey.from_string("course-v1:Org+Course+Run")
BLOCK = UsageKey.from_string("block-v1:Org+Course+Run+type@problem+block@tides")
START = datetime(2026, 1, 31, 12, tzinfo=UTC)


def entry(version=1, state="{}", model=StudentModuleHistory, **columns):
    """Return an entry of row 7, an hour after the version before it."""
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
    return model(version=version, state=state, **given | columns)
