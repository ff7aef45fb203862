"""TestCase rolls back both databases. TransactionTestCase commits, so that other connections see the rows."""

import threading

from django.db import connections, transaction
from django.test import TestCase, TransactionTestCase, override_settings

from history.api import timeline
from history.models import StudentModuleHistory
from kvstore.api import DjangoXBlockUserStateClient
from kvstore.models import StudentModule
from kvstore.testing import UserFactory
from tests.kvstore.cache.blocks import usage

BLOCK = usage("block")
ALIASES = {"default", "student_module_history"}


def elsewhere(function):
    """Return the result of ``function`` in a thread with its own connections to both databases."""
    returned = []

    def call():
        try:
            returned.append(function())
        finally:
            connections.close_all()

    thread = threading.Thread(target=call)
    thread.start()
    thread.join()
    (result,) = returned
    return result


def stored():
    """Return the versions of the rows, and of the entries."""
    rows = StudentModule.objects.values_list("version", "state")
    entries = StudentModuleHistory.objects.order_by("version").values_list("version", "state")
    return list(rows), list(entries)


def write(user, answer):
    DjangoXBlockUserStateClient(user).set(user.username, BLOCK, {"answer": answer})


class RolledBackOnBothAliases(TestCase):
    """Each test finds the data of the class, and nothing of the other test, in every order."""

    databases = ALIASES

    @classmethod
    def setUpTestData(cls):
        cls.user = UserFactory()
        write(cls.user, "set up")

    def add_a_version(self):
        self.assertEqual(stored(), ([(1, '{"answer":"set up"}')], [(1, '{"answer":"set up"}')]))
        write(self.user, "this test")
        self.assertEqual(len(list(timeline(self.user, BLOCK))), 2)

    test_one = add_a_version
    test_another = add_a_version


class SecondConnection(TransactionTestCase):
    """Another connection sees committed rows alone."""

    databases = ALIASES

    def setUp(self):
        self.assertEqual(stored(), ([], []))
        self.user = UserFactory()
        write(self.user, 1)

    def timeline(self):
        return [entry.version for entry in timeline(self.user.pk, BLOCK)]

    def test_committed_changes_are_visible_in_both_databases(self):
        self.assertEqual(elsewhere(stored), ([(1, '{"answer":1}')], [(1, '{"answer":1}')]))
        write(self.user, 2)
        self.assertEqual(elsewhere(self.timeline), [2, 1])

    def test_versions_of_an_open_transaction_are_invisible_to_other_connections(self):
        with transaction.atomic():
            write(self.user, 2)
            rows, entries = elsewhere(stored)
            # The entry is written first, so a process that dies now loses no entry.
            self.assertEqual(rows, [(1, '{"answer":1}')])
            self.assertEqual([version for version, _ in entries], [1, 2])
            self.assertEqual(elsewhere(self.timeline), [1])
            self.assertEqual(self.timeline(), [2, 1])
        self.assertEqual(elsewhere(self.timeline), [2, 1])

    def test_a_rollback_leaves_nothing_visible_in_state_or_timeline(self):
        with self.assertRaises(ZeroDivisionError), transaction.atomic():
            write(self.user, 2)
            DjangoXBlockUserStateClient(self.user).set(self.user.username, usage("other"), {"answer": 2})
            _ = 1 / 0
        client = DjangoXBlockUserStateClient()
        for look in (lambda function: function(), elsewhere):
            self.assertEqual(look(stored)[0], [(1, '{"answer":1}')])
            self.assertEqual(look(self.timeline), [1])
            self.assertEqual(look(lambda: list(timeline(self.user.pk, usage("other")))), [])
            self.assertEqual(look(lambda: client.get(self.user.username, BLOCK).state), {"answer": 1})

    def test_an_on_commit_callback_finds_the_version_and_its_entry(self):
        found = []
        with transaction.atomic():
            write(self.user, 2)
            transaction.on_commit(lambda: found.append(elsewhere(self.timeline)))
        self.assertEqual(found, [[2, 1]])


@override_settings(ROOT_URLCONF="tests.history.pages")
class Requests(TransactionTestCase):
    """A connection is closed between two requests; in a TestCase that would end the test's transaction."""

    databases = ALIASES

    def setUp(self):
        self.user = UserFactory(username="amara")

    def test_a_sign_in_is_there_in_the_next_request(self):
        form = {"username": "amara", "password": "password"}
        self.assertEqual(self.client.post("/sign-in/", form).json(), {"username": "amara"})
        connections.close_all()
        self.assertEqual(self.client.get("/whoami/").json(), {"username": "amara"})

    def test_a_request_reads_the_write_of_an_earlier_request_and_its_author(self):
        self.client.force_login(self.user)
        for number in (1, 2):
            self.client.post("/write/", {"learner": "amara", "answer": [number]})
            connections.close_all()
        entries = [(entry.version, entry.actor_id) for entry in timeline(self.user, BLOCK)]
        self.assertEqual(entries, [(2, self.user.pk), (1, self.user.pk)])

    def test_a_request_that_fails_in_one_transaction_leaves_no_version(self):
        with self.assertRaises(ZeroDivisionError), transaction.atomic():
            self.client.post("/write/", {"learner": "amara", "answer": ["1", "2"]})
            self.client.get("/fail/")
        connections.close_all()
        self.assertEqual(list(timeline(self.user, BLOCK)), [])
        self.assertEqual(stored()[0], [])
