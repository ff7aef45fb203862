"""Record sets store the same values as VALUES, on PostgreSQL. Everything rolls back on both aliases."""

import math
from datetime import UTC, datetime, timedelta
from unittest import mock, skipUnless

from django.db import DataError, connection, connections, transaction
from django.test import TestCase
from opaque_keys import InvalidKeyError

from history.models import PendingHistory, StudentModuleHistory
from history.recording.write_ahead import write_entries
from kvstore.api import DjangoXBlockUserStateClient, UnstorableValue, UnusableKey
from kvstore.models import StudentModule
from kvstore.signals import StateVersion
from kvstore.testing import UserFactory, assert_queries
from kvstore.versioning import record_sets, sql
from tests.kvstore.cache.blocks import usage

HISTORY = "student_module_history"
MOMENT = datetime(2026, 1, 31, 12, tzinfo=UTC)
GRADES = (0.0, -0.0, 5e-324, 1.7976931348623157e308, 0.1 + 0.2, None)
STATES = ('{"a":"\\u0000"}', '{"a":"\\ud800"}', '{"a":"\\\\"}', "\U0001f30a", "a\nb\tc", "%s", "", None)


def version(number, **values):
    identity = (number, 1, "changed", 1, "course-v1:O+C+R", "block-v1:O+C+R+type@problem+block@b", "problem")
    origin = (None, "", "", None, None, 7, None, bytes([1, *[number] * 32]))
    state, grade = STATES[number % len(STATES)], GRADES[number % len(GRADES)]
    made = StateVersion(*identity, state, grade, None, MOMENT + timedelta(microseconds=number), *origin)
    return made._replace(**values)


@skipUnless(connection.vendor == "postgresql", "only PostgreSQL has record sets")
class RecordSets(TestCase):
    databases = {"default", HISTORY}

    def insert(self, rows):
        unique = ("student_module_id", "version", "digest")
        sql.insert_missing(PendingHistory, StateVersion._fields, rows, "default", unique_columns=unique)

    def stored(self):
        return [entry.as_version() for entry in PendingHistory.objects.order_by("student_module_id")]

    def test_inserted_values_are_those_of_the_rows(self):
        rows = [version(number) for number in range(24)]
        with assert_queries(default=1):
            self.insert(rows)
        self.assertEqual(self.stored(), rows)
        signs = [math.copysign(1, entry.grade) for entry in self.stored() if entry.grade == 0.0]
        self.assertEqual(signs, [1.0, -1.0] * 4)

    def test_a_text_that_is_too_long_is_refused_and_not_truncated(self):
        rows = [version(number, reason=f"{number}" * 300) for number in range(1, 7)]
        with self.assertRaises(DataError), transaction.atomic():
            self.insert(rows)
        self.assertEqual(self.stored(), [])

    def test_updated_values_are_those_of_the_rows(self):
        user = UserFactory()
        keys = [usage(f"b{number}") for number in range(6)]
        client = DjangoXBlockUserStateClient(user)
        client.set_many(user.username, {key: {"a": 0} for key in keys})
        states = [
            {"a": "\0\ud800\U0001f30a\\%s'\""},
            {"a": -0.0},
            {"a": 10**400},
            {"a": 1e300},
            {"c": None},
            {"b": []},
        ]
        client.set_many(user.username, dict(zip(keys, states, strict=True)))
        found = {state.block_key: state.state for state in client.get_many(user.username, keys)}
        self.assertEqual(found, {key: {"a": 0} | state for key, state in zip(keys, states, strict=True)})
        self.assertEqual(set(StudentModule.objects.values_list("version", flat=True)), {2})

    def test_the_order_of_generated_ids_is_that_of_the_rows(self):
        user = UserFactory()
        keys = [usage(f"b{number:02}") for number in range(20)]
        DjangoXBlockUserStateClient(user).set_many(user.username, {key: {"a": str(key)} for key in keys})
        for row in StudentModule.objects.all():
            entry = StudentModuleHistory.objects.get(student_module_id=row.pk)
            self.assertEqual((entry.module_state_key, entry.digest), (row.module_state_key, bytes(row.digest)))

    def test_values_with_a_newline_are_compared_one_by_one(self):
        condition, parameters = sql.one_of("state", ["a\nb", *"cdefg"], "default")
        self.assertIn(" IN (", condition)
        self.assertEqual(len(parameters), 6)
        condition, parameters = sql.one_of("state", "abcdef", "default")
        self.assertEqual(list(parameters), ["a\nb\nc\nd\ne\nf"])
        self.assertIn("= ANY", condition)

    def test_a_distributed_table_gets_values(self):
        """Citus keeps its distributed tables in this table."""
        table = StudentModuleHistory._meta.db_table
        with connections[HISTORY].cursor() as cursor:
            cursor.execute("CREATE TEMPORARY TABLE pg_dist_partition (logicalrelid regclass)")
            cursor.execute("INSERT INTO pg_dist_partition VALUES (%s)", [table])
        record_sets.suits_record_sets.cache_clear()
        self.addCleanup(record_sets.suits_record_sets.cache_clear)
        self.assertFalse(record_sets.suits_record_sets(HISTORY, table))
        self.assertTrue(record_sets.suits_record_sets("default", StudentModule._meta.db_table))
        with mock.patch.object(sql, "record_set", side_effect=AssertionError):
            write_entries([version(number) for number in range(9)])
        self.assertEqual(StudentModuleHistory.objects.count(), 9)


class RefusedValues(TestCase):
    """A batch that is large enough for record sets refuses the values that a single write refuses."""

    databases = {"default", HISTORY}

    def test_one_refused_value_stores_nothing_and_the_error_names_the_field(self):
        user = UserFactory()
        keys = [usage(f"b{number}") for number in range(9)]
        client = DjangoXBlockUserStateClient(user)
        client.set_many(user.username, {key: {"a": 0} for key in keys})
        refused = (
            ({"a": float("1e400")}, UnstorableValue, f"field 'a' of {keys[4]} is inf"),
            ({"a": {"b": [10**5000]}}, UnstorableValue, f"field 'a' of {keys[4]} is an integer of more than 4300"),
            ({"a\n": 1}, UnusableKey, "field name"),
            ({"a\0": 1}, UnusableKey, "field name"),
        )
        for fields, error, text in refused:
            with self.subTest(fields=list(fields)), self.assertRaisesMessage(error, text):
                client.set_many(user.username, {key: fields if key is keys[4] else {"a": 1} for key in keys})
        self.assertEqual(set(StudentModule.objects.values_list("state", "version")), {('{"a":0}', 1)})

    def test_a_read_of_many_keys_finds_no_state_of_a_key_with_a_newline(self):
        user = UserFactory()
        keys = [usage(f"b{number}") for number in range(9)]
        client = DjangoXBlockUserStateClient(user)
        client.set_many(user.username, {key: {"a": str(key)} for key in keys})
        with self.assertRaises(InvalidKeyError):
            usage("b0\nb1")
        found = {state.block_key: state.state for state in client.get_many(user.username, keys)}
        self.assertEqual(found, {key: {"a": str(key)} for key in keys})
