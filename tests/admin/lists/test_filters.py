"""Filters narrow a list, keep the other parameters, and reject unusable values with a message.

Everything rolls back on both aliases.
"""

import re
from datetime import UTC, datetime, timedelta
from html import unescape

from django.contrib.admin import ModelAdmin
from django.test import SimpleTestCase, TestCase, override_settings
from django.utils import timezone
from opaque_keys.edx.keys import CourseKey

from history.models import PendingHistory, StudentModuleHistory
from kvstore.admin import StudentModuleAdmin
from kvstore.api import set_score
from kvstore.models import StudentModule
from kvstore.querysets import unguarded
from kvstore.staff.dates import InvalidFilterValue, earliest, latest
from kvstore.testing import StudentModuleFactory, UserFactory
from tests.admin.lists.case import HISTORY_LIST, PENDING_LIST, STATE_LIST, Lists
from tests.kvstore.cache.blocks import COURSE, usage

OTHER = CourseKey.from_string("course-v1:Org+Other+Run")
ALL = "*"


def moved(row, moment):
    """Make a row and its entry as old as that."""
    unguarded(StudentModule, "default").filter(pk=row.pk).update(modified=moment)
    unguarded(StudentModuleHistory, "student_module_history").filter(student_module_id=row.pk).update(created=moment)


