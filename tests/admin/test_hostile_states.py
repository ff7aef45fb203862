"""Every page shows every hostile state as text, with a bounded size.

Everything rolls back on both aliases.
"""

from urllib.parse import quote

from django.contrib.auth.models import User
from django.db import connections, models
from django.test import TestCase, tag
from django.urls import reverse

from history.api import change_context
from history.models import PendingHistory, StudentModuleHistory
from kvstore.api import DjangoXBlockUserStateClient
from kvstore.models import StudentModule
from kvstore.testing import UserFactory
from tests.history.hostile import BIDI, SCRIPT, STATES
from tests.kvstore.cache.blocks import COURSE, usage

BLOCK = usage("block")
HISTORY = "student_module_history"
MOST_BYTES = 700_000
HIDDEN = {*BIDI} - {*"usergnp.exe"} | {"\x1b", "\x07", "\x9b", "\0", "\x7f", "\x85"}


def overwrite(model, alias, text, **filters):
    """Store a text as a program would that goes past the store."""
    models.QuerySet(model, using=alias).filter(**filters).update(state=text)


@tag("any_database")
class HostileStates(TestCase):
    databases = {"default", HISTORY}

    @classmethod
    def setUpTestData(cls):
        cls.staff = UserFactory(username="staff", is_staff=True, is_superuser=True)
        cls.learner = UserFactory(username="amara")
        for answer in ("a", "b", "c"):
            DjangoXBlockUserStateClient(cls.learner).set("amara", BLOCK, {"answer": answer})
        cls.row = StudentModule.objects.get()
        cls.entry = StudentModuleHistory.objects.get(version=2)

    def setUp(self):
        self.client.force_login(self.staff)

    def pages(self):
        def block(name, *args):
            return reverse(f"admin:xblock_history_{name}", args=[self.row.pk, *args])

        return {
            "row": reverse("admin:xblock_kvstore_studentmodule_change", args=[self.row.pk]),
            "entry": reverse("admin:xblock_history_studentmodulehistory_change", args=[self.entry.pk]),
            "rows": reverse("admin:xblock_kvstore_studentmodule_changelist"),
            "entries": reverse("admin:xblock_history_studentmodulehistory_changelist"),
            "waiting": reverse("admin:xblock_history_pendinghistory_changelist"),
            "learner": f"{reverse('admin:xblock_history_learner', args=[self.learner.pk])}?course={quote(str(COURSE))}",
            "timeline": block("timeline"),
            "version": block("version", 2),
            "the version after": block("version", 3),
            "compare": f"{block('compare')}?a=2&b=3",
            "compare with one before": f"{block('compare')}?a=1&b=2",
            "restore": block("restore", 2),
            "restore over it": block("restore", 1),
        }

    def store(self, text):
        overwrite(StudentModule, "default", text)
        overwrite(StudentModuleHistory, HISTORY, text, version=2)

    def assert_shown_as_text(self, response):
        self.assertEqual(response.status_code, 200)
        page = response.content.decode()
        self.assertLess(len(page), MOST_BYTES)
        self.assertNotIn("<script>alert", page)
        self.assertNotIn("<img src=x", page)
        self.assertEqual(HIDDEN.intersection(page), set())

    def test_every_page_shows_every_state(self):
        for what, text in STATES.items():
            self.store(text)
            for name, url in self.pages().items():
                with self.subTest(state=what, page=name):
                    self.assert_shown_as_text(self.client.get(url))

    def test_every_state_can_be_taken_away_as_it_is_stored(self):
        url = reverse("admin:xblock_history_state", args=[self.row.pk, 2])
        for what, text in STATES.items():
            self.store(text)
            with self.subTest(state=what):
                response = self.client.get(url)
                if text is None:
                    self.assertEqual(response.status_code, 404)
                else:
                    self.assertEqual(response.content.decode("utf-8", "surrogatepass"), text)

    def test_every_state_is_exported(self):
        url = reverse("admin:xblock_history_timeline_export", args=[self.row.pk])
        for what, text in STATES.items():
            self.store(text)
            for suffix in ("jsonl", "csv"):
                with self.subTest(state=what, suffix=suffix):
                    response = self.client.get(url, {"format": suffix})
                    self.assertEqual(response.status_code, 200)
                    b"".join(response.streaming_content).decode()

    def test_every_pending_state(self):
        StudentModuleHistory.objects.get(version=2)
        with connections[HISTORY].cursor() as cursor:
            cursor.execute("DELETE FROM xblock_history_studentmodulehistory WHERE version = 2")
        columns = {field.name: getattr(self.entry, field.name) for field in PendingHistory._meta.concrete_fields}
        PendingHistory.objects.create(**columns)
        pending = PendingHistory.objects.get()
        pages = self.pages() | {"entry": reverse("admin:xblock_history_pendinghistory_change", args=[pending.pk])}
        for what, text in STATES.items():
            overwrite(PendingHistory, "default", text)
            for name in ("entry", "waiting", "timeline", "version", "compare"):
                with self.subTest(state=what, page=name):
                    self.assert_shown_as_text(self.client.get(pages[name]))


class HostileNames(TestCase):
    databases = {"default", HISTORY}

    def test_names_reasons_and_requests_are_shown_as_text(self):
        staff = UserFactory(username="staff", is_staff=True, is_superuser=True)
        User.objects.filter(pk=staff.pk).update(username=SCRIPT, first_name=SCRIPT)
        learner = User.objects.create(username=f"{SCRIPT}2")
        with change_context(actor=staff, reason=SCRIPT, request_id=SCRIPT[:60]):
            DjangoXBlockUserStateClient(learner).set(learner.username, BLOCK, {"answer": 1})
            DjangoXBlockUserStateClient(learner).set(learner.username, BLOCK, {"answer": 2})
        self.client.force_login(staff)
        row_id = StudentModule.objects.get().pk
        for name, args in (
            ("xblock_history_timeline", [row_id]),
            ("xblock_history_version", [row_id, 1]),
            ("xblock_history_restore", [row_id, 1]),
            ("xblock_history_studentmodulehistory_changelist", []),
            ("xblock_kvstore_studentmodule_changelist", []),
            ("xblock_kvstore_studentmodule_change", [row_id]),
            ("xblock_history_learner", [learner.pk]),
        ):
            with self.subTest(page=name):
                response = self.client.get(reverse(f"admin:{name}", args=args))
                self.assertContains(response, "&lt;script&gt;")
                self.assertNotContains(response, "<script>alert")
