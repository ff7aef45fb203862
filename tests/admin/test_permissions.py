"""The status of every page for every role, for GET and POST.

Everything rolls back on both aliases.
"""

from unittest import mock
from urllib.parse import quote

from django.contrib.auth.models import Permission
from django.test import TestCase, tag
from django.urls import reverse

from history.api import change_context, timeline
from history.models import PendingHistory, StudentModuleHistory
from kvstore.api import DjangoXBlockUserStateClient
from kvstore.models import StudentModule
from kvstore.querysets import unguarded
from kvstore.testing import StudentModuleFactory, UserFactory
from tests.kvstore.cache.blocks import usage

BLOCK = usage("block")
HISTORY_DB = "student_module_history"
LOGIN, DENIED, NOT_ALLOWED, SHOWN, LED_ON = 302, 403, 405, 200, 302

ROLES = {
    "anonymous": None,
    "nobody": (),
    "view": ("view_studentmodule", "view_studentmodulehistory", "view_pendinghistory"),
    "change": ("view_studentmodule", "view_studentmodulehistory", "view_pendinghistory", "change_studentmodule"),
    # Useless by itself: restoring requires the permissions to view and to change too.
    "restore alone": ("restore_studentmodule",),
    "restore": ("view_studentmodulehistory", "change_studentmodule", "restore_studentmodule"),
    "export alone": ("export_studentmodulehistory",),
    "export": ("view_studentmodulehistory", "export_studentmodulehistory"),
    "repair alone": ("repair_incident",),
    "repair": ("view_studentmodulehistory", "change_studentmodule", "repair_incident"),
    "superuser": None,
}
NAMES = list(ROLES)


def per_role(*statuses):
    """Return the status for each role, in the order of ROLES."""
    return dict(zip(NAMES, statuses, strict=True))


# In Django the permission to change an object includes the permission to view it.
STATE = per_role(LOGIN, DENIED, SHOWN, SHOWN, DENIED, SHOWN, DENIED, DENIED, DENIED, SHOWN, SHOWN)
HISTORY = per_role(LOGIN, DENIED, SHOWN, SHOWN, DENIED, SHOWN, DENIED, SHOWN, DENIED, SHOWN, SHOWN)
PENDING = per_role(LOGIN, DENIED, SHOWN, SHOWN, DENIED, DENIED, DENIED, DENIED, DENIED, DENIED, SHOWN)
RESTORE = per_role(LOGIN, DENIED, DENIED, DENIED, DENIED, SHOWN, DENIED, DENIED, DENIED, DENIED, SHOWN)
EXPORT = per_role(LOGIN, DENIED, DENIED, DENIED, DENIED, DENIED, DENIED, SHOWN, DENIED, DENIED, SHOWN)
REPAIR = per_role(LOGIN, *[DENIED] * 8, SHOWN, SHOWN)
NEVER = per_role(LOGIN, *[DENIED] * 10)
ONLY_LOOKED_AT = per_role(LOGIN, *[NOT_ALLOWED] * 10)


FORM = {"post": "yes", "state": "{}"}
"""would delete a row or change its state"""


