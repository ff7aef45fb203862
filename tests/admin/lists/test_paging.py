"""Paging shows every row once, at any depth, in both directions, with any filter.

Everything rolls back on both aliases.
"""

from datetime import timedelta
from unittest import mock
from urllib.parse import urlencode

from django.contrib.auth import get_user_model
from django.test import TestCase
from django.utils import timezone
from opaque_keys.edx.keys import CourseKey

from history.admin.entries import StudentModuleHistoryAdmin
from history.models import PendingHistory, StudentModuleHistory
from kvstore.admin import StudentModuleAdmin
from kvstore.admin.base import ReadOnlyAdmin
from kvstore.admin.changelist import KeysetChangeList
from kvstore.models import StudentModule
from kvstore.querysets import unguarded
from tests.admin.lists.case import ALIAS, HISTORY_LIST, PENDING_LIST, STATE_LIST, Lists, chained, digest
from tests.history.entries import identity_of

COURSES = [CourseKey.from_string(f"course-v1:Org+Course+Run{number}") for number in range(2)]
LEARNERS = [f"learner{number}" for number in range(4)]
BLOCKS = [("problem", f"block{number}") for number in range(3)] + [("poll", "block3")]
VERSIONS = 3
FIRST = timezone.now() - timedelta(days=2)
PAGE = 7


