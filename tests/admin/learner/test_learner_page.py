"""The page of a learner shows all blocks of a course, now and at a given time, also those of deleted rows.

Everything rolls back on both aliases.
"""

from datetime import timedelta
from unittest import mock

from django.contrib.auth.models import Permission
from django.test import TestCase, override_settings
from django.urls import reverse
from django.utils import timezone

from history.admin.learner import blocks, entries
from history.api import change_context
from history.models import PendingHistory, StudentModuleHistory
from kvstore.api import DjangoXBlockUserStateClient, set_score
from kvstore.models import StudentModule
from kvstore.querysets import unguarded
from kvstore.testing import UserFactory, assert_queries
from tests.admin.block.case import pending
from tests.admin.lists.case import ALIAS, HISTORY_LIST, PENDING_LIST, STATE_LIST, Lists
from tests.history.hostile import BIDI, SCRIPT
from tests.history.outages import alias_missing, rolled_back
from tests.kvstore.cache.blocks import COURSE, usage

OTHER = COURSE.from_string("course-v1:Org+Other+Run")
SESSION = 2
"""the session, and its user"""


def learner_page(user_id, **query):
    address = reverse("admin:xblock_history_learner", args=[user_id])
    return f"{address}?{'&'.join(f'{name}={value}' for name, value in query.items())}".replace("+", "%2B")


def moved(row, version, moment):
    """Set the time of a version."""
    unguarded(StudentModuleHistory, ALIAS).filter(student_module_id=row.pk, version=version).update(created=moment)


