"""The search box accepts names, keys, ids and URLs, and names the terms that match nothing.

Everything rolls back on both aliases.
"""

from urllib.parse import quote

from django.test import SimpleTestCase, TestCase
from opaque_keys.edx.asides import AsideUsageKeyV1, AsideUsageKeyV2
from opaque_keys.edx.keys import CourseKey, UsageKey

from kvstore.models import StudentModule
from kvstore.staff.page_urls import keys_in
from kvstore.testing import UserFactory, assert_queries
from tests.admin.lists.case import HISTORY_LIST, PENDING_LIST, STATE_LIST, Lists
from tests.kvstore.cache.blocks import COURSE, usage

OLD_COURSE = CourseKey.from_string("Org/Course/Run")
OLD_BLOCK = OLD_COURSE.make_usage_key("problem", "old")
BLOCK = usage("first")
SITE = "https://learn.school.example"


class Addresses(SimpleTestCase):
    def test_a_block_is_found_anywhere_in_an_address(self):
        key, course = str(BLOCK), str(COURSE)
        once, twice = quote(key, safe=""), quote(quote(key, safe=""), safe="")
        plus_raw = key.replace(":", "%3A").replace("@", "%40")
        section = str(usage("section", "vertical"))
        for address in (
            f"{SITE}/courses/{course}/jump_to/{key}",
            f"{SITE}/courses/{course}/jump_to/{once}",
            f"{SITE}/courses/{course}/jump_to/{plus_raw}?tab=1",
            f"{SITE}/courses/{course}/xblock/{key}/handler/xmodule_handler/problem_check",
            f"{SITE}/xblock/{key}?show_title=0#top",
            f"{SITE}/learning/course/{course}/{section}/{key}",
            f"{SITE}/learning/course/{quote(course, safe='')}/{quote(section, safe='')}/{once}",
            f"{SITE}/page?location={once}&next=/",
            f"{SITE}/page?location={key}&next=/",
            f"{SITE}/login?next={quote(f'/courses/{course}/jump_to/{once}', safe='')}",
            f"{SITE}/page?location={twice}",
            f"{SITE}/page#{key}",
            f"{SITE}/page#{once}",
            f"HTTPS://learn.school.example:8000/xblock/{key}.",
        ):
            with self.subTest(address=address):
                self.assertEqual(keys_in(address)[0], BLOCK)

    def test_keys_of_the_old_form_and_of_asides(self):
        asides = [str(form(BLOCK, "poll_aside")) for form in (AsideUsageKeyV1, AsideUsageKeyV2)]
        addresses = {
            f"{SITE}/courses/Org/Course/Run/jump_to/i4x://Org/Course/problem/old": str(OLD_BLOCK),
            f"{SITE}/courses/Org/Course/Run/xblock/i4x:;_;_Org;_Course;_problem;_old/handler/h": str(OLD_BLOCK),
            f"{SITE}/page?location={quote('i4x://Org/Course/problem/old', safe='')}": str(OLD_BLOCK),
            **{f"{SITE}/xblock/{aside}/handler": aside for aside in asides},
            **{f"{SITE}/xblock/{quote(aside, safe='')}/handler": aside for aside in asides},
            f"{SITE}/library/lb:Org:lib:problem:p1/": "lb:Org:lib:problem:p1",
        }
        for address, key in addresses.items():
            with self.subTest(address=address):
                self.assertEqual(str(keys_in(address)[0]), key)

    def test_a_course_is_found_without_a_block(self):
        for address in (
            f"{SITE}/courses/{COURSE}/progress",
            f"{SITE}/courses/{quote(str(COURSE), safe='')}/",
            f"{SITE}/learning/course/{COURSE}/home",
            f"{SITE}/dashboard?course_id={quote(str(COURSE), safe='')}",
        ):
            with self.subTest(address=address):
                self.assertEqual(keys_in(address), (None, COURSE))
        self.assertEqual(keys_in(f"{SITE}/courses/Org/Course/Run/info"), (None, OLD_COURSE))

    def test_hostile_addresses_name_nothing(self):
        for address in (
            f"{SITE}/",
            f"{SITE}/courses/",
            f"{SITE}/" + "a-" * 4000,
            f"{SITE}/" + "a:b " * 2000,
            f"{SITE}/" + "%25" * 2000,
            f"{SITE}/block-v1:nonsense",
            f"{SITE}/block-v1:{'x' * 7000}",
            f"{SITE}/i4x:////",
        ):
            with self.subTest(address=address[:60]):
                self.assertEqual(keys_in(address), (None, None))


