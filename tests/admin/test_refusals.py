"""Pages with status 403 and 404 explain the refusal; the refused deletion of a user names the alternatives.

Everything rolls back on both aliases.
"""

from django.contrib.auth.models import Permission
from django.test import TestCase
from django.urls import reverse

from history.models import PendingHistory, StudentModuleHistory
from kvstore.api import DjangoXBlockUserStateClient
from kvstore.models import StudentModule
from kvstore.testing import UserFactory
from tests.admin.block.case import page, pending
from tests.admin.lists.case import HISTORY_LIST, PENDING_LIST, STATE_LIST
from tests.kvstore.cache.blocks import usage

VIEW_HISTORY = "xblock_history.view_studentmodulehistory"
RESTORE = ("xblock_kvstore.change_studentmodule", "xblock_history.restore_studentmodule")
EXPORT = "xblock_history.export_studentmodulehistory"


class RefusalTestCase(TestCase):
    databases = {"default", "student_module_history"}

    @classmethod
    def setUpTestData(cls):
        cls.learner = UserFactory(username="amara")
        DjangoXBlockUserStateClient().set("amara", usage("block"), {"answer": "a"})
        cls.row = StudentModule.objects.get()
        cls.entry = StudentModuleHistory.objects.get()
        with pending():
            DjangoXBlockUserStateClient().set("amara", usage("block"), {"answer": "b"})
        cls.pending = PendingHistory.objects.get()

    def sign_in(self, *codenames, **fields):
        user = UserFactory(is_staff=True, **fields)
        user.user_permissions.set(Permission.objects.filter(codename__in=codenames))
        self.client.force_login(user)


class Forbidden(RefusalTestCase):
    def assert_names(self, url, *codenames, post=False):
        response = self.client.post(url, {}) if post else self.client.get(url)
        self.assertEqual(response.status_code, 403, url)
        self.assertEqual([codename for _, codename in response.context["permissions"]], list(codenames))
        for codename in codenames:
            self.assertContains(response, f"<code>{codename}</code>", status_code=403)
        return response

    def test_pages_name_the_missing_permission_to_view(self):
        self.sign_in()
        for url, codename in (
            (STATE_LIST, "xblock_kvstore.view_studentmodule"),
            (HISTORY_LIST, VIEW_HISTORY),
            (PENDING_LIST, "xblock_history.view_pendinghistory"),
            (
                reverse("admin:xblock_kvstore_studentmodule_change", args=[self.row.pk]),
                "xblock_kvstore.view_studentmodule",
            ),
            (reverse("admin:xblock_history_studentmodulehistory_change", args=[self.entry.pk]), VIEW_HISTORY),
            (page("timeline", self.row.pk), VIEW_HISTORY),
            (page("version", self.row.pk, 1), VIEW_HISTORY),
        ):
            with self.subTest(url=url):
                self.assert_names(url, codename)

    def test_the_name_is_the_one_on_the_page_of_the_user(self):
        self.sign_in()
        self.assertContains(self.client.get(HISTORY_LIST), "Can view history entry", status_code=403)
        self.assertContains(self.client.get(HISTORY_LIST), "Ask an administrator of this site", status_code=403)

    def test_restoring_and_exporting_name_each_missing_permission(self):
        self.sign_in("view_studentmodulehistory")
        self.assert_names(page("restore", self.row.pk, 1), *RESTORE)
        self.assert_names(page("restore", self.row.pk, 1), *RESTORE, post=True)
        self.assert_names(page("timeline_export", self.row.pk), EXPORT)
        self.assert_names(reverse("admin:xblock_history_studentmodulehistory_export"), EXPORT)
        self.sign_in("restore_studentmodule")
        self.assert_names(page("restore", self.row.pk, 1), VIEW_HISTORY, RESTORE[0])

    def test_pages_that_no_account_may_use_say_so(self):
        self.sign_in(is_superuser=True)
        for model, pk in (
            ("xblock_kvstore_studentmodule", self.row.pk),
            ("xblock_history_studentmodulehistory", self.entry.pk),
            ("xblock_history_pendinghistory", self.pending.pk),
        ):
            for url, method in (
                (reverse(f"admin:{model}_add"), self.client.get),
                (reverse(f"admin:{model}_delete", args=[pk]), self.client.get),
                (reverse(f"admin:{model}_delete", args=[pk]), self.client.post),
                (reverse(f"admin:{model}_change", args=[pk]), self.client.post),
            ):
                with self.subTest(url=url):
                    self.assertContains(method(url), "never adds, changes or deletes", status_code=403)

    def test_the_page_contains_nothing_about_the_row(self):
        self.sign_in()
        there, absent = (self.client.get(page("timeline", row)) for row in (self.row.pk, 10**9))
        self.assertEqual(there.status_code, absent.status_code)
        neutral = [response.content.decode().partition("<main")[2] for response in (there, absent)]
        self.assertEqual(neutral[0], neutral[1])
        self.assertNotIn("amara", neutral[0])

    def test_anonymous_users_are_led_to_the_login(self):
        self.client.logout()
        self.assertEqual(self.client.get(HISTORY_LIST).status_code, 302)


