"""Every search follows an index, or examines a bounded number of rows."""

from datetime import timedelta
from functools import partial
from unittest import mock

from django.contrib.auth import get_user_model
from django.db import connection, connections
from django.test.utils import CaptureQueriesContext
from django.utils import timezone
from opaque_keys.edx.keys import CourseKey

from history.models import StudentModuleHistory
from kvstore.admin.changelist import KeysetChangeList
from kvstore.admin.search import choices
from kvstore.admin.search.block_ids import find_blocks
from kvstore.models import StudentModule
from kvstore.querysets import unguarded
from kvstore.staff import people
from kvstore.testing import UserFactory
from tests.admin.lists.case import ALIAS, HISTORY_LIST, STATE_LIST, Lists, chained, digest
from tests.admin.lists.test_plans import examined
from tests.history.entries import identity_of
from tests.kvstore.query_plans import PlanTestCase, analyze, explained

USERS, COURSES, TYPES, BLOCKS = 6_000, 20, 4, 10
SCANNED, COUNTED = 300, 50
PAGE = 50
PRIMARY = {"mysql": "PRIMARY", "postgresql": "auth_user_pkey"}


class SearchPlans(Lists, PlanTestCase):
    @classmethod
    def fill(cls):
        """Give every learner one row and one entry; every block is in each course and type."""
        model = get_user_model()
        model.objects.bulk_create(
            (
                model(username=f"user{n}", first_name="Amara" if n % 7 else "Bo", email=f"u{n}@a.org")
                for n in range(USERS)
            ),
            batch_size=2000,
        )
        cls.staff = UserFactory(username="staff", is_staff=True, is_superuser=True)
        now = timezone.now()
        ids = list(model.objects.filter(first_name__in=("Amara", "Bo")).order_by("pk").values_list("pk", flat=True))
        courses = [CourseKey.from_string(f"course-v1:Org+Course+Run{number}") for number in range(COURSES)]
        cls.course = courses[3]

        def key(number):
            course = courses[number % COURSES]
            return course.make_usage_key(f"type{number // COURSES % TYPES}", f"block{number // 600 % BLOCKS}")

        rows = [
            StudentModule(
                pk=1 + number,
                student_id=user_id,
                course_id=key(number).context_key,
                module_state_key=key(number),
                module_type=key(number).block_type,
                version=1,
                digest=digest(1 + number, 1),
                created=now,
                modified=now,
            )
            for number, user_id in enumerate(ids)
        ]
        unguarded(StudentModule, "default").bulk_create(rows, batch_size=1000)
        entries = (
            StudentModuleHistory(
                action="created",
                created=now - timedelta(minutes=row.pk),
                module_type=row.module_type,
                actor_id=ids[row.pk % 3],
                reason="a regrade" if row.pk % 4 else "",
                request_id=f"request-{row.pk}",
                **chained(row.pk, 1),
                **identity_of(row),
            )
            for row in rows
        )
        unguarded(StudentModuleHistory, ALIAS).bulk_create(entries, batch_size=1000)
        analyze("default", StudentModule, model)
        analyze(ALIAS, StudentModuleHistory)

    def setUp(self):
        self.client.force_login(self.staff)
        self.enterContext(mock.patch.object(people, "SCANNED_USERS", SCANNED))
        self.enterContext(mock.patch.object(KeysetChangeList, "scan_limit", SCANNED))
        self.enterContext(mock.patch.object(choices, "MOST_COUNTED", COUNTED))

    def statements(self, alias, read):
        with CaptureQueriesContext(connections[alias]) as captured:
            read()
        return [found["sql"] for found in captured]

    def assert_reads(self, table, sql, indexes, rows, alias="default"):
        with self.subTest(sql=sql[-400:]):
            plan = explained(alias, table, sql)
            self.assertLessEqual(plan.indexes, indexes, plan)
            if connection.vendor == "postgresql":
                self.assertFalse(plan.scans, plan)
            self.assertLessEqual(examined(alias, sql), rows)

    def test_of_people(self):
        primary = {PRIMARY[connection.vendor]}
        with connection.cursor() as cursor:
            constraints = connection.introspection.get_constraints(cursor, "auth_user")
        unique = {name for name, found in constraints.items() if found["columns"] == ["username"]}
        for words in (["nobody"], ["AMARA"], ["bo", "user"], ["nobody", "else"], ["U5999@A.ORG"], ["@a.org"]):
            exact, oldest, scan = self.statements("default", partial(people.find_people, words))
            self.assert_reads("auth_user", exact, unique, 10)
            self.assert_reads("auth_user", oldest, primary | unique, SCANNED + 1)
            self.assert_reads("auth_user", scan, primary, 2 * SCANNED + 2)

    def test_of_a_username(self):
        (exact,) = self.statements("default", partial(people.find_people, ["USER77"]))
        self.assertLessEqual(examined("default", exact), 10)

    def test_of_block_ids(self):
        for short_id, found in (("block3", COURSES), ("absent", 0)):
            (sql,) = self.statements("default", partial(find_blocks, short_id))
            with self.subTest(short_id=short_id):
                self.assertEqual(len(find_blocks(short_id).keys) > 0, found > 0)
                # A few look-ups for each pair of a course and a type, whatever the number of rows.
                self.assertLessEqual(examined("default", sql), 12 * COURSES * TYPES)
                plan = explained("default", "xblock_kvstore_studentmodule", sql)
                self.assertLessEqual(plan.indexes, {"xblock_kvstore_type_idx", "xblock_kvstore_block_idx"}, plan)
                if connection.vendor == "postgresql":
                    self.assertFalse(plan.scans, plan)

    def test_of_block_ids_in_a_course(self):
        (sql,) = self.statements("default", partial(find_blocks, "block3", self.course))
        self.assertLessEqual(examined("default", sql), 12 * TYPES)

    def test_of_the_counts_of_a_choice(self):
        for url, alias, table in (
            (STATE_LIST, "default", "xblock_kvstore_studentmodule"),
            (HISTORY_LIST, ALIAS, "xblock_history_studentmodulehistory"),
        ):
            for search in ("amara", "block3"):
                read = self.statements(alias, partial(self.page, url, q=search))
                (counts,) = (sql for sql in read if "COUNT(" in sql)
                with self.subTest(url=url, search=search):
                    plan = explained(alias, table, counts)
                    if connection.vendor == "postgresql":
                        self.assertFalse(plan.scans, plan)
                    self.assertLessEqual(examined(alias, counts), 20 * (COUNTED + 2) * 2)

    def test_of_the_counts_of_actors(self):
        # The end of the scan, and the numbers of all choices up to it.
        read = self.statements(ALIAS, partial(self.page, HISTORY_LIST, q="actor:bo"))
        self.assertEqual(len(read), 2)
        for sql in read:
            self.assert_reads(
                StudentModuleHistory._meta.db_table, sql, {"xblock_history_created_idx"}, SCANNED + 5, ALIAS
            )

    def test_of_actors_requests_and_reasons(self):
        table, indexes = StudentModuleHistory._meta.db_table, {"xblock_history_created_idx"}
        for search in (
            "actor:user2",
            "actor:user77",
            "request:request-19",
            "request:none",
            "reason:none",
            "reason:regrade",
        ):
            read = self.statements(ALIAS, partial(self.page, HISTORY_LIST, q=search))
            listed = [sql for sql in read if "ORDER BY" in sql]
            self.assertEqual(len(listed), 2)
            for sql in listed:
                self.assert_reads(table, sql, indexes, SCANNED + PAGE + 2, ALIAS)