class Search(Lists, TestCase):
    @classmethod
    def setUpTestData(cls):
        cls.amara = UserFactory(username="amara", email="amara@school.example")
        for name in ("bo", "o'neil", "jo+ann", "first.last@work.example", "Ada Lovelace", "ß-ünï"):
            UserFactory(username=name)
        cls.set(cls, "amara", BLOCK, tries=1)
        cls.set(cls, "amara", BLOCK, tries=2)
        for name in ("bo", "o'neil", "jo+ann", "first.last@work.example", "Ada Lovelace", "ß-ünï"):
            cls.set(cls, name, usage(f"of-{len(name)}"), answer="b")
        StudentModule.objects.create(
            student=cls.amara, course_id=OLD_COURSE, module_state_key=OLD_BLOCK, module_type="problem", state='{"a":1}'
        )
        cls.row = StudentModule.objects.get(student=cls.amara, module_state_key=BLOCK)

    def setUp(self):
        self.sign_in()

    def assert_finds(self, search, rows):
        with self.subTest(search=search):
            self.assertEqual(len(self.found(STATE_LIST, q=search)), rows)
            self.assertGreaterEqual(len(self.found(HISTORY_LIST, q=search)), rows)

    def assert_problem(self, search, message):
        for url in (STATE_LIST, HISTORY_LIST, PENDING_LIST):
            with self.subTest(search=search[:50], url=url):
                response = self.page(url, q=search)
                self.assertEqual(list(response.context["cl"].result_list), [])
                self.assertIn(message, " ".join(response.context["cl"].problems))
                self.assertContains(response, "messagelist")

    def test_learners(self):
        for search, rows in {
            "amara": 2,
            "learner:amara": 2,
            "Learner: amara": 2,
            "amara@school.example": 2,
            "learner:amara@school.example": 2,
            "bo": 1,
            "o'neil": 1,
            "jo+ann": 1,
            "first.last@work.example": 1,
            'learner:"Ada Lovelace"': 1,
            '"Ada Lovelace"': 1,
            '"learner:Ada Lovelace"': 1,
            "learner:'Ada Lovelace'": 1,
            "ß-ünï": 1,
            f"learner:{self.amara.pk}": 2,
        }.items():
            self.assert_finds(search, rows)

    def test_blocks_courses_ids_and_ambiguous_text(self):
        for search, rows in {
            f"block:{BLOCK}": 1,
            str(BLOCK): 1,
            f'"{BLOCK}"': 1,
            str(OLD_BLOCK): 1,
            f"course:{COURSE}": 7,
            str(OLD_COURSE): 1,
            f"id:{self.row.pk}": 1,
            f"learner:amara course:{COURSE}": 1,
            f"amara {BLOCK}": 1,
            f"bo {BLOCK}": 0,
            f"{SITE}/courses/{COURSE}/jump_to/{quote(str(BLOCK), safe='')}": 1,
            f"amara {SITE}/courses/{COURSE}/": 1,
            f"course:{SITE}/courses/{COURSE}/jump_to/{BLOCK}": 7,
            f"block:{SITE}/courses/{COURSE}/jump_to/{BLOCK}": 1,
        }.items():
            self.assert_finds(search, rows)

    def test_a_number_is_a_name_first_and_an_id_otherwise(self):
        number = str(self.row.pk)
        self.assertEqual(self.found(STATE_LIST, q=number), [self.row])
        UserFactory(username=number)
        self.assertEqual(self.found(STATE_LIST, q=number), [])
        self.assertEqual(self.found(STATE_LIST, q=f"id:{number}"), [self.row])

    def test_terms_without_a_match_are_named(self):
        for search, message in {
            "nobody": "No learner, block or course matches 'nobody'",
            "learner:nobody": "No learner has the name or e-mail address 'nobody'",
            "nobody@school.example": "No learner",
            "block:nonsense": "not the key of a block",
            "course:nonsense": "not the key of a course",
            f"course:{'x' * 1000}": "not the key of a course",
            f"block:{COURSE}": "not the key of a block",
            "id:nonsense": "not an id",
            "id:-1": "not an id",
            f"id:{10**30}": "not an id",
            f"id:{'0' * 5000}": "not an id",
            "9" * 5000: "No learner",
            "learner:amara learner:bo": "No row matches both",
            "id:1 id:2": "No row matches both",
            f"{SITE}/about": "contains neither a block nor a course",
            "<script>alert(1)</script>": "No learner",
            "a b c d e f g h i j": "up to 8 terms",
        }.items():
            self.assert_problem(search, message)

    def test_search_terms_are_escaped(self):
        for url in (STATE_LIST, HISTORY_LIST):
            self.assertNotContains(self.page(url, q="<script>alert(1)</script>"), "<script>alert")

    def test_a_nul_is_a_form_error(self):
        self.assertContains(self.page(STATE_LIST, q="a\0b"), "Null characters")

    def test_learners_with_the_same_address_are_named(self):
        UserFactory(username="twin one", email="amara@school.example")
        self.assert_problem("amara@school.example", 'learner:"twin one"')
        self.assertEqual(len(self.found(STATE_LIST, q="learner:amara")), 2)

    def test_the_address_of_one_that_is_the_name_of_another_is_not_guessed(self):
        UserFactory(username="amara@school.example")
        self.assert_problem("amara@school.example", "Several learners")

    def test_deleted_learners_are_found_by_id(self):
        gone = self.amara.pk
        self.amara.delete()
        self.assertEqual([entry.version for entry in self.found(HISTORY_LIST, q=f"learner:{gone} {BLOCK}")], [2, 1])
        self.assertContains(self.page(HISTORY_LIST, q=f"learner:{gone}"), f"user {gone}, deleted")
        self.assertEqual(len(self.found(PENDING_LIST, q=f"learner:{gone}")), 2)

    def test_an_invalid_search_reads_no_rows(self):
        self.page(HISTORY_LIST)
        with assert_queries(default=3):
            self.page(HISTORY_LIST, q="nobody")

    def test_there_is_one_search_box(self):
        for url in (STATE_LIST, HISTORY_LIST, PENDING_LIST):
            self.assertContains(self.page(url), 'role="search"', count=1)

    def test_old_keys_are_found_in_addresses_of_the_old_form(self):
        self.assert_finds(f"{SITE}/courses/Org/Course/Run/xblock/i4x:;_;_Org;_Course;_problem;_old/handler/h", 1)
        self.assertEqual(UsageKey.from_string(str(OLD_BLOCK)).block_id, "old")
