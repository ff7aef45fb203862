"""The search box accepts names, keys, ids and URLs, and names the terms that match nothing.

Everything rolls back on both aliases.
"""

from unittest import mock
from urllib.parse import quote

from django.test import SimpleTestCase, TestCase
from django.utils.html import escape
from opaque_keys.edx.asides import AsideUsageKeyV1, AsideUsageKeyV2
from opaque_keys.edx.keys import CourseKey, UsageKey

from history.api import change_context
from kvstore.models import StudentModule
from kvstore.staff import people
from kvstore.staff.page_urls import keys_in
from kvstore.testing import UserFactory, assert_queries
from tests.admin.lists.case import HISTORY_LIST, PENDING_LIST, STATE_LIST, Lists
from tests.history.hostile import BIDI, SCRIPT
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
            "nobody else": "No learner, block or course matches 'nobody else'",
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
        self.assert_problem("AMARA@school.example", "Several learners match")
        labels = [choice.label for choice in self.changelist(STATE_LIST, q="AMARA@school.example").choices]
        self.assertEqual(labels, ["twin one", "amara"])
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
        # The session and its user; the username, the accounts to examine, their names, the blocks.
        with assert_queries(default=2 + 4):
            self.page(HISTORY_LIST, q="nobody")

    def test_there_is_one_search_box(self):
        for url in (STATE_LIST, HISTORY_LIST, PENDING_LIST):
            self.assertContains(self.page(url), 'role="search"', count=1)

    def test_old_keys_are_found_in_addresses_of_the_old_form(self):
        self.assert_finds(f"{SITE}/courses/Org/Course/Run/xblock/i4x:;_;_Org;_Course;_problem;_old/handler/h", 1)
        self.assertEqual(UsageKey.from_string(str(OLD_BLOCK)).block_id, "old")