class LearnerPage(Lists, TestCase):
    @classmethod
    def setUpTestData(cls):
        cls.amara = UserFactory(username="amara", first_name="Amara", last_name="Okafor")
        cls.robin = UserFactory(username="robin", first_name="Robin")
        cls.set(cls, "amara", usage("kept"), answer="a", hint="h")
        with change_context(actor=cls.robin, reason="regrade"):
            DjangoXBlockUserStateClient().delete("amara", usage("kept"), fields=["answer"])
        cls.set(cls, "amara", usage("graded"), answer="a")
        set_score(cls.amara.pk, usage("graded"), 2, 2)
        set_score(cls.amara.pk, usage("graded"), 1, 2)
        cls.set(cls, "amara", usage("gone"), answer="a")
        StudentModule.objects.get(module_state_key=usage("gone")).delete()
        cls.set(cls, "amara", OTHER.make_usage_key("problem", "elsewhere"), answer="a")
        cls.row = StudentModule.objects.get(module_state_key=usage("kept"))

    def setUp(self):
        self.sign_in()

    def get(self, user_id=None, status=200, **query):
        response = self.client.get(learner_page(user_id or self.amara.pk, **query))
        self.assertEqual(response.status_code, status)
        return response

    def shown(self, name="blocks", **query):
        rows = self.get(course=COURSE, **query).context[name]
        return {row.block.block_id: row for row in rows}

    def test_without_a_course_the_courses_are_listed_with_the_number_of_blocks(self):
        response = self.get()
        found = {course.course_id: course.blocks for course, _address in response.context["courses"]}
        self.assertEqual(found, {str(COURSE): 2, str(OTHER): 1})
        self.assertContains(response, "Amara Okafor (amara)")

    def test_every_block_has_its_type_score_last_change_actor_versions_and_flags(self):
        shown = self.shown()
        self.assertEqual(list(shown), ["graded", "kept"])
        kept, graded = shown["kept"], shown["graded"]
        self.assertEqual((kept.block.block_type, kept.block.version, kept.actor), ("problem", 2, "Robin (robin)"))
        self.assertEqual(kept.block.changed, self.row.modified)
        self.assertEqual(graded.block.score, "1 / 2")
        self.assertIn("field-removed", [flag.value for flag in kept.block.flags])
        self.assertEqual([flag.value for flag in graded.block.flags], ["grade-decreased"])

    def test_a_deleted_row_is_shown_with_the_last_version_before_it(self):
        gone = self.shown("deleted")["gone"]
        self.assertTrue(gone.block.is_deleted)
        self.assertEqual((gone.block.version, gone.block.losses.before.version), (2, 1))
        self.assertEqual(self.client.get(gone.restore_url).status_code, 200)

    def test_consecutive_losses_by_one_request_are_one_loss(self):
        self.set("amara", usage("kept"), answer="b")
        set_score(self.amara.pk, usage("kept"), 2, 2)
        with change_context(request_id="job-17"):
            DjangoXBlockUserStateClient().delete("amara", usage("kept"), fields=["answer"])
            set_score(self.amara.pk, usage("kept"), 0, 2)
        losses = self.shown()["kept"].block.losses
        self.assertEqual((losses.before.fields["answer"], losses.before.grade), ("b", 2))

    def test_links_open_the_timeline_the_version_and_the_restore_page(self):
        for row in (*self.shown().values(), *self.shown("deleted").values()):
            for address in (row.timeline_url, row.version_url, row.restore_url):
                with self.subTest(block=row.block.block_id, address=address):
                    self.assertEqual(self.client.get(address).status_code, 200)

    def test_the_restore_link_needs_the_permission(self):
        helper = UserFactory(is_staff=True)
        helper.user_permissions.set(Permission.objects.filter(codename="view_studentmodulehistory"))
        self.client.force_login(helper)
        self.assertEqual({row.restore_url for row in self.shown().values()}, {""})

    def test_at_a_given_time_each_block_has_the_version_of_that_time(self):
        now = timezone.now()
        graded = StudentModule.objects.get(module_state_key=usage("graded"))
        for version, days in ((1, 9), (2, 5), (3, 1)):
            moved(graded, version, now - timedelta(days=days))
        moved(self.row, 1, now - timedelta(days=2))
        moment = f"{now - timedelta(days=3):%Y-%m-%dT%H:%M:%S}"
        shown = self.shown(moment=moment)
        self.assertEqual((shown["graded"].block.version, shown["graded"].block.score), (2, "2 / 2"))
        self.assertEqual(shown["graded"].block.flags, ())
        self.assertIsNone(shown["kept"].block.row_id)
        self.assertContains(self.get(course=COURSE, moment=moment), "no recorded version yet")

    def test_a_row_that_was_deleted_later_has_its_state_of_the_given_time(self):
        entry = StudentModuleHistory.objects.get(module_state_key=usage("gone"), action="created")
        moved(mock.Mock(pk=entry.student_module_id), 1, timezone.now() - timedelta(days=2))
        moment = f"{timezone.now() - timedelta(days=1):%Y-%m-%dT%H:%M:%S}"
        gone = self.shown("deleted", moment=moment)["gone"]
        self.assertEqual((gone.block.version, gone.block.is_deleted), (1, False))

    def test_versions_that_were_rolled_back_are_not_shown(self):
        with rolled_back():
            self.set("amara", usage("kept"), answer="rolled back")
        self.assertEqual(StudentModuleHistory.objects.filter(student_module_id=self.row.pk).count(), 3)
        self.assertEqual(self.shown()["kept"].block.version, 2)
        later = f"{timezone.now() + timedelta(days=1):%Y-%m-%dT%H:%M:%S}"
        self.assertEqual(self.shown(moment=later)["kept"].block.version, 2)

    def test_pending_entries_are_included(self):
        with pending(), change_context(actor=self.robin):
            self.set("amara", usage("kept"), answer="pending")
        self.assertEqual(PendingHistory.objects.filter(action="changed").count(), 1)
        kept = self.shown()["kept"]
        self.assertEqual((kept.block.version, kept.actor), (3, "Robin (robin)"))

    def test_blocks_that_are_not_recorded_are_shown_without_flags(self):
        self.set("amara", usage("poll", "poll"), answer="a")
        poll = self.shown()["poll"]
        self.assertEqual((poll.block.version, poll.actor, poll.block.flags), (1, "", ()))
        self.assertContains(self.get(course=COURSE, moment="2100-01-01"), "not recorded")

    def test_a_state_that_is_too_large_is_compared_by_its_grade_only(self):
        with mock.patch.object(entries, "COMPARED_BYTES", 5):
            shown = self.shown()
        self.assertEqual([flag.value for flag in shown["graded"].block.flags], ["grade-decreased"])
        self.assertEqual(shown["kept"].block.flags, ())

    def test_pages_follow_each_other_in_the_order_of_usage_keys(self):
        with mock.patch.object(blocks, "PAGE_SIZE", 1):
            first = self.get(course=COURSE)
            self.assertEqual([row.block.block_id for row in first.context["blocks"]], ["graded"])
            address = reverse("admin:xblock_history_learner", args=[self.amara.pk]) + first.context["next_url"]
            second = self.client.get(address)
        self.assertEqual([row.block.block_id for row in second.context["blocks"]], ["kept"])
        self.assertEqual((second.context["next_url"], second.context["deleted"]), ("", []))

    def test_the_number_of_queries_does_not_depend_on_the_number_of_blocks(self):
        # The rows, the deleted blocks, pending entries, the names; three more decide which entries were committed.
        costs = {"default": SESSION + 6, ALIAS: 3}
        self.get(course=COURSE)
        with assert_queries(**costs):
            self.get(course=COURSE)
        for number in range(40):
            self.set("amara", usage(f"more{number}"), answer=number)
            self.set("amara", usage(f"more{number}"), answer="b")
        with assert_queries(**costs):
            self.assertEqual(len(self.get(course=COURSE).context["blocks"]), 42)

    def test_at_a_given_time_the_number_of_queries_is_constant_too(self):
        # One more on each database: the versions above those of that time prove them.
        moment = f"{timezone.now() - timedelta(days=1):%Y-%m-%dT%H:%M:%S}"
        for count in (3, 40):
            for number in range(count):
                self.set("amara", usage(f"more{number}"), answer=count)
                self.set("amara", usage(f"more{number}"), answer=f"b{count}")
            unguarded(StudentModuleHistory, ALIAS).filter(version=1).update(created=timezone.now() - timedelta(days=2))
            with self.subTest(count=count), assert_queries(**{"default": SESSION + 6, ALIAS: 3}):
                self.get(course=COURSE, moment=moment)

    def test_the_list_of_courses_takes_one_query_on_the_history(self):
        with assert_queries(default=SESSION + 2, student_module_history=1):
            self.get()

    def test_a_deleted_learner_s_page_shows_the_history(self):
        user_id = self.amara.pk
        self.amara.delete()
        response = self.get(user_id)
        self.assertContains(response, f"user {user_id}, deleted")
        self.assertEqual({course.course_id for course, _ in response.context["courses"]}, {str(COURSE), str(OTHER)})
        rows = self.get(user_id, course=COURSE).context["deleted"]
        self.assertEqual([row.block.block_id for row in rows], ["gone", "graded", "kept"])

    def test_ids_without_user_and_history_answer_404(self):
        for user_id in (10**9, 10**30):
            self.get(user_id, status=404)

    def test_unusable_parameters_are_reported(self):
        self.assertContains(self.get(course="nonsense"), "not the key of a course")
        self.assertContains(self.get(course=COURSE, moment="nonsense"), "not a time")
        self.assertEqual(len(self.get(course=COURSE, after="nonsense").context["blocks"]), 2)

    def test_without_the_history_the_present_rows_are_shown(self):
        with alias_missing():
            self.assertContains(self.get(), "The history cannot be read now")
            response = self.get(course=COURSE)
            self.assertContains(response, "The history cannot be read now")
            self.assertEqual([row.block.version for row in response.context["blocks"]], [3, 2])
            self.get(course=COURSE, moment="2026-01-01", status=503)

    def test_staff_of_other_courses_see_their_courses_only(self):
        def has_view_permission(model_admin, request, obj=None):
            return obj is None or str(obj.course_id) == str(OTHER)

        with mock.patch("history.admin.entries.StudentModuleHistoryAdmin.has_view_permission", has_view_permission):
            found = [course.course_id for course, _address in self.get().context["courses"]]
            self.assertEqual(found, [str(OTHER)])
            self.get(course=OTHER)
            self.get(course=COURSE, status=403)

    def test_hostile_names_are_shown_as_text(self):
        type(self.amara).objects.filter(pk=self.amara.pk).update(first_name=SCRIPT, last_name=BIDI)
        for response in (self.get(), self.get(course=COURSE), self.page(HISTORY_LIST), self.page(STATE_LIST)):
            self.assertContains(response, "&lt;script&gt;")
            self.assertNotContains(response, "<script>alert")
            self.assertNotIn("\u202e", response.content.decode())


