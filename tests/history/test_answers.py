"""The learner's answer as text: only of the types that the setting names, limited, and without breaking a page."""

import json

from django.db import DatabaseError
from django.test import SimpleTestCase, override_settings

from history.answers import MAX_ANSWER, MAX_STATE, answer_text
from tests.history.hostile import BIDI, READABLE, UNREADABLE
from tests.kvstore.cache.blocks import usage

BLOCK = usage("tides")


def of_problem(usage_key, fields):
    return fields["answer"] and f"{usage_key.block_id}: {fields['answer']}"


def without_answer(usage_key, fields):
    return None


def of_another_type(usage_key, fields):
    return 7


def failing_query(usage_key, fields):
    raise DatabaseError("no table")


def named(function):
    return override_settings(HISTORY_ANSWER_FORMATTERS={"problem": f"{__name__}.{function.__name__}"})


class Answers(SimpleTestCase):
    def of(self, state, block_type="problem"):
        return answer_text(BLOCK, block_type, state)

    def test_the_function_of_the_type_gets_the_key_and_the_fields(self):
        with named(of_problem):
            self.assertEqual(self.of('{"answer":"in-line"}'), "tides: in-line")
            self.assertEqual(self.of('{"answer":"in-line"}', "video"), "")
        self.assertEqual(self.of('{"answer":"in-line"}', "video"), "")

    def test_states_without_an_answer(self):
        with named(without_answer):
            self.assertEqual(self.of('{"answer":"in-line"}'), "")
        with named(of_problem):
            self.assertEqual(self.of('{"answer":null}'), "")
            self.assertEqual(self.of(None), "")
            for state in UNREADABLE.values():
                self.assertEqual(self.of(state), "")

    def test_an_error_of_the_function_is_logged_and_gives_no_answer(self):
        with named(of_problem), self.assertLogs("history.answers", "ERROR") as logged:
            self.assertEqual(self.of("{}"), "")
        self.assertIn("KeyError", logged.output[0])
        with named(of_another_type), self.assertLogs("history.answers", "ERROR") as logged:
            self.assertEqual(self.of("{}"), "")
        self.assertIn("returned a int, not a string", logged.output[0])
        absent = override_settings(HISTORY_ANSWER_FORMATTERS={"problem": "school.absent"})
        with absent, self.assertLogs("history.answers", "ERROR"):
            self.assertEqual(self.of("{}"), "")

    def test_an_error_of_the_database_is_raised(self):
        with named(failing_query), self.assertRaises(DatabaseError):
            self.of("{}")

    def test_hostile_states_give_printable_lines(self):
        with named(of_problem):
            for state in READABLE.values():
                with self.subTest(state and state[:40]):
                    answer = self.of(state)
                    self.assertTrue(all(line.isprintable() for line in answer.split("\n")))
            self.assertNotIn(BIDI[4], self.of(json.dumps({"answer": BIDI}, ensure_ascii=False)))

    def test_lines_are_kept_and_long_answers_are_cut(self):
        with named(of_problem):
            self.assertEqual(self.of('{"answer":"one\\ntwo"}'), "tides: one\ntwo")
            answer = self.of(json.dumps({"answer": "x" * 5_000}))
            self.assertTrue(answer.endswith("… (5007 characters)"))
            self.assertLess(len(answer), MAX_ANSWER + 30)
            self.assertEqual(self.of(json.dumps({"answer": "x" * MAX_STATE})), "")