class NotFound(RefusalTestCase):
    def test_the_page_names_the_missing_row_or_version(self):
        self.sign_in("view_studentmodulehistory", "export_studentmodulehistory")
        for url, sentence in (
            (page("timeline", 10**9), "Row 1000000000 of learners&#x27; state does not exist and never did."),
            (page("version", self.row.pk, 7), f"Row {self.row.pk} has no version 7."),
            (page("state", self.row.pk, 7), f"Row {self.row.pk} has no version 7."),
        ):
            with self.subTest(url=url):
                response = self.client.get(url)
                self.assertContains(response, sentence, status_code=404)
                self.assertContains(response, f'href="{HISTORY_LIST}"', status_code=404)
                self.assertTemplateUsed(response, "admin/base_site.html")

    def test_a_missing_id_of_a_list_leads_to_the_index_with_a_message(self):
        self.sign_in("view_studentmodulehistory")
        url = reverse("admin:xblock_history_studentmodulehistory_change", args=[10**9])
        self.assertContains(self.client.get(url, follow=True), "exist")


class DeletionOfAUser(RefusalTestCase):
    EXPLANATION = "The admin does not delete learners&#x27; state, so it does not delete this account."

    def setUp(self):
        self.sign_in(is_superuser=True)
        self.url = reverse("admin:auth_user_delete", args=[self.learner.pk])

    def test_the_page_explains_once_what_to_do(self):
        for number in range(3):
            DjangoXBlockUserStateClient().set("amara", usage(f"more-{number}"), {"answer": "a"})
        response = self.client.get(self.url)
        self.assertContains(response, self.EXPLANATION, count=1)
        self.assertContains(response, "deactivate the account")
        self.assertContains(response, f"objects.get(pk={self.learner.pk}).delete()")

    def test_the_action_on_a_list_of_users_explains_too(self):
        users = reverse("admin:auth_user_changelist")
        data = {"action": "delete_selected", "_selected_action": [self.learner.pk]}
        self.assertContains(self.client.post(users, data), self.EXPLANATION, count=1)

    def test_the_refused_request_is_not_explained_again_later(self):
        self.assertEqual(self.client.post(self.url, {"post": "yes"}).status_code, 403)
        self.assertNotContains(self.client.get("/admin/"), self.EXPLANATION)

    def test_a_user_without_state_is_deleted(self):
        other = UserFactory()
        url = reverse("admin:auth_user_delete", args=[other.pk])
        self.assertNotContains(self.client.get(url), "does not delete this account")
        self.assertEqual(self.client.post(url, {"post": "yes"}).status_code, 302)

    def test_the_page_of_the_row_does_not_mention_users(self):
        url = reverse("admin:xblock_kvstore_studentmodule_change", args=[self.row.pk])
        self.assertNotContains(self.client.get(url), "does not delete this account")

    def test_the_named_command_deletes_the_account_and_records_the_deletion(self):
        self.learner.delete()
        self.assertFalse(StudentModule.objects.exists())
        self.assertEqual(PendingHistory.objects.latest("version").action, "deleted")
