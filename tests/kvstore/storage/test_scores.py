"""Scores are stored without changing the state, read one by one and by course, and must be numbers."""

import math

from django.contrib.auth import get_user_model
from django.db import IntegrityError, transaction
from django.test import TestCase, TransactionTestCase
from opaque_keys.edx.keys import CourseKey, UsageKey
from xblock.fields import Scope

from kvstore.api import (
    DjangoXBlockUserStateClient,
    FieldDataCache,
    SaveFailed,
    ScoresClient,
    UnknownLearner,
    UnstorableScore,
    UnusableKey,
    get_score,
    set_score,
)
from kvstore.models import StudentModule
from kvstore.testing import StudentModuleFactory, UserFactory, assert_queries
from tests.kvstore.cache.blocks import COURSE, NAMED_SCOPES, block, key_for, usage

NO_NUMBERS = (math.nan, math.inf, -math.inf, "1", True, 1j, b"1", [1], 10**400)


class Scores(TestCase):
    """Everything rolls back on both aliases."""

    databases = {"default", "student_module_history"}

    @classmethod
    def setUpTestData(cls):
        cls.user = UserFactory()
        cls.client_of_state = DjangoXBlockUserStateClient(cls.user)

    def score(self, key):
        found = get_score(self.user.pk, key)
        return None if found is None else (found.correct, found.total)

    def test_a_score_is_stored_with_and_without_a_state(self):
        self.client_of_state.set(self.user.username, usage("worked"), {"answer": "b"})
        for name in ("worked", "untouched"):
            with self.subTest(name=name):
                set_score(self.user.pk, usage(name), 1, 2.5)
                self.assertEqual(self.score(usage(name)), (1.0, 2.5))
        self.assertEqual(self.client_of_state.get(self.user.username, usage("worked")).state, {"answer": "b"})
        self.assertIsNone(StudentModule.objects.get(module_state_key=usage("untouched")).state)

    def test_a_score_and_a_state_never_overwrite_each_other(self):
        set_score(self.user.pk, usage("block"), 1, 2)
        self.client_of_state.set(self.user.username, usage("block"), {"answer": "b"})
        self.client_of_state.delete(self.user.username, usage("block"))
        self.assertEqual(self.score(usage("block")), (1, 2))
        set_score(self.user.pk, usage("block"), None, None)
        self.assertEqual(self.score(usage("block")), (None, None))

    def test_only_a_score_that_changes_is_a_version(self):
        for score, version in ((1, 1), (1, 1), (1.0, 1), (2, 2), (None, 3)):
            set_score(self.user.pk, usage("block"), score, 2)
            with self.subTest(score=score, version=version):
                self.assertEqual(StudentModule.objects.get().version, version)

    def test_the_times_equal_the_times_of_the_row(self):
        set_score(self.user.pk, usage("block"), 1, 2)
        set_score(self.user.pk, usage("block"), 2, 2)
        row, score = StudentModule.objects.get(), get_score(self.user.pk, usage("block"))
        self.assertEqual((score.created, score.modified), (row.created, row.modified))
        self.assertLess(score.created, score.modified)

    def test_a_score_that_is_not_a_finite_number_is_refused(self):
        for bad in NO_NUMBERS:
            for pair in ((bad, 1), (1, bad)):
                with self.subTest(pair=str(pair)[:40]), assert_queries(), self.assertRaises(UnstorableScore):
                    set_score(self.user.pk, usage("block"), *pair)

    def test_a_value_that_is_not_a_usage_key_is_refused(self):
        for key in (COURSE, str(usage("block")), UsageKey.from_string("i4x://Org/C/problem/b")):
            with self.subTest(key=key), assert_queries(), self.assertRaises(UnusableKey):
                set_score(self.user.pk, key, 1, 1)

    def test_a_block_without_a_row_has_no_score(self):
        self.assertIsNone(get_score(self.user.pk, usage("block")))
        set_score(UserFactory().pk, usage("block"), 1, 1)
        self.assertIsNone(get_score(self.user.pk, usage("block")))

    def test_scores_of_many_blocks_are_fetched_in_chunks_and_kept(self):
        keys = [usage(f"block{number}") for number in range(25)]
        for number, key in enumerate(keys):
            StudentModuleFactory(student=self.user, module_state_key=key, grade=number, max_grade=30)
        with self.settings(KVSTORE_CHUNK_SIZE=10), assert_queries(default=3):
            scores = ScoresClient.create_for_locations(COURSE, self.user.pk, iter([*keys, usage("none")]))
        with assert_queries():
            self.assertEqual([scores.get(key).correct for key in keys], list(range(25)))
            self.assertIsNone(scores.get(usage("none")))
            self.assertIn(keys[0], scores)
            self.assertNotIn(usage("none"), scores)

    def test_a_score_that_was_not_fetched_is_fetched_when_it_is_asked_for(self):
        set_score(self.user.pk, usage("block"), 1, 2)
        scores = ScoresClient(COURSE, self.user.pk)
        with assert_queries(default=1):
            self.assertEqual((scores.get(usage("block")).correct, scores.get(usage("block")).total), (1, 2))

    def test_fetching_again_reads_the_changes(self):
        scores = ScoresClient.create_for_locations(COURSE, self.user.pk, [usage("block")])
        set_score(self.user.pk, usage("block"), 1, 2)
        self.assertIsNone(scores.get(usage("block")))
        scores.fetch_scores([usage("block")])
        self.assertEqual(scores.get(usage("block")).correct, 1)

    def test_a_course_has_only_its_own_scores(self):
        other = CourseKey.from_string("course-v1:Org+Course+Other")
        set_score(self.user.pk, usage("block"), 1, 2)
        scores = ScoresClient(other, self.user.pk)
        self.assertIsNone(scores.get(other.make_usage_key("problem", "block")))
        self.assertIsNone(scores.get(usage("block")))

    def test_an_old_key_takes_its_run_from_the_course(self):
        old, course = UsageKey.from_string("i4x://Org/C/problem/b"), CourseKey.from_string("Org/C/RunA")
        set_score(self.user.pk, old.map_into_course(course), 1, 2)
        self.assertEqual(ScoresClient(course, self.user.pk).get(old).correct, 1)
        self.assertEqual(self.score(old.map_into_course(course)), (1, 2))
        self.assertIsNone(self.score(old.map_into_course(CourseKey.from_string("Org/C/RunB"))))


