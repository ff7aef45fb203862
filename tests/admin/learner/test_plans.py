"""The page of a learner follows indexes, also if other learners have many rows and versions."""

from datetime import timedelta
from urllib.parse import urlencode

from django.contrib.auth import get_user_model
from django.db import connection, connections
from django.test.utils import CaptureQueriesContext
from django.urls import reverse
from django.utils import timezone
from opaque_keys.edx.keys import CourseKey

from history.models import StudentModuleHistory
from kvstore.models import StudentModule
from kvstore.querysets import unguarded
from kvstore.testing import UserFactory
from tests.admin.lists.case import ALIAS, chained, digest
from tests.admin.lists.test_plans import examined
from tests.history.entries import identity_of
from tests.kvstore.query_plans import PlanTestCase, analyze, explained

LEARNERS, BLOCKS, VERSIONS = 100, 60, 4
STATE, HISTORY = StudentModule._meta.db_table, StudentModuleHistory._meta.db_table


class LearnerPlans(PlanTestCase):
    databases = {"default", ALIAS}

    @classmethod
    def fill(cls):
        """Give every learner rows of sixty blocks of one course, each with some versions."""
        cls.staff = UserFactory(username="staff", is_staff=True, is_superuser=True)
        cls.course = CourseKey.from_string("course-v1:Org+Course+Run")
        cls.now = timezone.now()
        users = get_user_model().objects.bulk_create(
            get_user_model()(username=f"learner{number}") for number in range(LEARNERS)
        )
        cls.learner = users[40]
        rows = [
            StudentModule(
                pk=1 + number * BLOCKS + place,
                student=user,
                course_id=cls.course,
                module_state_key=cls.course.make_usage_key("problem", f"block{place}"),
                module_type="problem",
                state="{}",
                version=VERSIONS,
                digest=digest(1 + number * BLOCKS + place, VERSIONS),
                created=cls.now,
                modified=cls.now,
            )
            for number, user in enumerate(users)
            for place in range(BLOCKS)
        ]
        unguarded(StudentModule, "default").bulk_create(rows, batch_size=1000)
        entries = (
            StudentModuleHistory(
                action="changed" if version > 1 else "created",
                created=cls.now - timedelta(days=10 - version, minutes=row.pk),
                module_type=row.module_type,
                state=f'{{"answer": {version}}}',
                **chained(row.pk, version),
                **identity_of(row),
            )
            for version in range(1, VERSIONS + 1)
            for row in rows
        )
        unguarded(StudentModuleHistory, ALIAS).bulk_create(entries, batch_size=1000)
        analyze("default", StudentModule)
        analyze(ALIAS, StudentModuleHistory)

    def setUp(self):
        self.client.force_login(self.staff)

    def read(self, **query):
        """Return the statements of the page that read rows and entries."""
        address = reverse("admin:xblock_history_learner", args=[self.learner.pk])
        captured = [CaptureQueriesContext(connections[alias]) for alias in ("default", ALIAS)]
        with captured[0], captured[1]:
            response = self.client.get(f"{address}?{urlencode(query)}")
        self.assertEqual(response.status_code, 200)
        rows = [found["sql"] for found in captured[0] if f"FROM {connection.ops.quote_name(STATE)}" in found["sql"]]
        return rows, [found["sql"] for found in captured[1] if HISTORY in found["sql"]]

    def assert_reads(self, alias, table, sql, most):
        with self.subTest(sql=sql[:200]):
            plan = explained(alias, table, sql)
            if connection.vendor == "postgresql":
                self.assertFalse(plan.scans, plan)
            self.assertLessEqual(examined(alias, sql), most)

    def test_of_the_page_of_a_course(self):
        for query in ({}, {"moment": f"{self.now - timedelta(days=8):%Y-%m-%d}"}):
            rows, entries = self.read(course=self.course, **query)
            self.assertEqual(len(rows), 3)
            for sql in rows:
                self.assert_reads("default", STATE, sql, 3 * BLOCKS)
            for sql in entries:
                # The versions of the learner, each read and sorted, and not those of others.
                self.assert_reads(ALIAS, HISTORY, sql, 6 * BLOCKS * VERSIONS)

    def test_of_the_list_of_courses(self):
        (rows,), (entries,) = self.read()
        self.assert_reads("default", STATE, rows, BLOCKS + 2)
        self.assert_reads(ALIAS, HISTORY, entries, BLOCKS * VERSIONS + 2)
