"""The number of queries of a list page is the same for one row and for fifty.

Everything rolls back on both aliases.
"""

import re
from datetime import timedelta

from django.contrib.auth.models import Permission
from django.db import connections
from django.test import TestCase
from django.test.utils import CaptureQueriesContext
from django.utils import timezone

from history.admin.changes import COMPARED_BYTES
from history.models import PendingHistory, StudentModuleHistory
from kvstore.admin.changelist import KeysetChangeList
from kvstore.models import StudentModule
from kvstore.querysets import unguarded
from kvstore.testing import StudentModuleFactory, UserFactory, assert_queries
from tests.admin.lists.case import ALIAS, HISTORY_LIST, PENDING_LIST, STATE_LIST, Lists, chained, digest
from tests.history.entries import identity_of
from tests.kvstore.cache.blocks import COURSE, usage

SESSION = 2
"""the session, and its user"""
LIST = 2
"""on the history database: the entries, and their states with those of the previous versions"""


def columns_of(statement):
    """Return the names in quotes of a statement; those of columns, tables and constraints."""
    return re.findall(r'["`](\w+)["`]', statement)


class Queries(Lists, TestCase):
    @classmethod
    def setUpTestData(cls):
        UserFactory(username="amara")
        for number in range(60):
            StudentModuleFactory(state='{"a":1}')
            cls.set(cls, "amara", usage(f"block{number}"))

    def setUp(self):
        self.sign_in()

    def assert_costs(self, url, query, **expected):
        with self.subTest(url=url, **query), assert_queries(**expected):
            self.page(url, **query)

    def test_of_states(self):
        for query in ({}, {"course": COURSE}, {"type": "problem", "course": COURSE}, {"q": str(usage("block1"))}):
            self.assert_costs(STATE_LIST, query, default=SESSION + 2)
        # Another finds the learner.
        self.assert_costs(STATE_LIST, {"q": "amara"}, default=SESSION + 3)

    def test_of_the_history(self):
        row = {"q": f"id:{StudentModule.objects.first().pk}"}
        # On the state's database: the rows, the names.
        for query in ({}, {"course": COURSE}, {"last": "day"}, {"q": str(usage("block1"))}, row):
            self.assert_costs(HISTORY_LIST, query, default=SESSION + 2, student_module_history=LIST)
        self.assert_costs(HISTORY_LIST, {"q": "amara"}, default=SESSION + 3, student_module_history=LIST)

    def test_of_pending_entries(self):
        for row in StudentModule.objects.all()[:60]:
            PendingHistory.objects.create(
                action="changed",
                created=row.modified,
                module_type=row.module_type,
                actor_id=UserFactory().pk,
                **chained(row.pk, 9),
                **identity_of(row),
            )
        # The entries, the states, the names.
        self.assert_costs(PENDING_LIST, {}, default=SESSION + 3)

    def test_filters_without_an_index_cost_one_more(self):
        for query in ({"grade": "none"}, {"type": "problem"}):
            self.assert_costs(STATE_LIST, query, default=SESSION + 3)
            self.assert_costs(HISTORY_LIST, query, default=SESSION + 2, student_module_history=LIST + 1)
        self.assert_costs(HISTORY_LIST, {"action": "restored"}, default=SESSION, student_module_history=2)

    def test_any_page_costs_the_same(self):
        for url, histories in ((STATE_LIST, 0), (HISTORY_LIST, LIST)):
            first = self.changelist(url)
            second = self.client.get(url + first.next_link).context["cl"]
            self.assertEqual(len(second.result_list), 50)
            costs = {"default": SESSION + 2} | ({ALIAS: histories} if histories else {})
            for link in (first.next_link, second.previous_link, second.next_link):
                with self.subTest(url=url, link=link), assert_queries(**costs):
                    self.client.get(url + link)

    def test_entries_that_their_page_does_not_decide_cost_one_more(self):
        # Of each row the first version and not the second, which names it.
        for number in range(20):
            self.set("amara", usage(f"block{number}"), answer="b")
        newer = unguarded(StudentModuleHistory, ALIAS).filter(version=2)
        self.assert_costs(HISTORY_LIST, {"q": "amara"}, default=SESSION + 3, student_module_history=LIST)
        newer.update(created=timezone.now() - timedelta(days=2))
        self.assert_costs(
            HISTORY_LIST, {"q": "amara", "last": "day"}, default=SESSION + 4, student_module_history=LIST + 1
        )
        self.assertEqual({entry.version for entry in self.found(HISTORY_LIST, q="amara", last="day")}, {1})

    def test_entries_beside_others_of_their_version_cost_one_more_however_many(self):
        for answer in ("b", "c"):
            for number in range(20):
                self.set("amara", usage(f"block{number}"), answer=answer)
        entries = unguarded(StudentModuleHistory, ALIAS)
        second = list(entries.filter(version=2))
        entries.filter(version=3).update(created=timezone.now() - timedelta(days=2))
        query = {"q": "amara", "last": "day"}
        for some in (second[:1], second[1:]):
            # A transaction that was rolled back leaves these, and was tried again.
            entries.bulk_create(
                StudentModuleHistory(
                    **entry.as_version()._replace(digest=digest(entry.student_module_id, 99))._asdict()
                )
                for entry in some
            )
            self.assert_costs(HISTORY_LIST, query, default=SESSION + 5, student_module_history=LIST + 2)
        shown = [entry for entry in self.found(HISTORY_LIST, **query) if entry.version == 2]
        self.assertEqual({entry.digest for entry in shown}, {entry.digest for entry in second})
        self.assertEqual(len(shown), 20)

    def test_permissions_are_two_queries(self):
        helper = UserFactory(is_staff=True)
        helper.user_permissions.set(Permission.objects.filter(codename="view_studentmodulehistory"))
        self.client.force_login(helper)
        self.assert_costs(HISTORY_LIST, {}, default=SESSION + 2 + 2, student_module_history=LIST)

    def test_statements_count_nothing_skip_nothing_and_load_no_large_state(self):
        for url in (STATE_LIST, HISTORY_LIST, PENDING_LIST):
            for query in ({}, {"q": "amara"}, {"q": str(COURSE)}, {"last": "day"}, {"grade": "any", "type": "problem"}):
                with self.subTest(url=url, **query):
                    statements, changelist = self.statements(url, **query)
                    for statement in statements:
                        for word in ("COUNT(", "DISTINCT", "UPPER(", " LIKE "):
                            self.assertNotIn(word, statement)
                        if "state" in columns_of(statement):
                            self.assertIn(f"<= {COMPARED_BYTES} THEN", statement)
                        if " OFFSET " in statement:
                            # Where a page has looked through enough: a known number of places of an index.
                            self.assertIn(f"LIMIT 1 OFFSET {KeysetChangeList.scan_limit - 1}", statement)
                            self.assertTrue(changelist.is_bounded)

    def test_one_request_for_names_however_many_learners_and_actors(self):
        for entry in StudentModuleHistory.objects.all()[:50]:
            unguarded(StudentModuleHistory, ALIAS).filter(pk=entry.pk).update(actor_id=UserFactory().pk)
        self.assert_costs(HISTORY_LIST, {}, default=SESSION + 2, student_module_history=LIST)

    def statements(self, url, **query):
        captured = [CaptureQueriesContext(connections[alias]) for alias in ("default", ALIAS)]
        with captured[0], captured[1]:
            changelist = self.changelist(url, **query)
        statements = [found["sql"] for queries in captured for found in queries]
        return [statement for statement in statements if "xblock" in statement], changelist
