"""Exported entries equal the stored ones, and cannot act as formulas or markup where they are opened."""

import csv
import hashlib
import io
import json
from datetime import UTC, datetime
from unittest import mock

from django.test import SimpleTestCase, TestCase

from history import export
from history.export import BYTE_ORDER_MARK, COLUMNS, CSV_COLUMNS, csv_lines, json_lines, record, sha256_of, size_of
from history.models import PendingHistory
from kvstore.testing import UserFactory, assert_queries
from tests.history.entries import entry
from tests.history.hostile import STATES, UNSTORABLE

EVERY_STATE = STATES | UNSTORABLE


def cells(*entries):
    """Return the records of a CSV export as a spreadsheet reads them."""
    csv.field_size_limit(10_000_000)
    text = "".join(csv_lines(entries)).encode().decode("utf-8-sig")
    return [*csv.DictReader(io.StringIO(text, newline=""))]


class Records(SimpleTestCase):
    def test_every_column_of_an_entry(self):
        one = entry(
            *(3, '{"a":"é"}'),
            **{"action": "restored", "grade": 1.5, "max_grade": 2.0, "actor_id": 9, "reason": "regraded"},
            **{"source_id": 7, "source_version": 1, "created": datetime(2026, 1, 31, 12, tzinfo=UTC)},
        )
        self.assertEqual(
            record(one),
            {
                "student_module_id": 7,
                "version": 3,
                "action": "restored",
                "created": "2026-01-31T12:00:00.000000+00:00",
                "learner_id": 5,
                "course": "course-v1:Org+Course+Run",
                "block": "block-v1:Org+Course+Run+type@problem+block@tides",
                "block_type": "problem",
                "grade": 1.5,
                "max_grade": 2.0,
                "actor_id": 9,
                "reason": "regraded",
                "request_id": "request-3",
                "source_id": 7,
                "source_version": 1,
                "transaction_id": 0,
                "previous": None,
                "digest": one.digest.hex(),
                "branch": False,
                "pending": False,
                "state_size": 10,
                "state_sha256": hashlib.sha256('{"a":"é"}'.encode()).hexdigest(),
                "state": '{"a":"é"}',
            },
        )
        self.assertEqual(tuple(record(one)), COLUMNS)
        self.assertTrue(record(entry(model=PendingHistory))["pending"])

    def test_no_column_of_an_entry_is_left_out(self):
        renamed = {"student_id": "learner_id", "course_id": "course", "module_state_key": "block"}
        renamed |= {"module_type": "block_type", "id": "version"}
        self.assertEqual({renamed.get(field.name, field.name) for field in entry()._meta.fields} - set(COLUMNS), set())

    def test_hash_and_size(self):
        self.assertEqual((size_of(None), size_of(""), size_of("é"), size_of("\ud800")), (0, 0, 2, 3))
        self.assertEqual(sha256_of(None), hashlib.sha256(b"").hexdigest())
        self.assertEqual(sha256_of("\ud800"), hashlib.sha256(b"\xed\xa0\x80").hexdigest())


class JsonLines(SimpleTestCase):
    def test_the_state_arrives_as_it_is_stored(self):
        lines = list(json_lines(entry(state=state) for state in EVERY_STATE.values()))
        self.assertEqual(len(lines), len(EVERY_STATE))
        for (name, state), line in zip(EVERY_STATE.items(), lines, strict=True):
            with self.subTest(name):
                self.assertTrue(line.isascii() and line.endswith("\n") and line.count("\n") == 1)
                found = json.loads(line)
                self.assertEqual(found["state"], state)
                arrived = (found["state"] or "").encode("utf-8", "surrogatepass")
                self.assertEqual(found["state_sha256"], hashlib.sha256(arrived).hexdigest())
                self.assertEqual(found["state_size"], len(arrived))

    def test_hostile_columns(self):
        (line,) = json_lines([entry(reason='\u2028\x1b\n"', module_type="<b>", grade=float("nan"))])
        found = json.loads(line, parse_constant=self.fail)
        self.assertEqual((found["reason"], found["grade"]), ('\u2028\x1b\n"', "nan"))

    def test_entries_are_taken_one_by_one(self):
        taken = []
        entries = (taken.append(version) or entry(version) for version in range(1, 4))
        next(json_lines(entries))
        self.assertEqual(taken, [1])


class Csv(TestCase):
    databases = {"default", "student_module_history"}

    def test_a_header_and_the_values(self):
        lines = list(csv_lines([entry(grade=-1.5, reason='said "no", twice')]))
        self.assertEqual(lines[0], BYTE_ORDER_MARK + ",".join(CSV_COLUMNS) + "\r\n")
        self.assertEqual("".join(lines).count(BYTE_ORDER_MARK), 1)
        self.assertTrue(all(line.endswith("\r\n") for line in lines))
        (found,) = cells(entry(grade=-1.5, reason='said "no", twice'))
        self.assertEqual((found["grade"], found["max_grade"], found["actor_id"]), ("-1.5", "", ""))
        self.assertEqual((found["reason"], found["pending"]), ('said "no", twice', "false"))

    def test_the_names_of_the_learner_and_the_actor(self):
        learner, actor = UserFactory(username="zoë.ångström"), UserFactory(username="=1+1")
        known = entry(student_id=learner.pk, actor_id=actor.pk)
        first, second = cells(known, entry(student_id=10**9))
        self.assertEqual([first["learner"], first["actor"]], ["zoë.ångström", "'=1+1"])
        self.assertEqual([second["learner"], second["actor"]], ["user 1000000000, deleted", ""])
        self.assertEqual(second["learner_id"], "1000000000")

    def test_names_are_read_with_one_query_for_a_limited_number_of_entries(self):
        taken = []
        entries = (taken.append(version) or entry(version) for version in range(1, 7))
        with mock.patch.object(export.with_names, "__defaults__", (2,)), assert_queries(default=3):
            lines = csv_lines(entries)
            next(lines)
            next(lines)
            self.assertEqual(taken, [1, 2])
            self.assertEqual(len(list(lines)), 5)

    def test_hostile_states_are_one_cell_that_can_be_encoded(self):
        for name, state in EVERY_STATE.items():
            with self.subTest(name):
                (found,) = cells(entry(state=state))
                self.assertEqual(found["state_sha256"], sha256_of(state))
                self.assertNotIn("\0", found["state"])
                if name in STATES and state and not found["state"].startswith("'"):
                    self.assertEqual(found["state"], state)

    def test_nothing_is_a_formula(self):
        for start in (
            "=",
            "+",
            "-",
            "@",
            "\t",
            "\r",
            "\n",
            " =",
            "\u3000@",
            "\ufeff=",
            "\u200b+",
            "\uff1d",
            "\uff0b",
            "\uff0d",
            "\uff20",
            "\0=",
            "\r\n-",
        ):
            with self.subTest(start):
                (found,) = cells(entry(reason=f"{start}1+1", state=f"{start}cmd|' /C calc'!A0"))
                self.assertTrue(found["reason"].startswith("'"))
                self.assertTrue(found["state"].startswith("'"))
        (found,) = cells(entry(reason="a=1", state='{"a":"=1"}', request_id="1-2"))
        self.assertEqual((found["reason"], found["state"], found["request_id"]), ("a=1", '{"a":"=1"}', "1-2"))