@override_settings(HISTORY_BLOCK_TYPES=ALL)
class Filters(Lists, TestCase):
    @classmethod
    def setUpTestData(cls):
        learner = cls.learner = UserFactory(username="amara")
        with override_settings(HISTORY_BLOCK_TYPES=ALL):
            cls.rows = {
                name: StudentModuleFactory(student=learner, module_state_key=key, course_id=key.context_key, state="{}")
                for name, key in {
                    "plain": usage("plain"),
                    "poll": usage("poll", "poll"),
                    "other": OTHER.make_usage_key("problem", "other"),
                }.items()
            }
            for name, (grade, most) in {"zero": (0, 2), "half": (1, 2), "full": (2, 2), "nothing": (0, 0)}.items():
                set_score(learner.pk, usage(name), grade, most)
                cls.rows[name] = StudentModule.objects.get(module_state_key=usage(name))

    def setUp(self):
        self.sign_in()

    def assert_finds(self, names, **query):
        expected = sorted(self.rows[name].pk for name in names)
        with self.subTest(**query):
            self.assertEqual(sorted(row.pk for row in self.found(STATE_LIST, **query)), expected)
            found = [entry.student_module_id for entry in self.found(HISTORY_LIST, **query)]
            self.assertEqual(sorted(found), expected)

    def assert_problem(self, message, url=HISTORY_LIST, **query):
        with self.subTest(**query):
            response = self.page(url, **query)
            self.assertEqual(list(response.context["cl"].result_list), [])
            self.assertIn(message, " ".join(response.context["cl"].problems))
            self.assertContains(response, "messagelist")

    def test_courses_and_types(self):
        everything = set(self.rows)
        self.assert_finds({"other"}, course=OTHER)
        self.assert_finds(everything - {"other"}, course=f" {COURSE} ")
        self.assert_finds({"poll"}, type="poll")
        self.assert_finds({"poll"}, type="poll", course=COURSE)
        self.assert_finds((), type="poll", course=OTHER)
        self.assert_finds((), type="never-seen")
        self.assert_finds(everything, course="", type="")

    def test_a_course_with_spaces_for_plus_signs(self):
        response = self.client.get(f"{STATE_LIST}?course={OTHER}")
        self.assertEqual(len(response.context["cl"].result_list), 1)

    def test_grades(self):
        for grade, names in {
            "any": {"zero", "half", "full", "nothing"},
            "none": {"plain", "poll", "other"},
            "zero": {"zero", "nothing"},
            "full": {"full"},
        }.items():
            self.assert_finds(names, grade=grade)
            self.assert_finds(names, grade=grade, q="amara")

    def test_actions(self):
        set_score(self.learner.pk, usage("half"), 2, 2)
        self.assertEqual([entry.version for entry in self.found(HISTORY_LIST, action="changed")], [2])
        self.assertEqual(len(self.found(HISTORY_LIST, action="created")), len(self.rows))
        self.assertEqual(self.found(HISTORY_LIST, action="restored"), [])
        self.rows["plain"].delete()
        self.assertEqual(len(self.found(PENDING_LIST, action="deleted")), 1)

    def test_times(self):
        now = timezone.now()
        for name, age in {
            "plain": timedelta(minutes=30),
            "poll": timedelta(hours=5),
            "other": timedelta(days=3),
            "zero": timedelta(days=20),
            "half": timedelta(days=40),
        }.items():
            moved(self.rows[name], now - age)
        fresh = {"full", "nothing"}
        self.assert_finds(fresh | {"plain"}, last="hour")
        self.assert_finds(fresh | {"plain", "poll"}, last="day")
        self.assert_finds(fresh | {"plain", "poll", "other"}, last="week")
        self.assert_finds(fresh | {"plain", "poll", "other", "zero"}, last="month")
        from_, until = (f"{now - timedelta(days=days):%Y-%m-%dT%H:%M}" for days in (30, 2))
        self.assert_finds({"other", "zero"}, **{"from": from_, "until": until})
        self.assert_finds({"zero", "half"}, until=f"{now - timedelta(days=10):%Y-%m-%d}")
        self.assert_finds({"other"}, **{"from": from_, "until": until, "last": "week"})
        self.assert_finds({"other"}, q=f"course:{OTHER}", last="week")
        self.assert_finds((), **{"from": "2100-01-01"})

    def test_invalid_filter_values_are_reported(self):
        for query, message in {
            ("course", "nonsense"): "not the key of a course",
            ("course", "x" * 5000): "not the key of a course",
            ("course", "a\0b"): "not the key of a course",
            ("type", "\0"): "not a block type",
            ("type", "x" * 5000): "not a block type",
            ("grade", "nonsense"): "not a choice",
            ("action", "nonsense"): "not a choice",
            ("last", "nonsense"): "not a time span",
            ("from", "nonsense"): "not a time;",
            ("until", "2026-13-45"): "not a time;",
            ("until", "9999-12-31"): "not a time;",
            ("from", "0001-01-01T00:00:00+23:00"): "not a time;",
            ("from", "2026-02-30 10:00"): "not a time;",
        }.items():
            self.assert_problem(message, **dict([query]))
            if query[0] != "action":
                self.assert_problem(message, STATE_LIST, **dict([query]))

    def test_a_filter_and_a_search_that_contradict_are_reported(self):
        self.assert_problem("No row matches both", course=OTHER, q=f"course:{COURSE}")
        self.assert_finds({"other"}, course=OTHER, q=f"course:{OTHER}")

    def test_unknown_filters_are_refused(self):
        for url in (STATE_LIST, HISTORY_LIST, PENDING_LIST):
            for query in ({"state__icontains": "a"}, {"student_id": "1"}, {"nonsense": "1"}, {"o": "1", "id__gt": "1"}):
                with self.subTest(url=url, **query):
                    self.assertRedirects(self.client.get(url, query), f"{url}?e=1")

    def test_every_form_and_link_keeps_the_other_parameters(self):
        query = {"q": "amara", "course": str(COURSE), "type": "problem", "grade": "any", "last": "week"}
        page = unescape(self.page(HISTORY_LIST, **query, after="2020-01-01T00:00:00+00:00").content.decode())
        forms = re.findall(r'<form[^>]*method="get".*?</form>', page, re.DOTALL)
        # Django 6.1 places the search after the filters, earlier versions place it before them.
        forms.sort(key=lambda form: 'role="search"' not in form)
        self.assertEqual(len(forms), 4)
        own = [{"q"}, {"course"}, {"type"}, {"from", "until", "last"}]
        for form, names in zip(forms, own, strict=True):
            hidden = dict(re.findall(r'type="hidden" name="(\w+)" value="([^"]*)"', form))
            with self.subTest(form=names):
                self.assertEqual(hidden, {name: value for name, value in query.items() if name not in names})
        for link in re.findall(r'<a href="(\?[^"]*)"[^>]*>(?:Zero|Last hour|changed)</a>', page):
            self.assertIn("q=amara", link)
            self.assertNotIn("after=", link)

    def test_fields_have_labels(self):
        for url in (STATE_LIST, HISTORY_LIST):
            page = self.page(url).content.decode()
            fields = re.findall(r'<input type="(?:text|datetime-local)"[^>]*id="([^"]+)"', page)
            self.assertGreater(len(fields), 3)
            for field in fields:
                self.assertEqual(page.count(f'<label for="{field}"'), 1, field)

    def test_recorded_types_are_offered_where_the_settings_name_them(self):
        with self.settings(HISTORY_BLOCK_TYPES=("problem", "drag-and-drop-v2")):
            response = self.page(HISTORY_LIST, type="poll")
            for name in ("problem", "drag-and-drop-v2", "poll"):
                self.assertContains(response, f"type={name}")
            self.assertNotContains(response, 'id="filter-type"')
            self.assertEqual(len(response.context["cl"].result_list), 1)
        self.assertContains(self.page(HISTORY_LIST), 'id="filter-type"')

    def test_a_filter_that_a_project_adds_works(self):
        class WithDone(StudentModuleAdmin):
            list_filter = (*StudentModuleAdmin.list_filter, "done")

        admin_class = WithDone(StudentModule, self.client.get(STATE_LIST).context["cl"].model_admin.admin_site)
        self.assertIsInstance(admin_class, ModelAdmin)
        request = self.client.get(STATE_LIST, {"done__exact": "f"}).wsgi_request
        request.user = UserFactory(is_superuser=True, is_staff=True)
        unguarded(StudentModule, "default").filter(pk=self.rows["half"].pk).update(done="f")
        changelist = admin_class.get_changelist_instance(request)
        self.assertEqual(list(changelist.result_list), [self.rows["half"]])
        self.assertTrue(changelist.is_bounded)

    def test_pending_entries_are_filtered_too(self):
        self.rows["plain"].delete()
        self.assertEqual(len(self.found(PENDING_LIST, course=COURSE, grade="none", last="hour")), 1)
        self.assertEqual(PendingHistory.objects.count(), 1)


