"""The admin restores a version: with a preview and a reason, and only if the row has not changed since the preview."""

import re
import threading
import time

from django.contrib.admin.models import LogEntry
from django.db import connections
from django.test import Client, TestCase, TransactionTestCase, override_settings, skipUnlessDBFeature
from django.urls import reverse

from history.api import timeline
from kvstore.api import DjangoXBlockUserStateClient, get_score, set_score
from kvstore.models import StudentModule
from kvstore.testing import UserFactory, assert_queries
from tests.history.outages import alias_missing
from tests.kvstore.cache.blocks import usage

BLOCK = usage("block")


class RestorationTestCase(TestCase):
    """Everything rolls back on both aliases."""

    databases = {"default", "student_module_history"}

    @classmethod
    def setUpTestData(cls):
        cls.staff = UserFactory(username="staff", is_staff=True, is_superuser=True)
        cls.learner = UserFactory(username="amara")
        cls.write(answer="a")
        set_score(cls.learner.pk, BLOCK, 2, 2)
        cls.write(answer="b")
        set_score(cls.learner.pk, BLOCK, 0, 2)

    @classmethod
    def write(cls, **fields):
        DjangoXBlockUserStateClient(cls.learner).set("amara", BLOCK, fields)

    def setUp(self):
        self.client.force_login(self.staff)
        self.url = reverse("admin:xblock_history_restore", args=[self.row().pk, 2])

    def row(self):
        return StudentModule.objects.get(student=self.learner)

    def post(self, **fields):
        return self.client.post(self.url, {"reason": "answer lost", "expected_version": 4} | fields)

    def assert_nothing_was_written(self):
        self.assertEqual([entry.version for entry in timeline(self.learner, BLOCK)], [4, 3, 2, 1])
        self.assertFalse(LogEntry.objects.exists())


class Preview(RestorationTestCase):
    def test_the_page_shows_the_changes_and_writes_nothing(self):
        response = self.client.get(self.url)
        (change,) = response.context["difference"].changes
        self.assertEqual((change.old, change.new), ("b", "a"))
        self.assertContains(response, '<input type="hidden" name="expected_version" value="4">', html=True)
        self.assertContains(response, "2 / 2")
        self.assertContains(response, "0 / 2")
        self.assert_nothing_was_written()

    def test_each_button_states_what_happens_to_the_grade(self):
        keep, take = (
            ("keep", "Restore version 2, keep the grade: 0 / 2"),
            ("restore", "Restore version 2 and its grade: 2 / 2"),
        )
        self.assertEqual(self.client.get(self.url).context["buttons"], [keep, take])
        # The Enter key presses the first button.
        self.assertEqual(self.client.get(f"{self.url}?grade=restore").context["buttons"], [take, keep])
        refused = self.post(grade="restore", reason="")
        self.assertEqual(refused.context["buttons"], [take, keep])
        for button in (keep, take):
            self.assertContains(refused, button[1], status_code=400)

    def test_a_version_with_the_present_grade_has_one_button(self):
        self.write(answer="c")
        self.url = reverse("admin:xblock_history_restore", args=[self.row().pk, 4])
        page = self.client.get(self.url)
        self.assertEqual(page.context["buttons"], [("keep", "Restore version 4, keep the grade: 0 / 2")])
        self.assertContains(page, "The grade stays the same: 0 / 2.")

    def test_a_version_that_changed_the_grade_alone_offers_its_grade(self):
        set_score(self.learner.pk, BLOCK, 1, 2)
        self.url = reverse("admin:xblock_history_restore", args=[self.row().pk, 4])
        page = self.client.get(self.url)
        self.assertEqual(page.context["buttons"], [("restore", "Restore only the grade of version 4: 0 / 2")])
        self.assertContains(page, "Only the grade differs.")

    def test_a_version_without_a_grade(self):
        self.url = reverse("admin:xblock_history_restore", args=[self.row().pk, 1])
        labels = [button.label for button in self.client.get(self.url).context["buttons"]]
        self.assertEqual(labels, ["Restore version 1, keep the grade: 0 / 2", "Restore version 1 and its grade: none"])

    def test_the_present_version_has_no_button_and_the_page_explains_it(self):
        page = self.client.get(reverse("admin:xblock_history_restore", args=[self.row().pk, 4]))
        self.assertEqual(page.context["buttons"], [])
        self.assertContains(page, "There is nothing to restore.")
        self.assertNotContains(page, 'method="post" class="history-restore"')

    def test_a_deletion_has_no_button_and_the_page_explains_it(self):
        row_id = self.row().pk
        self.row().delete()
        page = self.client.get(reverse("admin:xblock_history_restore", args=[row_id, 5]))
        self.assertEqual(page.context["buttons"], [])
        self.assertContains(page, "Choose an earlier version.")

    def test_its_statements(self):
        self.client.get(self.url)
        # `default`: session, staff, row, row and pending entries of the version, row, learner.
        # History: the entry, and the versions above it, which decide whether it was committed.
        with assert_queries(default=7, student_module_history=2):
            self.client.get(self.url)

    def test_head_writes_nothing_either(self):
        self.assertEqual(self.client.head(self.url).status_code, 200)
        self.assert_nothing_was_written()