class Pages(Lists, TestCase):
    @classmethod
    def setUpTestData(cls):
        users = [get_user_model()(username=name) for name in LEARNERS]
        cls.users = get_user_model().objects.bulk_create(users)
        cls.learner, cls.block = cls.users[1], COURSES[1].make_usage_key(*BLOCKS[1])
        rows = [
            StudentModule(
                student=user, course_id=course, module_state_key=key, module_type=key.block_type, version=VERSIONS
            )
            for user in cls.users
            for course in COURSES
            for key in (course.make_usage_key(*block) for block in BLOCKS)
        ]
        for number, row in enumerate(rows):
            row.created = row.modified = FIRST
            row.grade, row.max_grade = (number % 3, 2) if number % 4 else (None, None)
        unguarded(StudentModule, "default").bulk_create(rows)
        cls.rows = list(StudentModule.objects.order_by("pk"))
        for row in cls.rows:
            cls.move(row, VERSIONS)
        entries = [cls.entry(row, version) for version in range(1, VERSIONS + 1) for row in cls.rows]
        unguarded(StudentModuleHistory, ALIAS).bulk_create(entries)

    @classmethod
    def entry(cls, row, version, model=StudentModuleHistory):
        """An entry. Many have one time, as the entries of one write do."""
        return model(
            action="created" if version == 1 else "changed",
            created=row.modified if version == VERSIONS else FIRST - timedelta(seconds=10 - version - row.pk % 3),
            grade=row.grade,
            max_grade=row.max_grade,
            module_type=row.module_type,
            **chained(row.pk, version),
            **identity_of(row),
        )

    @classmethod
    def move(cls, row, version):
        """Store that a row is at a version."""
        unguarded(StudentModule, "default").filter(pk=row.pk).update(version=version, digest=digest(row.pk, version))

    def setUp(self):
        self.sign_in()
        for patch in (
            mock.patch.object(ReadOnlyAdmin, "list_per_page", PAGE),
            mock.patch.object(KeysetChangeList, "scan_limit", 20),
        ):
            self.enterContext(patch)

    def walk(self, url, start, link="next_link"):
        """Return the pages from one on, by its address or parameters, as they follow each other by a link."""
        address = start if isinstance(start, str) else f"{url}?{urlencode(start)}"
        pages = []
        while address:
            changelist = self.client.get(address).context["cl"]
            pages.append((address, [row.pk for row in changelist.result_list]))
            following = getattr(changelist, link)
            address = url + following if following else ""
            self.assertLess(len(pages), 200, "the pages do not end")
        return pages

    def asked(self):
        course, block = str(COURSES[1]), str(self.block)
        searches = ["", "learner1", course, block, f"learner1 {course}", f"learner1 {block}", f"{course} {block}"]
        for search in [*searches, f"id:{self.rows[5].pk}"]:
            filters = ({}, {"grade": "any"}, {"type": "poll"}, {"grade": "zero", "last": "month"})
            for more in (*filters, {"course": str(COURSES[0])}):
                if "course" not in more or course not in search:
                    yield ({"q": search} if search else {}) | more

    def expected(self, rows, query):
        """Return the ids of the rows that a query asks for, found in Python."""
        terms = query.get("q", "").split()
        wanted = {
            "learner1": lambda row: row.student_id == self.learner.pk,
            str(COURSES[1]): lambda row: row.course_id == COURSES[1],
            str(self.block): lambda row: row.module_state_key == self.block,
            f"id:{self.rows[5].pk}": lambda row: getattr(row, "student_module_id", row.pk) == self.rows[5].pk,
        }
        tests = [wanted[term] for term in terms]
        if "course" in query:
            tests.append(lambda row: str(row.course_id) == query["course"])
        if "type" in query:
            tests.append(lambda row: row.module_type == query["type"])
        if "grade" in query:
            grades = {"any": lambda row: row.grade is not None, "zero": lambda row: row.grade == 0}
            tests.append(grades[query["grade"]])
        return sorted(row.pk for row in rows if all(test(row) for test in tests))

    def assert_walks(self, url, rows):
        for query in self.asked():
            with self.subTest(url=url, **query):
                forth = self.walk(url, query)
                seen = [pk for _, page in forth for pk in page]
                self.assertEqual(len(seen), len(set(seen)))
                self.assertEqual(sorted(seen), self.expected(rows, query))
                # From the last page back: the same rows, in the same order.
                back = self.walk(url, forth[-1][0], "previous_link")
                self.assertEqual([pk for _, page in reversed(back) for pk in page], seen)

    def test_of_states(self):
        self.assert_walks(STATE_LIST, self.rows)

    def test_of_the_history(self):
        self.assert_walks(HISTORY_LIST, list(StudentModuleHistory.objects.all()))

    def test_of_pending_entries(self):
        pending = [self.entry(row, VERSIONS, PendingHistory) for row in self.rows]
        PendingHistory.objects.bulk_create(pending)
        self.assert_walks(PENDING_LIST, list(PendingHistory.objects.all()))

    def test_the_newest_are_first(self):
        for query in ({}, {"course": str(COURSES[1])}, {"q": "learner1"}):
            created = [
                StudentModuleHistory.objects.get(pk=pk).created
                for _, page in self.walk(HISTORY_LIST, query)
                for pk in page
            ]
            self.assertEqual(created, sorted(created, reverse=True))
        versions = self.found(HISTORY_LIST, q=f"id:{self.rows[0].pk}")
        self.assertEqual([entry.version for entry in versions], [3, 2, 1])

    def test_new_rows_do_not_move_the_following_pages(self):
        changelist = self.changelist(HISTORY_LIST)
        second = [row.pk for row in self.client.get(HISTORY_LIST + changelist.next_link).context["cl"].result_list]
        row = self.rows[0]
        row.refresh_from_db()
        row.modified = timezone.now()
        unguarded(StudentModuleHistory, ALIAS).bulk_create([self.entry(row, VERSIONS + 1)])
        again = [row.pk for row in self.client.get(HISTORY_LIST + changelist.next_link).context["cl"].result_list]
        self.assertEqual(second, again)

    def test_a_page_that_examined_its_limit_links_to_the_next(self):
        response = self.page(HISTORY_LIST, action="restored")
        changelist = response.context["cl"]
        self.assertEqual(list(changelist.result_list), [])
        self.assertContains(response, "Scanned 20 rows, up to")
        self.assertContains(response, "Scan more rows")
        self.assertGreater(len(self.walk(HISTORY_LIST, {"action": "restored"})), 4)

    def test_the_last_page_has_no_next_link(self):
        response = self.page(HISTORY_LIST, action="restored", q=f"id:{self.rows[0].pk}")
        self.assertNotContains(response, "Scan more rows")
        self.assertContains(response, "No row matches.")

    def test_an_invalid_position_shows_the_first_page(self):
        first = [row.pk for row in self.found(HISTORY_LIST)]
        moment = "2026-01-01T00:00:00+00:00"
        for text in (
            "nonsense",
            "at:",
            ",",
            "\0",
            f"{moment},x",
            f"{moment},1,2,3",
            "2026-01-01T00:00:00",
            "0001-01-01T00:00:00+23:00",
            f"{moment},{10**30}",
            f"{moment},{2**63}",
            "'; DROP TABLE",
            "1" * 5000,
            "[]",
        ):
            for name in ("after", "before"):
                with self.subTest(place=text[:40], name=name):
                    self.assertEqual([row.pk for row in self.found(HISTORY_LIST, **{name: text})], first)
                    self.assertEqual(len(self.found(STATE_LIST, q="learner1", **{name: text})), PAGE)
                    self.found(STATE_LIST, **{name: text})

    def test_a_position_after_all_rows_is_an_empty_page_with_a_link_back(self):
        for url, text in ((HISTORY_LIST, "1900-01-01T00:00:00+00:00"), (STATE_LIST, str(-(2**63) + 1))):
            response = self.page(url, after=text)
            self.assertEqual(list(response.context["cl"].result_list), [])
            before = self.client.get(url + response.context["cl"].previous_link).context["cl"]
            self.assertEqual(len(before.result_list), PAGE)
            self.assertEqual(before.next_link and self.client.get(url + before.next_link).status_code, 200)

    def test_columns_cannot_be_sorted_by(self):
        for url in (STATE_LIST, HISTORY_LIST):
            response = self.page(url, o="3")
            self.assertNotContains(response, "sortable")
            self.assertEqual([row.pk for row in response.context["cl"].result_list], self.walk(url, {})[0][1])

    def test_versions_of_one_instant_stay_together(self):
        """More of them than a page holds, as only made-up histories have."""
        row = self.rows[0]
        twins = [self.entry(row, VERSIONS + 1 + number) for number in range(2 * PAGE)]
        for twin in twins:
            twin.created = FIRST + timedelta(hours=1)
        unguarded(StudentModuleHistory, ALIAS).bulk_create(twins)
        self.move(row, VERSIONS + 2 * PAGE)
        for query in ({}, {"course": str(row.course_id)}, {"q": "learner0"}):
            changelist = self.changelist(HISTORY_LIST, **query)
            with self.subTest(**query):
                shown = [entry.version for entry in changelist.result_list]
                self.assertEqual(shown, list(range(VERSIONS + 2 * PAGE, VERSIONS, -1)))
                pages = self.walk(HISTORY_LIST, query)
                seen = [pk for _, page in pages for pk in page]
                self.assertEqual(len(seen), len(set(seen)))
                back = self.walk(HISTORY_LIST, pages[-1][0], "previous_link")
                self.assertEqual([pk for _, page in reversed(back) for pk in page], seen)

    def test_entries_of_one_version_stay_together(self):
        """One of them was rolled back; it comes between the entries that fill a page."""
        row = self.rows[0]
        versions = range(VERSIONS + 1, VERSIONS + 2 * PAGE)
        entries = [self.entry(row, version) for version in versions]
        rolled_back = [self.entry(row, version) for version in versions]
        for entry in rolled_back:
            entry.digest = digest(row.pk, -entry.version)
        unguarded(StudentModuleHistory, ALIAS).bulk_create([*rolled_back, *entries])
        self.move(row, versions[-1])
        query = {"q": f"id:{row.pk}"}
        seen = [pk for _, page in self.walk(HISTORY_LIST, query) for pk in page]
        shown = StudentModuleHistory.objects.in_bulk(seen)
        self.assertEqual([shown[pk].version for pk in seen], list(range(versions[-1], 0, -1)))
        self.assertFalse({entry.digest for entry in rolled_back} & {entry.digest for entry in shown.values()})

    def test_every_walk_ends_in_a_total_order(self):
        """A page does not divide the entries of one version, because they have one position."""
        admins = {StudentModule: StudentModuleAdmin, StudentModuleHistory: StudentModuleHistoryAdmin}
        for model, admin_class in admins.items():
            for walk in admin_class.index_orders:
                named = {*walk.equality_columns, *walk.columns, *filter(None, [walk.sort_within])}
                constraints = [{*constraint.fields} for constraint in model._meta.total_unique_constraints]
                unique = [{"id"}, *(names - {"digest"} for names in constraints)]
                columns = {model._meta.get_field(name).attname for name in named}
                fields = [{model._meta.get_field(name).attname for name in names} for names in unique]
                with self.subTest(walk=walk):
                    self.assertTrue(any(names <= columns for names in fields))
                    self.assertEqual(len({column.startswith("-") for column in walk.order + walk.tie_breakers}), 1)
