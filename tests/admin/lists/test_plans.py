"""Every list follows the index made for its order, and examines a bounded number of rows."""

from datetime import timedelta
from unittest import mock
from urllib.parse import urlencode

from django.contrib.auth import get_user_model
from django.db import connection, connections
from django.test.utils import CaptureQueriesContext
from django.urls import reverse
from django.utils import timezone
from opaque_keys.edx.keys import CourseKey

from history.admin.changelists import CommittedChangeList
from history.models import StudentModuleHistory
from kvstore.admin.changelist import KeysetChangeList
from kvstore.models import StudentModule
from kvstore.querysets import unguarded
from kvstore.testing import UserFactory
from tests.admin.lists.case import ALIAS, HISTORY_LIST, STATE_LIST, Lists, chained, digest
from tests.history.entries import identity_of
from tests.kvstore.query_plans import PlanTestCase, analyze, explained, plan_nodes

LEARNERS, COURSES, BLOCKS, VERSIONS = 300, 10, 10, 3
EXAMINED = 200
PAGE = 50
TIED = 10
"""entries that share their place in an index, at most"""


class Plans(Lists, PlanTestCase):
    @classmethod
    def fill(cls):
        """Give every learner one course of blocks, and every row its versions, minutes apart and in order of time."""
        cls.staff = UserFactory(username="staff", is_staff=True, is_superuser=True)
        cls.now = timezone.now()
        cls.courses = [CourseKey.from_string(f"course-v1:Org+Course+Run{number}") for number in range(COURSES)]
        users = get_user_model().objects.bulk_create(
            get_user_model()(username=f"learner{number}") for number in range(LEARNERS)
        )
        rows = [
            StudentModule(
                pk=1 + number * BLOCKS + place,
                student=user,
                course_id=course,
                module_state_key=course.make_usage_key("problem" if place % 2 else "poll", f"block{place}"),
                module_type="problem" if place % 2 else "poll",
                version=VERSIONS,
                digest=digest(1 + number * BLOCKS + place, VERSIONS),
                created=cls.now - timedelta(days=30),
                modified=cls.written(VERSIONS, number),
                grade=1,
                max_grade=2,
            )
            for number, user in enumerate(users)
            for course in [cls.courses[number % COURSES]]
            for place in range(BLOCKS)
        ]
        unguarded(StudentModule, "default").bulk_create(rows, batch_size=1000)
        entries = (
            StudentModuleHistory(
                action="changed",
                created=cls.written(version, (row.pk - 1) // BLOCKS),
                grade=1,
                max_grade=2,
                module_type=row.module_type,
                **chained(row.pk, version),
                **identity_of(row),
            )
            for version in range(1, VERSIONS + 1)
            for row in rows
        )
        unguarded(StudentModuleHistory, ALIAS).bulk_create(entries, batch_size=1000)
        cls.learner, cls.course = users[LEARNERS // 2], cls.courses[0]
        cls.block = rows[1].module_state_key
        analyze("default", StudentModule)
        analyze(ALIAS, StudentModuleHistory)

    @classmethod
    def written(cls, version, number):
        return cls.now - timedelta(days=20) + timedelta(hours=version * 100, minutes=number)

    def setUp(self):
        self.client.force_login(self.staff)
        self.enterContext(mock.patch.object(KeysetChangeList, "scan_limit", EXAMINED))

    def assert_follows(self, url, model, index, query, *, or_indexes=()):
        """Look at the first page, at one further down and at the way back up."""
        alias = ALIAS if model is StudentModuleHistory else "default"
        lists, changelist = self.at(f"{url}?{urlencode(query)}", model)
        pages = [("first", lists)]
        link = changelist.next_link
        for name in ("next", "after the next"):
            if link:
                lists, changelist = self.at(url + link, model)
                pages.append((name, lists))
                link = changelist.next_link
        if changelist.previous_link:
            pages.append(("back", self.at(url + changelist.previous_link, model)[0]))
        for name, statements in pages:
            for sql in statements:
                with self.subTest(query=query, page=name, sql=sql[-300:]):
                    plan = explained(alias, model._meta.db_table, sql)
                    self.assertLessEqual(plan.indexes, {index, *or_indexes}, plan)
                    self.assertEqual(len(plan.indexes), 1, plan)
                    if connection.vendor == "postgresql":
                        # MySQL names a range and a full scan of an index alike; the examined rows differ.
                        self.assertFalse(plan.scans, plan)
                    if plan.indexes == {index}:
                        self.assertLessEqual(examined(alias, sql), EXAMINED + PAGE + TIED)

    def at(self, address, model):
        """Return the statements of a page that read rows of a model, and its changelist."""
        alias = ALIAS if model is StudentModuleHistory else "default"
        with CaptureQueriesContext(connections[alias]) as captured:
            response = self.client.get(address)
        quoted = connections[alias].ops.quote_name(model._meta.db_table)
        lists = [sql for sql in (found["sql"] for found in captured) if f"FROM {quoted}" in sql and "ORDER BY" in sql]
        self.assertTrue(lists)
        return lists, response.context["cl"]

    def test_of_states(self):
        course, block = str(self.course), str(self.block)
        primary = "PRIMARY" if connection.vendor == "mysql" else "xblock_kvstore_studentmodule_pkey"
        for index, query in (
            (primary, {}),
            ("xblock_kvstore_module_unique", {"q": self.learner.username}),
            ("xblock_kvstore_block_idx", {"q": block}),
            ("xblock_kvstore_course_idx", {"q": course}),
            ("xblock_kvstore_type_idx", {"q": course, "type": "poll"}),
            (primary, {"grade": "none"}),
            ("xblock_kvstore_block_idx", {"q": block, "grade": "none"}),
        ):
            # A range of so few ids may be expected to be as good, to sort.
            others = () if connection.vendor == "mysql" else {primary}
            self.assert_follows(STATE_LIST, StudentModule, index, query, or_indexes=others)
        # So may the other index that begins with the course.
        for query in ({"q": course, "grade": "none"}, {"q": course, "last": "hour"}):
            others = {primary, "xblock_kvstore_type_idx"}
            self.assert_follows(STATE_LIST, StudentModule, "xblock_kvstore_course_idx", query, or_indexes=others)

    def test_of_the_history(self):
        course, block, name = str(self.course), str(self.block), self.learner.username
        day = {"from": (self.now - timedelta(days=14)).isoformat(), "until": (self.now - timedelta(days=8)).isoformat()}
        for index, query in (
            ("xblock_history_created_idx", {}),
            ("xblock_history_created_idx", day),
            ("xblock_history_learner_idx", {"q": name}),
            ("xblock_history_learner_idx", {"q": name} | day),
            ("xblock_history_block_idx", {"q": block}),
            ("xblock_history_course_idx", {"q": course}),
            ("xblock_history_course_idx", {"q": course} | day),
            ("xblock_history_entry_unique", {"q": "id:777"}),
            ("xblock_history_block_idx", {"q": f"learner0 {block}"}),
            ("xblock_history_created_idx", {"action": "restored"}),
            ("xblock_history_created_idx", {"action": "restored"} | day),
            ("xblock_history_created_idx", {"grade": "none", "type": "poll"}),
            ("xblock_history_course_idx", {"q": course, "action": "restored"}),
            ("xblock_history_course_idx", {"q": course, "grade": "zero"} | day),
        ):
            self.assert_follows(HISTORY_LIST, StudentModuleHistory, index, query)

    def test_of_the_check_of_listed_entries(self):
        """Entries below their rows' versions, and all of one version beside one that was rolled back."""
        between = {"from": self.written(1, 0).isoformat(), "until": self.written(2, 0).isoformat()}
        rolled_back = [
            StudentModuleHistory(**entry.as_version()._replace(digest=digest(entry.student_module_id, 99))._asdict())
            for entry in StudentModuleHistory.objects.filter(version=1)
        ]
        table = connections[ALIAS].ops.quote_name(StudentModuleHistory._meta.db_table)
        for entries, queries in (([], 2), (rolled_back, 3)):
            unguarded(StudentModuleHistory, ALIAS).bulk_create(entries, batch_size=1000)
            self.addCleanup(self.remove_entries, [entry.digest for entry in entries])
            with CaptureQueriesContext(connections[ALIAS]) as captured:
                shown = self.client.get(HISTORY_LIST, between).context["cl"].result_list
            self.assertEqual({entry.version for entry in shown}, {1})
            deciding = [found["sql"] for found in captured if f"FROM {table}" in found["sql"]]
            deciding = [sql for sql in deciding if "ORDER BY" not in sql]
            self.assertEqual(len(deciding), queries)
            for sql in deciding:
                with self.subTest(sql=sql):
                    plan = explained(ALIAS, StudentModuleHistory._meta.db_table, sql)
                    self.assertEqual(plan.indexes, {"xblock_history_entry_unique"}, plan)
                    self.assertFalse(plan.scans, plan)
                    self.assertLessEqual(examined(ALIAS, sql), 2 * 2 * VERSIONS * PAGE)

    def test_of_the_comparison_with_previous_versions(self):
        table = connections[ALIAS].ops.quote_name(StudentModuleHistory._meta.db_table)
        limits = {"batch_size": PAGE, "compare_limit": EXAMINED}
        for query in ({}, {"q": self.learner.username}, {"flag": "any"}, {"flag": "grade-decreased"}):
            limited = mock.patch.multiple(CommittedChangeList, **limits)
            with limited, CaptureQueriesContext(connections[ALIAS]) as captured:
                self.client.get(HISTORY_LIST, query)
            reading = [found["sql"] for found in captured if f"FROM {table}" in found["sql"]]
            ordered = [sql for sql in reading if "ORDER BY" in sql]
            self.assertEqual(len(ordered), EXAMINED / PAGE if "flag" in query else 1)
            for sql in reading:
                with self.subTest(query=query, sql=sql):
                    index = "created" if "q" not in query else "learner"
                    names = {f"xblock_history_{index}_idx"} if sql in ordered else {"xblock_history_entry_unique"}
                    plan = explained(ALIAS, StudentModuleHistory._meta.db_table, sql)
                    self.assertEqual(plan.indexes, names, plan)
                    if sql not in ordered or connection.vendor == "postgresql":
                        # MySQL names the first rows of an index like a full scan of it.
                        self.assertFalse(plan.scans, plan)
                    self.assertLessEqual(examined(ALIAS, sql), 2 * 2 * PAGE + TIED)

    def remove_entries(self, digests):
        unguarded(StudentModuleHistory, ALIAS).filter(digest__in=digests)._raw_delete(ALIAS)
        analyze(ALIAS, StudentModuleHistory)

    def test_of_the_pages_of_a_block(self):
        row_id = StudentModule.objects.order_by("pk")[777].pk
        table = StudentModuleHistory._meta.db_table
        for page, args in (("timeline", []), ("version", [2]), ("restore", [1]), ("timeline_export", [])):
            with CaptureQueriesContext(connections[ALIAS]) as captured:
                response = self.client.get(reverse(f"admin:xblock_history_{page}", args=[row_id, *args]))
                b"".join(response)
            reading = [found["sql"] for found in captured if table in found["sql"]]
            self.assertTrue(reading)
            for sql in reading:
                with self.subTest(page=page, sql=sql):
                    plan = explained(ALIAS, table, sql)
                    self.assertFalse(plan.scans, plan)
                    # A learner has few blocks here, so that the learner's index may be as good.
                    self.assertLessEqual(plan.indexes, {"xblock_history_block_idx", "xblock_history_learner_idx"})


def examined(alias, sql):
    """Return how many rows the server looked at, by its own count, to answer a statement."""
    with connections[alias].cursor() as cursor:
        if connection.vendor == "postgresql":
            cursor.execute(f"EXPLAIN (ANALYZE, FORMAT JSON) {sql}")
            nodes = plan_nodes(cursor.fetchone()[0][0]["Plan"])
            scans = [node for node in nodes if "Scan" in node["Node Type"] and "Relation Name" in node]
            return sum(node["Actual Rows"] + node.get("Rows Removed by Filter", 0) for node in scans)
        cursor.execute("FLUSH STATUS")
        cursor.execute(sql)
        cursor.fetchall()
        cursor.execute("SHOW SESSION STATUS LIKE 'Handler_read_%%'")
        return sum(int(count) for name, count in cursor.fetchall() if name != "Handler_read_rnd_deleted")
