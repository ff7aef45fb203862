"""Every read, lock and walk of the store uses the index made for it, on large tables."""

from unittest import mock

from django.contrib.auth import get_user_model
from django.db import connections
from django.test import override_settings
from django.test.utils import CaptureQueriesContext
from opaque_keys.edx.keys import CourseKey

from history.api import timeline
from history.models import StudentModuleHistory
from kvstore.api import DjangoKeyValueStore, DjangoXBlockUserStateClient, FieldDataCache, ScoresClient, set_score
from kvstore.models import PreferencesField, StudentModule, UserInfoField, UserStateSummaryField
from kvstore.storage import reading
from tests.kvstore.cache.blocks import NAMED_SCOPES, block, key_for
from tests.kvstore.query_plans import PlanTestCase, analyze, explained

# Half of the learners take one popular course; every other course has few of all rows.
LEARNERS = 1200
COURSES = 100
BLOCKS = 8
TYPES = ("problem", "video", "poll", "html")
MODELS = (get_user_model(), StudentModule, UserStateSummaryField, PreferencesField, UserInfoField)

HISTORY = "student_module_history"
VERSIONS = "xblock_history_version_unique"


class Indexes(PlanTestCase):
    databases = {"default", HISTORY}

    @classmethod
    def fill(cls):
        cls.learners = get_user_model().objects.bulk_create(
            get_user_model()(username=f"learner{number}") for number in range(LEARNERS)
        )
        cls.courses = [CourseKey.from_string(f"course-v1:Org+Course+Run{number}") for number in range(COURSES)]
        cls.popular, cls.small = cls.courses[0], cls.courses[COURSES // 2]
        cls.learner = cls.learners[LEARNERS // 4]
        cls.fill_state()
        cls.fill_field_rows()
        analyze("default", *MODELS)
        analyze(HISTORY, StudentModuleHistory)

    @classmethod
    def blocks(cls, course):
        return [course.make_usage_key(TYPES[number % len(TYPES)], f"block{number}") for number in range(BLOCKS)]

    @classmethod
    def fill_state(cls):
        """Give each learner the blocks of one course, and each row an entry of its first version."""
        course_of = dict.fromkeys(cls.learners, cls.popular)
        for number, learner in enumerate(cls.learners[LEARNERS // 2 :]):
            course_of[learner] = cls.courses[number % (COURSES - 1) + 1]
        with override_settings(HISTORY_BLOCK_TYPES="*"):
            StudentModule.objects.bulk_create(
                (
                    StudentModule(
                        student=learner,
                        course_id=course,
                        module_state_key=key,
                        module_type=key.block_type,
                        state='{"field":1}',
                    )
                    for learner, course in course_of.items()
                    for key in cls.blocks(course)
                ),
                batch_size=500,
            )

    @classmethod
    def fill_field_rows(cls):
        UserStateSummaryField.objects.bulk_create(
            UserStateSummaryField(usage_id=key, field_name=f"field{number}", value="1")
            for course in cls.courses
            for key in cls.blocks(course)
            for number in range(3)
        )
        PreferencesField.objects.bulk_create(
            PreferencesField(student=learner, module_type=block_type, field_name="field", value="1")
            for learner in cls.learners
            for block_type in TYPES
        )
        UserInfoField.objects.bulk_create(
            UserInfoField(student=learner, field_name=f"field{number}", value="1")
            for learner in cls.learners
            for number in range(4)
        )

    def test_every_statement_finds_its_rows_by_the_index_made_for_it(self):
        client, keys = DjangoXBlockUserStateClient(self.learner), self.blocks(self.popular)
        name, learner_id = self.learner.username, self.learner.pk
        blocks = [block(key, NAMED_SCOPES) for key in keys]
        store = DjangoKeyValueStore(FieldDataCache([], self.popular, self.learner))
        by_name = DjangoXBlockUserStateClient()
        cases = {
            "prefetch": (
                lambda: FieldDataCache(blocks, self.popular, self.learner),
                {
                    StudentModule: "xblock_kvstore_module_unique",
                    UserStateSummaryField: "xblock_kvstore_summary_unique",
                    PreferencesField: "xblock_kvstore_preferences_unique",
                    UserInfoField: "xblock_kvstore_user_info_unique",
                },
            ),
            "get_many": (lambda: list(client.get_many(name, keys)), {StudentModule: "xblock_kvstore_module_unique"}),
            "get_many by name": (
                lambda: list(by_name.get_many(name, keys)),
                {StudentModule: "xblock_kvstore_module_unique"},
            ),
            "scores": (
                lambda: ScoresClient.create_for_locations(self.popular, learner_id, keys),
                {StudentModule: "xblock_kvstore_module_unique"},
            ),
            "lock of one block": (
                lambda: set_score(learner_id, keys[0], 1, 2),
                {StudentModule: "xblock_kvstore_module_unique"},
            ),
            "lock of many blocks": (
                lambda: store.set_many({key_for(NAMED_SCOPES[0], learner_id, "new", key): 1 for key in keys}),
                {StudentModule: "xblock_kvstore_module_unique"},
            ),
            "history": (
                lambda: list(timeline(self.learner, keys[0])),
                {StudentModule: "xblock_kvstore_module_unique", StudentModuleHistory: "xblock_history_block_idx"},
            ),
            "history by name": (
                lambda: list(by_name.get_history(name, keys[0])),
                {StudentModule: "xblock_kvstore_module_unique", StudentModuleHistory: "xblock_history_block_idx"},
            ),
        }
        for case, (operation, expected) in cases.items():
            for model, index in expected.items():
                for plan in self.plans(operation, model):
                    with self.subTest(operation=case, table=model._meta.db_table):
                        # Where a row was deleted is looked up by its versions.
                        self.assertEqual(plan.indexes - {VERSIONS}, {index}, plan)
                        self.assertFalse(plan.scans, plan)

    def test_walks_follow_an_index_in_its_order(self):
        client = DjangoXBlockUserStateClient()
        index_orders = {
            "course": (2, lambda: list(client.iter_all_for_course(self.small)), "xblock_kvstore_course_idx"),
            "type": (2, lambda: list(client.iter_all_for_course(self.small, "poll")), "xblock_kvstore_type_idx"),
            "block": (
                2,
                lambda: list(client.iter_all_for_block(self.blocks(self.small)[0])),
                "xblock_kvstore_block_idx",
            ),
        }
        for name, (size, walk, index) in index_orders.items():
            with mock.patch.object(reading, "BATCH_SIZE", size):
                plans = self.plans(walk, StudentModule)
            self.assertGreater(len(plans), 2)
            # On the last pages so few rows are left that sorting them may cost less.
            for page, plan in enumerate(plans[:2]):
                with self.subTest(walk=name, page=page):
                    # MySQL's name for the primary key is every table's: by it the learner's name is looked up.
                    self.assertEqual(plan.indexes - {"PRIMARY"}, {index}, plan)
                    self.assertFalse(plan.scans or plan.sorts, plan)

    def plans(self, operation, model):
        """Return the plans of the statements in which the operation reads rows of the model."""
        alias = HISTORY if model is StudentModuleHistory else "default"
        quoted = connections[alias].ops.quote_name(model._meta.db_table)
        with CaptureQueriesContext(connections[alias]) as captured:
            operation()
        reading = [query["sql"] for query in captured if f"FROM {quoted} " in query["sql"]]
        self.assertTrue(reading, f"nothing was read of {quoted}")
        return [explained(alias, model._meta.db_table, sql) for sql in reading]