class Names(Lists, TestCase):
    """People are found by parts of their names, in any letter case, and a choice is offered if several match."""

    @classmethod
    def setUpTestData(cls):
        cls.tariq = UserFactory(
            username="tariq.rahman", first_name="Tariq", last_name="Rahman", email="Tariq.Rahman@School.example"
        )
        cls.oskar = UserFactory(username="oskar", first_name="Oskar", last_name="Nyström")
        cls.leila = UserFactory(username="leila.h", first_name="Leila", last_name="Haddad")
        for name, keys in {
            "tariq.rahman": ("problem_3", "b" * 32),
            "oskar": ("problem_3",),
            "leila.h": ("problem_3", "quiz"),
        }.items():
            for key in keys:
                cls.set(cls, name, usage(key))
        with change_context(actor=cls.oskar, reason="Nightly regrade", request_id="request-17"):
            cls.set(cls, "leila.h", usage("quiz"), answer="b")

    def setUp(self):
        self.sign_in()

    def assert_finds(self, search, learners, url=STATE_LIST):
        with self.subTest(search=search, url=url):
            changelist = self.changelist(url, q=search)
            self.assertEqual(changelist.problems, [])
            self.assertEqual({row.student_id for row in changelist.result_list}, {user.pk for user in learners})

    def test_parts_of_names_in_any_letter_case(self):
        for search in (
            *("tariq", "Tariq", "TARIQ", "rahman", "tariq rahman", "RAHMAN tariq", "rah tar", "ariq"),
            *("tariq.rahman", "TARIQ.RAHMAN", "Tariq.Rahman", '"Tariq Rahman"', "learner:tariq"),
            *("learner:Tariq Rahman", "LEARNER:rahman", 'learner:"Tariq Rahman"', "tariq.rahman@school.example"),
            *("TARIQ.RAHMAN@SCHOOL.EXAMPLE", "learner:tariq.rahman@SCHOOL.example", "tariq.rahman@"),
        ):
            for url in (STATE_LIST, HISTORY_LIST):
                self.assert_finds(search, [self.tariq], url)

    def test_letters_outside_ascii_in_any_case(self):
        for search in ("nyström", "NYSTRÖM", "Nyström", "oskar NYSTRÖM", "tröm"):
            self.assert_finds(search, [self.oskar])

    def test_wildcards_are_ordinary_characters(self):
        for search in ("t%q", "tari_", "%", "_ _"):
            with self.subTest(search=search):
                self.assertTrue(self.changelist(STATE_LIST, q=search).problems)

    def test_the_list_names_the_learner_that_a_term_means(self):
        response = self.page(STATE_LIST, q="rahman")
        self.assertContains(response, "<strong>Tariq Rahman (tariq.rahman)</strong>")
        self.assertNotContains(response, "Searches that work")

    def test_short_ids_of_blocks(self):
        for search, learners in {
            "problem_3": [self.tariq, self.oskar, self.leila],
            "block:problem_3": [self.tariq, self.oskar, self.leila],
            "b" * 32: [self.tariq],
            "quiz": [self.leila],
            "tariq problem_3": [self.tariq],
            "problem_3 tariq rahman": [self.tariq],
            "learner:tariq block:problem_3": [self.tariq],
            "learner:tariq problem_3": [self.tariq],
            f"learner:id:{self.tariq.pk} problem_3": [self.tariq],
            f"learner:{self.tariq.pk} problem_3": [self.tariq],
            f"block:quiz course:{COURSE}": [self.leila],
            "tariq quiz": [],
        }.items():
            self.assert_finds(search, learners)
        self.assert_finds("block:quiz", [self.leila], HISTORY_LIST)

    def test_a_name_takes_precedence_over_the_id_of_a_block(self):
        UserFactory(username="quiz")
        self.assert_finds("quiz", [])
        self.assert_finds("block:quiz", [self.leila])

    def test_a_block_id_of_several_courses_is_a_choice_that_a_course_decides(self):
        other = COURSE.from_string("course-v1:Org+Again+Run")
        self.set("oskar", other.make_usage_key("problem", "quiz"))
        changelist = self.changelist(STATE_LIST, q="quiz")
        self.assertIn("Several blocks have the id quiz", changelist.problems[0])
        labels = {choice.label: choice.rows for choice in changelist.choices}
        self.assertEqual(labels, {str(other.make_usage_key("problem", "quiz")): 1, str(usage("quiz")): 1})
        self.assert_finds(f"quiz course:{other}", [self.oskar])
        self.assertEqual(len(self.found(STATE_LIST, q="quiz", course=other)), 1)

    def test_several_learners_are_a_choice_with_the_number_of_rows_of_each(self):
        UserFactory(username="tariq.aziz", first_name="Tariq", last_name="Aziz")
        for url, rows in ((STATE_LIST, 2), (HISTORY_LIST, 2), (PENDING_LIST, 0)):
            response = self.page(url, q="tariq", course=COURSE)
            choices = response.context["cl"].choices
            counts = {choice.label: choice.rows for choice in choices}
            self.assertEqual(counts, {"Tariq Rahman (tariq.rahman)": rows, "Tariq Aziz (tariq.aziz)": 0})
            for choice, address in response.context["cl"].choice_links:
                with self.subTest(url=url, choice=choice.label):
                    self.assertContains(response, f'href="{escape(address)}"')
                    found = self.client.get(url + address).context["cl"]
                    self.assertEqual(len(found.result_list), choice.rows)
                    self.assertIn(("learner", choice.label), found.descriptions)

    def test_a_choice_keeps_the_other_terms(self):
        UserFactory(username="tariq.aziz", first_name="Tariq")
        (first, second) = (choice.search for choice in self.changelist(STATE_LIST, q="block:problem_3 tariq").choices)
        self.assertEqual(second, f"block:{usage('problem_3')} learner:id:{self.tariq.pk}")
        self.assert_finds(second, [self.tariq])
        self.assert_finds(first, [])

    def test_counts_end_at_a_limit(self):
        UserFactory(username="tariq.aziz", first_name="Tariq")
        with mock.patch("kvstore.admin.search.choices.MOST_COUNTED", 1):
            response = self.page(STATE_LIST, q="tariq")
        self.assertContains(response, "more than 1 in this list")

    def test_a_choice_of_actors_counts_in_the_first_rows_of_the_list(self):
        UserFactory(username="oskar.two", first_name="Oskar")
        UserFactory(username="oskar.three", first_name="Oskar", last_name="Nyström")
        choices = self.changelist(HISTORY_LIST, q="actor:nyström").choices
        self.assertEqual({choice.label: choice.rows for choice in choices}["Oskar Nyström (oskar)"], 1)

    def test_a_choice_takes_one_query(self):
        for number in range(10):
            UserFactory(username=f"tariq{number}x", first_name="Tariq")
        # The session and its user; the username, the accounts to examine, the names.
        with assert_queries(default=2 + 3, student_module_history=1):
            self.page(HISTORY_LIST, q="tariq")

    def test_more_matches_than_choices_are_stated(self):
        for number in range(25):
            UserFactory(username=f"many{number}", first_name="Tariq")
        changelist = self.changelist(STATE_LIST, q="tariq")
        self.assertEqual(len(changelist.choices), 20)
        self.assertIn("There are more than these 20", changelist.problems[0])

    def test_actors_requests_and_reasons(self):
        for search, found in {
            "actor:oskar": 1,
            "actor:NYSTRÖM": 1,
            f"actor:{self.oskar.pk}": 1,
            "actor:tariq": 0,
            "request:request-17": 1,
            "request:request-1": 0,
            'reason:"nightly REGRADE"': 1,
            "reason:regrade leila": 1,
            "reason:regrade tariq": 0,
        }.items():
            with self.subTest(search=search):
                changelist = self.changelist(HISTORY_LIST, q=search)
                self.assertEqual(changelist.problems, [])
                self.assertEqual(len(changelist.result_list), found)
        for search in ("actor:oskar", "request:request-17", "reason:regrade"):
            (problem,) = self.changelist(STATE_LIST, q=search).problems
            self.assertIn("its rows do not have it", problem)

    def test_the_page_states_where_it_searched_and_searches_that_work(self):
        for search, texts in {
            "nobody": (
                "Searched all accounts",
                "first name",
                "last name",
                "ids of blocks",
                "Up to 5000 pairs",
                "Searches that work",
            ),
            "nobody@school.example": ("email address", "Searches that work"),
            "learner:nobody": ("Searched all accounts", "Searches that work"),
            "block:absent": ("no block with a learner", "Searches that work"),
            "tariq quiz": ("No row matches", "Tariq Rahman (tariq.rahman)", "Searches that work"),
        }.items():
            response = self.page(STATE_LIST, q=search)
            for text in texts:
                with self.subTest(search=search, text=text):
                    self.assertContains(response, text)

    def test_the_limit_of_the_accounts_is_stated_and_an_exact_name_is_found_beyond_it(self):
        with mock.patch.object(people, "SCANNED_USERS", 2):
            (problem,) = self.changelist(STATE_LIST, q="rahman").problems
            self.assertIn("Searched the newest 2 accounts", problem)
            self.assert_finds("TARIQ.RAHMAN", [self.tariq])
            self.assert_finds(f"learner:id:{self.tariq.pk}", [self.tariq])
            self.assert_finds("haddad", [self.leila])

    def test_hostile_names_and_terms_are_shown_as_text(self):
        for number in range(2):
            UserFactory(username=f"hostile{number}", first_name=SCRIPT, last_name=BIDI)
        for url in (STATE_LIST, HISTORY_LIST):
            for search in (
                "hostile",
                "</script>",
                f'"{SCRIPT}"',
                f"block:{SCRIPT}",
                "x" * 3000,
                "' OR 1=1 --",
                "%s %(a)s",
            ):
                with self.subTest(url=url, search=search[:30]):
                    response = self.page(url, q=search)
                    self.assertNotContains(response, "<script>alert")
                    self.assertNotIn("\u202e", response.content.decode())