class Restored(RestorationTestCase):
    def test_a_new_version_with_actor_and_reason(self):
        response = self.post()
        self.assertRedirects(response, reverse("admin:xblock_history_timeline", args=[self.row().pk]))
        newest = next(timeline(self.learner, BLOCK))
        self.assertEqual((newest.version, newest.action, newest.state), (5, "restored", '{"answer":"a"}'))
        self.assertEqual((newest.actor_id, newest.reason, newest.source_version), (self.staff.pk, "answer lost", 2))
        self.assertEqual(get_score(self.learner.pk, BLOCK).correct, 0)

    def test_the_grade_when_ticked(self):
        self.post(grade="restore")
        self.assertEqual(get_score(self.learner.pk, BLOCK).correct, 2)

    def message(self, **fields):
        (message,) = self.client.get(self.post(**fields)["Location"]).context["messages"]
        return message.message

    def undone(self, message):
        """Follow the link in a message, press its first button, and return the row."""
        (url,) = re.findall('href="([^"]+)"', message)
        page = self.client.get(url)
        self.url = url.replace("&amp;", "&")
        fields = {"expected_version": page.context["current_version"], "grade": page.context["buttons"][0].grade}
        self.assertEqual(self.post(**fields).status_code, 302)
        return self.row()

    def test_the_message_states_the_grade_and_offers_undo(self):
        message = self.message()
        self.assertIn("Version 2 was restored as version 5. The grade was kept: 0 / 2.", message)
        self.assertIn("Undo: restore version 4…", message)
        row = self.undone(message)
        self.assertEqual((row.version, row.state, row.grade), (6, '{"answer":"b"}', 0))

    def test_the_undo_of_a_restored_grade_restores_the_grade_too(self):
        message = self.message(grade="restore")
        self.assertIn("Its grade was restored: 2 / 2.", message)
        row = self.undone(message)
        self.assertEqual((row.state, row.grade, row.max_grade), ('{"answer":"b"}', 0, 2))

    def test_a_version_that_changed_the_grade_alone(self):
        self.url = reverse("admin:xblock_history_restore", args=[self.row().pk, 3])
        message = self.message(grade="restore")
        self.assertIn("Its grade was restored: 2 / 2.", message)
        self.assertEqual((self.row().state, self.row().grade), ('{"answer":"b"}', 2))
        self.assertEqual(self.undone(message).grade, 0)

    def test_a_message_about_a_row_that_was_missing_offers_no_undo(self):
        self.row().delete()
        message = self.message(expected_version=0, grade="restore")
        self.assertIn("Its grade was restored: 2 / 2.", message)
        self.assertNotIn("Undo", message)

    def test_the_admin_log_has_an_entry(self):
        self.post()
        logged = LogEntry.objects.get()
        self.assertEqual((logged.user, logged.object_id), (self.staff, str(self.row().pk)))
        self.assertIn("Restored version 2", logged.get_change_message())

    def test_the_state_is_never_taken_from_the_form(self):
        self.post(state='{"answer":"forged"}', grade_value="9", student_id="1")
        self.assertEqual(self.row().state, '{"answer":"a"}')

    def test_the_timeline_names_the_restored_version(self):
        self.post()
        response = self.client.get(reverse("admin:xblock_history_timeline", args=[self.row().pk]))
        self.assertContains(response, f"Restored from version 2 of row {self.row().pk}.")
        response = self.client.get(reverse("admin:xblock_history_version", args=[self.row().pk, 5]))
        self.assertContains(response, reverse("admin:xblock_history_version", args=[self.row().pk, 2]))

    def test_a_deleted_row(self):
        row_id = self.row().pk
        self.row().delete()
        url = reverse("admin:xblock_history_restore", args=[row_id, 3])
        self.assertContains(self.client.get(url), "Now (no row)")
        response = self.client.post(url, {"reason": "deleted by mistake", "expected_version": 0})
        self.assertRedirects(response, reverse("admin:xblock_history_timeline", args=[self.row().pk]))
        self.assertEqual(self.row().state, '{"answer":"b"}')


