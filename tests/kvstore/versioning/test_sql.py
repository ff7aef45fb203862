"""Large statements store the same values as small ones. Everything rolls back on both aliases."""

from datetime import UTC, datetime, timedelta

from django.test import TestCase

from history.models import PendingHistory
from kvstore.signals import StateVersion
from kvstore.versioning import sql

MOMENT = datetime(2026, 1, 31, 12, 0, 0, 17, tzinfo=UTC)
TEXTS = (None, "", "NULL", "7", "%s", "%%", "?", "'); DROP TABLE x; --", '{"a":"\\u0000\\"ü"}', "\\x41")
INTEGERS = (None, 0, -1, 2**63 - 1, -(2**63))
GRADES = (None, 0.0, -1.5, 1e300)


def version(number):
    return StateVersion(
        student_module_id=INTEGERS[number % 4 + 1],
        version=number + 1,
        action="changed",
        student_id=number,
        course_id="course-v1:Org+Course+Run",
        module_state_key="block-v1:Org+Course+Run+type@problem+block@b",
        module_type="problem",
        state=TEXTS[number % len(TEXTS)],
        grade=GRADES[number % len(GRADES)],
        max_grade=None,
        created=MOMENT + timedelta(microseconds=number),
        actor_id=INTEGERS[number % len(INTEGERS)],
        reason=TEXTS[number % len(TEXTS)] or "",
        request_id="",
        source_id=None,
        source_version=INTEGERS[-1 - number % len(INTEGERS)],
        transaction_id=2**63 - 1 - number,
        previous=bytes([1, *[number] * 32]) if number else None,
        digest=bytes([1, *[255 - number] * 32]),
    )


class Statements(TestCase):
    databases = {"default", "student_module_history"}

    def test_every_value_is_stored_as_it_is(self):
        for count in (1, 2, 100):
            PendingHistory.objects.all().delete()
            rows = [version(number) for number in range(count)]
            sql.insert(PendingHistory, StateVersion._fields, rows, "default")
            stored = PendingHistory.objects.order_by("version")
            found = [
                StateVersion(*values)._replace(course_id=str(values[4]), module_state_key=str(values[5]))
                for values in stored.values_list(*StateVersion._fields)
            ]
            with self.subTest(rows=count):
                self.assertEqual(found, rows)

    def test_only_the_missing_ones_of_many_are_inserted(self):
        rows = [version(number) for number in range(100)]
        unique = ("student_module_id", "version", "digest")
        for some in (rows[10:20], rows, rows):
            sql.insert_missing(PendingHistory, StateVersion._fields, some, "default", unique_columns=unique)
        self.assertEqual(PendingHistory.objects.count(), 100)