@tag("any_database")
class Matrix(TestCase):
    databases = {"default", "student_module_history"}

    @classmethod
    def setUpTestData(cls):
        learner = UserFactory(username="amara")
        client = DjangoXBlockUserStateClient()
        client.set("amara", BLOCK, {"answer": "a"})
        client.set("amara", BLOCK, {"answer": "b"})
        cls.row = StudentModule.objects.get(student=learner)
        with mock.patch("history.recording.receivers.try_entries", return_value=False):
            StudentModuleFactory(module_state_key=usage("waits"))
        cls.pending = PendingHistory.objects.get()
        cls.entry = StudentModuleHistory.objects.get(version=1)
        cls.users = {name: cls.user(name, codenames) for name, codenames in ROLES.items() if name != "anonymous"}

    @classmethod
    def user(cls, name, codenames):
        user = UserFactory(username=name.replace(" ", "-"), is_staff=True, is_superuser=name == "superuser")
        user.user_permissions.set(Permission.objects.filter(codename__in=codenames or ()))
        return user

    def pages(self):
        """Return every address: whether it is allowed to look, and to act."""

        def of(model, page, *args):
            return reverse(f"admin:{model}_{page}", args=args)

        def block(page, *args):
            return reverse(f"admin:xblock_history_{page}", args=[self.row.pk, *args])

        learner = reverse("admin:xblock_history_learner", args=[self.row.student_id])
        state, history, pending = (
            "xblock_kvstore_studentmodule",
            "xblock_history_studentmodulehistory",
            "xblock_history_pendinghistory",
        )
        return {
            of(state, "changelist"): (STATE, STATE),
            of(state, "change", self.row.pk): (STATE, NEVER),
            of(state, "add"): (NEVER, NEVER),
            of(state, "delete", self.row.pk): (NEVER, NEVER),
            of(history, "changelist"): (HISTORY, HISTORY),
            of(history, "change", self.entry.pk): (HISTORY, NEVER),
            of(history, "add"): (NEVER, NEVER),
            of(history, "delete", self.entry.pk): (NEVER, NEVER),
            f"{of(history, 'export')}?q=amara": (EXPORT, ONLY_LOOKED_AT),
            # A POST without criteria is a page without a preview.
            reverse("admin:xblock_history_incident"): (REPAIR, REPAIR),
            of(pending, "changelist"): (PENDING, PENDING),
            of(history, "history", self.entry.pk): (HISTORY, HISTORY),
            of(pending, "change", self.pending.pk): (PENDING, NEVER),
            of(pending, "add"): (NEVER, NEVER),
            of(pending, "delete", self.pending.pk): (NEVER, NEVER),
            of(pending, "history", self.pending.pk): (PENDING, PENDING),
            block("timeline"): (HISTORY, ONLY_LOOKED_AT),
            block("version", 1): (HISTORY, ONLY_LOOKED_AT),
            # The stored text, as it is.
            block("state", 1): (EXPORT, ONLY_LOOKED_AT),
            f"{block('compare')}?a=1&b=2": (HISTORY, ONLY_LOOKED_AT),
            f"{block('timeline_export')}?format=csv": (EXPORT, ONLY_LOOKED_AT),
            block("evidence"): (EXPORT, ONLY_LOOKED_AT),
            block("restore", 1): (RESTORE, {}),
            learner: (HISTORY, ONLY_LOOKED_AT),
            f"{learner}?course={quote(str(self.row.course_id))}": (HISTORY, ONLY_LOOKED_AT),
        }

    def sign_in(self, role):
        self.client.logout()
        if role in self.users:
            self.client.force_login(self.users[role])

    def visit(self, role, method, url, **data):
        self.sign_in(role)
        return getattr(self.client, method)(url, data)

    def test_every_cell(self):
        pages = self.pages()
        for role in ROLES:
            self.sign_in(role)
            for url, allowed in pages.items():
                for method, expected in zip(("get", "post"), allowed, strict=True):
                    if role in expected:
                        with self.subTest(role=role, method=method, url=url):
                            response = getattr(self.client, method)(url, FORM if method == "post" else {})
                            self.assertEqual(response.status_code, expected[role])
                            if role == "anonymous":
                                self.assertIn("/admin/login/", response["Location"])
                            # Closes a file.
                            response.getvalue()
        # After all that: nothing was written.
        self.assertEqual([entry.version for entry in timeline(self.row.student_id, BLOCK)], [2, 1])

    def test_roles_that_restore_by_post(self):
        url = reverse("admin:xblock_history_restore", args=[self.row.pk, 1])
        for role, status in RESTORE.items():
            with self.subTest(role=role):
                version = StudentModule.objects.get(pk=self.row.pk).version
                response = self.visit(role, "post", url, reason="answer lost", expected_version=version)
                restored = status == SHOWN
                self.assertEqual(response.status_code, LED_ON if restored else status)
                self.assertEqual(StudentModule.objects.get(pk=self.row.pk).version, version + restored)
                if restored:
                    DjangoXBlockUserStateClient().set("amara", BLOCK, {"answer": "b"})

    def test_roles_that_repair_by_post(self):
        with change_context(request_id="job-17"):
            DjangoXBlockUserStateClient().set("amara", BLOCK, {"answer": ""})
        url, query = reverse("admin:xblock_history_incident"), {"request_id": "job-17"}
        seen = self.visit("superuser", "get", url, **query).context["preview"].digest
        for role, status in REPAIR.items():
            with self.subTest(role=role):
                version = StudentModule.objects.get(pk=self.row.pk).version
                shown = self.visit(role, "get", url, **query)
                self.assertEqual((shown.status_code, b"history-rows" in shown.content), (status, status == SHOWN))
                seen = shown.context["preview"].digest if status == SHOWN else seen
                response = self.visit(role, "post", url, **query, reason="answer lost", seen=seen)
                is_repaired = status == SHOWN and version == 3
                self.assertEqual(response.status_code, LED_ON if status == SHOWN else status)
                self.assertEqual(StudentModule.objects.get(pk=self.row.pk).version, version + is_repaired)

    def test_the_stored_text_requires_the_permission_to_export(self):
        url = reverse("admin:xblock_history_version", args=[self.row.pk, 1])
        formatted, stored = "&quot;answer&quot;: &quot;a&quot;", "{&quot;answer&quot;:&quot;a&quot;}"
        for role, status in HISTORY.items():
            if status == SHOWN:
                with self.subTest(role=role):
                    response = self.visit(role, "get", url)
                    self.assertContains(response, formatted)
                    may_export = EXPORT[role] == SHOWN
                    for text in (stored, "As stored", "Download the stored state"):
                        self.assertContains(response, text, count=None if may_export else 0)

    def test_a_state_that_cannot_be_formatted_requires_the_permission_to_export(self):
        for model, alias in (
            (StudentModule, "default"),
            (PendingHistory, "default"),
            (StudentModuleHistory, HISTORY_DB),
        ):
            unguarded(model, alias).update(state="no JSON: ebb")
        # Pages that show a complete state; a difference shows at most 200 characters of each text.
        urls = [
            reverse("admin:xblock_history_version", args=[self.row.pk, 1]),
            reverse("admin:xblock_history_studentmodulehistory_change", args=[self.entry.pk]),
            reverse("admin:xblock_history_pendinghistory_change", args=[self.pending.pk]),
            reverse("admin:xblock_kvstore_studentmodule_change", args=[self.row.pk]),
        ]
        for role, may_see in (("view", False), ("superuser", True)):
            for url in urls:
                with self.subTest(role=role, url=url):
                    response = self.visit(role, "get", url)
                    page = response.content.decode()
                    state = page.partition('id="history-state"')[2] or page
                    self.assertEqual("no JSON: ebb" in state, may_see)
                    self.assertEqual("requires the permission to export" in state, not may_see)

    def test_redirects_to_the_timeline(self):
        for name, args in (
            ("admin:xblock_kvstore_studentmodule_history", [self.row.pk]),
            ("admin:xblock_history_moment", [self.row.pk]),
        ):
            for role, status in HISTORY.items():
                with self.subTest(role=role, name=name):
                    response = self.visit(role, "get", reverse(name, args=args))
                    expected = LED_ON if status == SHOWN else status
                    self.assertEqual(response.status_code, expected)

    def test_a_forged_restore_without_the_token_of_the_form_is_refused(self):
        browser = self.client_class(enforce_csrf_checks=True)
        browser.force_login(self.users["superuser"])
        url = reverse("admin:xblock_history_restore", args=[self.row.pk, 1])
        self.assertEqual(browser.post(url, {"reason": "r", "expected_version": 2}).status_code, 403)
        self.assertEqual(StudentModule.objects.get(pk=self.row.pk).version, 2)

    def test_ids_without_a_row_answer_404(self):
        for role, status in (("nobody", 403), ("view", 404), ("superuser", 404)):
            for row_id in (10**9, 10**30):
                with self.subTest(role=role, row_id=row_id):
                    url = reverse("admin:xblock_history_timeline", args=[row_id])
                    self.assertEqual(self.visit(role, "get", url).status_code, status)

    def test_another_learners_version_is_not_shown_under_this_row(self):
        UserFactory(username="bo")
        DjangoXBlockUserStateClient().set("bo", BLOCK, {"answer": "of bo"})
        other = StudentModule.objects.get(student__username="bo")
        url = reverse("admin:xblock_history_compare", args=[self.row.pk])
        self.assertEqual(self.visit("superuser", "get", f"{url}?a=1&b={other.pk}.1").status_code, 404)