class Refused(RestorationTestCase):
    def test_after_another_write_it_is_refused_and_the_page_shows_the_new_changes(self):
        self.write(answer="c")
        response = self.post()
        self.assertContains(response, "Nothing was stored; reload and try again.", status_code=409)
        self.assertContains(response, "Nothing was written.", status_code=409)
        (change,) = response.context["difference"].changes
        self.assertEqual(change.old, "c")
        # Agreed to again, it is done.
        self.assertContains(
            response, '<input type="hidden" name="expected_version" value="5">', html=True, status_code=409
        )
        self.assertEqual(self.post(expected_version=5).status_code, 302)

    def test_twice(self):
        self.post()
        self.assertEqual(self.post().status_code, 409)
        self.assertEqual(self.row().version, 5)

    def test_without_a_reason_or_an_expected_version(self):
        for fields in ({"reason": ""}, {"reason": "  "}, {"reason": "x" * 256}, {"reason": "nul \0"}):
            with self.subTest(fields=fields):
                self.assertEqual(self.post(**fields).status_code, 400)
        for expected in ("", "x", "-1"):
            self.assertEqual(self.post(expected_version=expected).status_code, 400)
        self.assert_nothing_was_written()

    def test_the_state_that_the_row_already_has_is_refused(self):
        self.url = reverse("admin:xblock_history_restore", args=[self.row().pk, 4])
        self.assertContains(self.post(), "already has the state of version", status_code=409)
        self.assert_nothing_was_written()

    def test_a_value_of_the_grade_that_is_no_choice_is_refused(self):
        self.assertEqual(self.post(grade="on").status_code, 400)
        self.assert_nothing_was_written()

    @override_settings(HISTORY_BLOCK_TYPES=())
    def test_a_type_that_is_not_recorded(self):
        self.assertContains(self.post(), "Add the type to HISTORY_BLOCK_TYPES", status_code=409)
        self.assert_nothing_was_written()

    def test_a_reason_is_escaped_when_the_form_is_shown_again(self):
        response = self.post(reason="<script>alert(1)</script>", expected_version=1)
        self.assertContains(response, "&lt;script&gt;", status_code=409)
        self.assertNotContains(response, "<script>alert", status_code=409)

    def test_while_the_history_cannot_be_read(self):
        with alias_missing():
            self.assertEqual(self.post().status_code, 503)
            self.assertEqual(self.client.get(self.url).status_code, 503)
        self.assert_nothing_was_written()


@skipUnlessDBFeature("has_select_for_update")
class Raced(TransactionTestCase):
    """Outside a transaction, because a learner and a member of staff write over connections of their own."""

    databases = {"default", "student_module_history"}
    ROUNDS = 25

    def test_a_learners_write_at_the_same_moment_is_never_lost(self):
        staff = UserFactory(is_staff=True, is_superuser=True)
        learner = UserFactory(username="amara")
        client = DjangoXBlockUserStateClient(learner)
        client.set("amara", BLOCK, {"answer": "first"})
        client.set("amara", BLOCK, {"answer": "second"})
        row_id = StudentModule.objects.get().pk
        url = reverse("admin:xblock_history_restore", args=[row_id, 1])
        browser = Client()
        browser.force_login(staff)
        for number in range(self.ROUNDS):
            version = StudentModule.objects.get().version
            answer = f"answer {number}"
            status = self.at_once(
                # Sooner and later than the page gets to its lock, so that either may be first.
                lambda answer=answer, wait=number % 6 / 100: (
                    time.sleep(wait) or client.set("amara", BLOCK, {"answer": answer})
                ),
                lambda version=version: browser.post(url, {"reason": "r", "expected_version": version}).status_code,
            )
            states = [(entry.action, entry.state) for entry in timeline(learner, BLOCK) if entry.version > version]
            written = ("changed", f'{{"answer":"{answer}"}}')
            # The restore is overwritten or refused. The learner's answer is stored in both cases.
            restored = [] if status == 409 else [("restored", '{"answer":"first"}')]
            self.assertEqual(states, [written, *restored])
            self.assertEqual(StudentModule.objects.get().state, written[1])
        versions = [entry.version for entry in timeline(learner, BLOCK)]
        self.assertEqual(versions, list(range(len(versions), 0, -1)))

    def at_once(self, learner_writes, staff_restores):
        """Run both at one moment, each on its own connection; return the result of the second."""
        begin = threading.Barrier(2)
        returned = {}

        def run(name, do):
            begin.wait()
            try:
                returned[name] = do()
            except BaseException as error:
                returned[name] = error
            finally:
                connections.close_all()

        threads = [
            threading.Thread(target=run, args=arguments)
            for arguments in (("learner", learner_writes), ("staff", staff_restores))
        ]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
        self.assertIsNone(returned["learner"])
        self.assertIn(returned["staff"], (302, 409))
        return returned["staff"]