class UnknownLearners(TransactionTestCase):
    """Commits: some databases check that the learner exists only then."""

    databases = {"default", "student_module_history"}

    def test_a_score_without_a_learner_is_refused_and_not_stored(self):
        with self.assertRaisesMessage(UnknownLearner, "The user with id 987654321 does not exist"):
            set_score(987654321, usage("block"), 1, 1)
        self.assertFalse(StudentModule.objects.exists())

    def test_a_score_without_a_learner_is_not_stored_inside_a_transaction(self):
        learner = UserFactory()
        # At once where the database checks at once, at the commit of the transaction elsewhere.
        with self.assertRaises((UnknownLearner, IntegrityError)), transaction.atomic():
            set_score(learner.pk, usage("block"), 1, 1)
            set_score(987654321, usage("block"), 1, 1)
        self.assertFalse(StudentModule.objects.exists())

    def test_a_field_of_a_learner_deleted_meanwhile_is_not_stored(self):
        for scope, error in (
            (Scope.user_state, UnknownLearner),
            (Scope.preferences, SaveFailed),
            (Scope.user_info, SaveFailed),
        ):
            learner = UserFactory()
            cache = FieldDataCache([block(scopes=NAMED_SCOPES)], COURSE, get_user_model().objects.get(pk=learner.pk))
            key = key_for(scope, learner.pk)
            learner.delete()
            with self.subTest(scope=scope):
                with self.assertRaises(error):
                    cache.set(key, "value")
                self.assertFalse(cache.has(key))
