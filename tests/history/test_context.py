"""Actor, reason and request of a change: nested, across threads and tasks, and from the middleware to the entries."""

import asyncio
import re
import threading
from contextvars import copy_context

from asgiref.sync import async_to_sync
from django.contrib.auth.models import AnonymousUser
from django.test import AsyncClient, SimpleTestCase, TestCase, override_settings

from history.api import Change, UnusableContext, change_context, current_change
from history.models import StudentModuleHistory
from kvstore.api import DjangoXBlockUserStateClient
from kvstore.testing import UserFactory, assert_queries
from tests.kvstore.cache.blocks import usage


class Context(SimpleTestCase):
    def test_an_inner_context_completes_the_one_around_it(self):
        with change_context(actor=1, reason="import", request_id="outer"):
            with change_context(reason="import of one") as inner:
                self.assertEqual(inner, Change(1, "import of one", "outer"))
                self.assertIs(current_change(), inner)
                with change_context(actor=2, request_id="inner"):
                    self.assertEqual(current_change(), Change(2, "import of one", "inner"))
                with change_context(reason="", request_id="", actor=AnonymousUser()):
                    self.assertEqual((current_change().reason, current_change().request_id), ("", ""))
                    self.assertIsNone(current_change().actor_id)
                self.assertIs(current_change(), inner)
            self.assertEqual(current_change(), Change(1, "import", "outer"))
        self.assertEqual(current_change(), Change())

    def test_an_error_inside_ends_the_context_too(self):
        with self.assertRaises(ZeroDivisionError), change_context(reason="fails"):
            _ = 1 / 0
        self.assertEqual(current_change(), Change())

    def test_the_actor_is_a_user_an_id_none_or_a_function(self):
        user = UserFactory.build(pk=7)
        for actor in (user, 7, lambda: user, lambda: 7):
            with self.subTest(actor=actor), change_context(actor=actor) as change:
                self.assertEqual(change.actor_id, 7)
        for actor in (None, AnonymousUser(), lambda: None, AnonymousUser):
            with self.subTest(actor=actor), change_context(actor=actor) as change:
                self.assertIsNone(change.actor_id)

    def test_values_that_an_entry_cannot_hold_are_refused_at_once(self):
        for given in (
            {"reason": "x" * 256},
            {"reason": "nul\0"},
            {"request_id": "x" * 65},
            {"request_id": "\0"},
            {"reason": "\ud800"},
            {"reason": 5},
            {"request_id": b"bytes"},
            {"actor": "somebody"},
            {"actor": 2**63},
        ):
            with self.subTest(given=given), self.assertRaises(UnusableContext), change_context(**given):
                self.fail("The context was entered.")
        self.assertEqual(current_change(), Change())

    def test_values_of_the_maximum_length_are_kept(self):
        with change_context(reason="ü" * 255, request_id="x" * 64) as change:
            self.assertEqual((len(change.reason), len(change.request_id)), (255, 64))

    def test_a_thread_sees_the_context_that_it_is_started_in_only_when_given_it(self):
        seen = {}

        def look(name):
            seen[name] = current_change().reason
            with change_context(reason="the thread's own"):
                pass

        with change_context(reason="nightly"):
            threads = [
                threading.Thread(target=look, args=("plain",)),
                threading.Thread(target=copy_context().run, args=(look, "with context")),
            ]
            for thread in threads:
                thread.start()
            for thread in threads:
                thread.join()
            self.assertEqual(current_change().reason, "nightly")
        self.assertEqual(seen, {"plain": "", "with context": "nightly"})

    def test_tasks_that_take_turns_keep_their_own(self):
        async def work(number):
            with change_context(request_id=f"task-{number}"):
                for _ in range(3):
                    await asyncio.sleep(0)
                    self.assertEqual(current_change(), Change(reason="all", request_id=f"task-{number}"))
                return await asyncio.to_thread(lambda: current_change().request_id)

        async def everything():
            with change_context(reason="all"):
                return await asyncio.gather(*map(work, range(3)))

        self.assertEqual(asyncio.run(everything()), ["task-0", "task-1", "task-2"])