class Moments(SimpleTestCase):
    def utc(self, *parts):
        return datetime(*parts, tzinfo=UTC)

    @override_settings(TIME_ZONE="Europe/Berlin")
    def test_are_local(self):
        self.assertEqual(earliest("2026-01-31T14:30"), self.utc(2026, 1, 31, 13, 30))
        self.assertEqual(earliest("2026-01-31 14:30:15"), self.utc(2026, 1, 31, 13, 30, 15))
        self.assertEqual(earliest("2026-01-31"), self.utc(2026, 1, 30, 23))
        self.assertEqual(latest("2026-01-31"), self.utc(2026, 1, 31, 23))
        self.assertEqual(latest("2026-01-31T14:30+05:00"), self.utc(2026, 1, 31, 9, 30))

    @override_settings(TIME_ZONE="Europe/Berlin")
    def test_an_ambiguous_or_missing_hour_covers_every_possible_time(self):
        self.assertEqual(earliest("2026-10-25T02:30"), self.utc(2026, 10, 25, 0, 30))
        self.assertEqual(latest("2026-10-25T02:30"), self.utc(2026, 10, 25, 1, 30))
        self.assertEqual(earliest("2026-03-29T02:30"), self.utc(2026, 3, 29, 0, 30))
        self.assertEqual(latest("2026-03-29T02:30"), self.utc(2026, 3, 29, 1, 30))

    @override_settings(USE_TZ=False)
    def test_without_time_zones_are_as_they_are_written(self):
        self.assertEqual(earliest("2026-01-31T14:30"), datetime(2026, 1, 31, 14, 30))  # noqa: DTZ001  USE_TZ off

    def test_invalid_times_are_refused(self):
        for text in ("", "x", "2026-99-01", "2026-02-30T10:00", "1" * 5000, "\0"):
            with self.subTest(text=text[:30]), self.assertRaises(InvalidFilterValue):
                latest(text)