class Links(Lists, TestCase):
    @classmethod
    def setUpTestData(cls):
        cls.amara = UserFactory(username="amara", first_name="Amara", last_name="Okafor")
        cls.set(cls, "amara", usage("block"))
        cls.row = StudentModule.objects.get()

    def setUp(self):
        self.sign_in()
        self.address = f'href="{reverse("admin:xblock_history_learner", args=[self.amara.pk])}'

    def test_lists_and_timelines_link_to_the_learner(self):
        with pending():
            self.set("amara", usage("block"), answer="b")
        timeline = reverse("admin:xblock_history_timeline", args=[self.row.pk])
        for url in (STATE_LIST, HISTORY_LIST, PENDING_LIST, timeline):
            with self.subTest(url=url):
                self.assertContains(self.client.get(url), self.address)
                self.assertContains(self.client.get(url), "Amara Okafor (amara)")

    def test_the_page_of_a_user_links_to_the_learner(self):
        user_page = reverse("admin:auth_user_change", args=[self.amara.pk])
        self.assertContains(self.client.get(user_page), self.address)
        self.assertNotContains(self.client.get(reverse("admin:auth_user_add")), "Blocks of this learner")
        helper = UserFactory(is_staff=True)
        helper.user_permissions.set(Permission.objects.filter(codename="view_user"))
        self.client.force_login(helper)
        self.assertNotContains(self.client.get(user_page), "Blocks of this learner")

    @override_settings(ROOT_URLCONF="tests.admin.learner.plain_site")
    def test_a_site_without_the_page_has_no_links(self):
        self.assertContains(self.page(reverse("plain:xblock_kvstore_studentmodule_changelist")), "Amara Okafor (amara)")
