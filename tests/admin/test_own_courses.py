"""Staff limited to some courses, set up as docs/howto/investigate.md describes.

Everything rolls back on both aliases.
"""

import re
from pathlib import Path
from types import ModuleType
from unittest import mock

from django.contrib import admin
from django.test import TestCase, override_settings
from django.urls import path, reverse

from history.admin import PendingHistoryAdmin, RecordedStudentModuleAdmin, StudentModuleHistoryAdmin
from history.models import PendingHistory, StudentModuleHistory
from kvstore.models import StudentModule
from kvstore.testing import UserFactory
from tests.admin.lists.case import Lists
from tests.kvstore.cache.blocks import COURSE, usage

PAGE = Path(__file__).resolve().parents[2] / "docs" / "howto" / "investigate.md"
OTHER = COURSE.from_string("course-v1:Org+Other+Run")


def own_courses_site() -> admin.AdminSite:
    """Return a site where the example in the docs was run."""
    site = admin.AdminSite(name="own")
    site.register(StudentModule, RecordedStudentModuleAdmin)
    site.register(StudentModuleHistory, StudentModuleHistoryAdmin)
    site.register(PendingHistory, PendingHistoryAdmin)
    (example,) = re.findall(r"```python\n(# admin\.py.*?)```", PAGE.read_text(encoding="utf-8"), re.DOTALL)
    courses = ModuleType("school.courses")
    courses.courses_of = lambda user: [str(COURSE)]
    modules = {"school": ModuleType("school"), "school.courses": courses}
    with mock.patch.dict("sys.modules", modules), mock.patch.object(admin, "site", site):
        exec(compile(example, str(PAGE), "exec"), {})  # noqa: S102  it is this repository's own
    return site


urlpatterns = [path("own/", own_courses_site().urls), path("admin/", admin.site.urls)]


@override_settings(ROOT_URLCONF=__name__)
class OwnCourses(Lists, TestCase):
    def setUp(self):
        self.sign_in()
        UserFactory(username="amara")
        for key in (usage("block"), OTHER.make_usage_key("problem", "block")):
            self.set("amara", key, answer="a")
            self.set("amara", key, answer="b")
        self.mine, self.other = StudentModule.objects.order_by("pk")

    def status(self, name, *args):
        return self.client.get(reverse(f"own:{name}", args=args), {"a": 1, "b": 2}).status_code

    def test_lists_show_the_own_courses(self):
        for name in ("xblock_kvstore_studentmodule", "xblock_history_studentmodulehistory"):
            url = reverse(f"own:{name}_changelist")
            for query in ({}, {"q": "amara"}):
                self.assertEqual({row.course_id for row in self.found(url, **query)}, {COURSE})
            self.assertEqual(self.found(url, course=OTHER), [])

    def test_pages_of_other_courses_are_closed(self):
        pages = {"timeline": [], "compare": [], "timeline_export": [], "version": [1], "state": [1], "restore": [1]}
        for name, args in pages.items():
            with self.subTest(page=name):
                self.assertEqual(self.status(f"xblock_history_{name}", self.mine.pk, *args), 200)
                self.assertEqual(self.status(f"xblock_history_{name}", self.other.pk, *args), 403)
        learner = reverse("own:xblock_history_learner", args=[self.mine.student_id])
        for course, status in ((COURSE, 200), (OTHER, 403)):
            self.assertEqual(self.client.get(learner, {"course": str(course)}).status_code, status)
        listed = [found.course_id for found, _address in self.client.get(learner).context["courses"]]
        self.assertEqual(listed, [str(COURSE)])
        self.assertEqual(self.status("xblock_kvstore_studentmodule_change", self.mine.pk), 200)
        # Django's own answer for a missing object.
        self.assertEqual(self.status("xblock_kvstore_studentmodule_change", self.other.pk), 302)

    def test_incidents_of_other_courses_are_closed(self):
        period = {"since": "2000-01-01", "until": "2100-01-01"}
        for criteria, status in (({"course": str(COURSE)}, 200), ({"course": str(OTHER)}, 403), ({}, 403)):
            with self.subTest(criteria=criteria):
                response = self.client.get(reverse("own:xblock_history_incident"), criteria | period)
                self.assertEqual(response.status_code, status)