class ContextOnEntries(TestCase):
    databases = {"default", "student_module_history"}

    def test_the_reason_may_be_in_any_script(self):
        user = UserFactory()
        reason = "再評価 🌊 " * 20
        with change_context(reason=reason):
            DjangoXBlockUserStateClient(user).set(user.username, usage("block"), {"answer": 1})
        self.assertEqual(StudentModuleHistory.objects.get().reason, reason)


@override_settings(ROOT_URLCONF="tests.history.pages")
class Middleware(TestCase):
    databases = {"default", "student_module_history"}
    address = "/write/"

    @classmethod
    def setUpTestData(cls):
        cls.teacher, cls.learner = UserFactory(username="teacher"), UserFactory(username="learner")

    def entries(self):
        return StudentModuleHistory.objects.order_by("version")

    def write(self, *answers, **headers):
        form = {"learner": "learner", "answer": answers}
        return self.client.post(self.address, form, headers=headers).json()["request_id"]

    def test_an_entry_names_the_signed_in_user_and_the_request(self):
        self.client.force_login(self.teacher)
        request_id = self.write("1")
        entry = self.entries().get()
        self.assertEqual((entry.actor_id, entry.student_id), (self.teacher.pk, self.learner.pk))
        self.assertEqual((entry.request_id, entry.reason), (request_id, ""))
        self.assertTrue(re.fullmatch("[0-9a-f]{32}", request_id))

    def test_an_anonymous_request_has_no_actor(self):
        self.write("1")
        self.assertIsNone(self.entries().get().actor_id)

    def test_saves_of_one_request_are_versions_with_one_request_id(self):
        request_ids = [self.write("1", "2"), self.write("3")]
        versions = list(self.entries().values_list("version", "request_id"))
        self.assertEqual(versions, [(1, request_ids[0]), (2, request_ids[0]), (3, request_ids[1])])
        self.assertNotEqual(*request_ids)

    def test_a_client_cannot_choose_the_request_id(self):
        for header in ("X-Request-ID", "x-request-id", "X-Correlation-ID", "Request-ID"):
            with self.subTest(header=header):
                request_id = self.write(header, **{header: "regrade-job-17"})
                self.assertRegex(request_id, "^[0-9a-f]{32}$")
                self.assertEqual(self.entries().last().request_id, request_id)

    @override_settings(HISTORY_REQUEST_ID_HEADER="X-Amzn-Trace-Id")
    def test_only_the_header_that_the_setting_names_is_used(self):
        request_id = self.write("1", **{"X-Request-ID": "regrade-job-17", "x-amzn-trace-id": "Root:1-67891233"})
        self.assertEqual(request_id, "Root:1-67891233")
        self.assertRegex(self.write("2", **{"X-Request-ID": "regrade-job-17"}), "^[0-9a-f]{32}$")

    @override_settings(HISTORY_REQUEST_ID_HEADER="X-Request-ID")
    def test_a_proxy_s_request_id_is_kept_where_it_is_a_plain_token(self):
        for given, kept in (
            ("0af7651916cd43dd8448eb211c80319c", True),
            ("Root:1-67891233.a_b", True),
            ("x" * 64, True),
            ("x" * 65, False),
            ("", False),
            ("two words", False),
            ("<script>", False),
            ("line\nbreak", False),
            ("trailing\n", False),
            ("naïve", False),
        ):
            with self.subTest(given=given):
                request_id = self.write(given, **{"X-Request-ID": given})
                self.assertEqual(request_id == given, kept)
                self.assertEqual(self.entries().last().request_id, request_id)

    def test_the_user_is_not_looked_up_where_nothing_is_written(self):
        self.client.force_login(self.teacher)
        with assert_queries():
            self.client.get("/idle/")

    def test_the_context_ends_with_its_request(self):
        self.client.get("/idle/")
        with self.assertRaises(ZeroDivisionError):
            self.client.get("/fail/")
        self.assertEqual(current_change(), Change())


class MiddlewareBeforeAsyncViews(Middleware):
    """The same, where the view is a coroutine and the stack is not."""

    address = "/write-async/"


class AsyncMiddleware(Middleware):
    """The same, over ASGI: the whole stack is asynchronous."""

    client_class = AsyncClient
    address = "/write-async/"

    def setUp(self):
        # The methods of the asynchronous client that synchronous tests call.
        self.client.get = async_to_sync(self.client.get)
        self.client.post = async_to_sync(self.client.post)
