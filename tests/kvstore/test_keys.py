"""The text under which state is stored: block_address, the run of old keys, branches, refused keys."""

from django.test import SimpleTestCase
from opaque_keys.edx.asides import AsideUsageKeyV1, AsideUsageKeyV2
from opaque_keys.edx.keys import CourseKey, LearningContextKey, UsageKey

from kvstore import keys
from kvstore.exceptions import UnusableKey
from kvstore.keys import block_address, checked_name, key_from_text, text_from_key, usage_key_in_course
from tests.kvstore.cache.blocks import COURSE, usage

PLAIN = "block-v1:Org+Course+Run+type@problem+block@b1"
VERSION = "519665f6223ebd6980884f2b"
VERSIONED = f"block-v1:Org+Course+Run+branch@draft-branch+version@{VERSION}+type@problem+block@b1"
OLD = "i4x://Org/Course/problem/b1"
OLD_COURSE = "Org/Course/Run"
OTHER_OLD_COURSE = "Org/Course/OtherRun"
LIBRARY_V1 = "lib-block-v1:Org+Lib+type@problem+block@b1"
LIBRARY_V2 = "lb:Org:Lib:problem:b1"


def parsed(text):
    return UsageKey.from_string(text)


class Addresses(SimpleTestCase):
    def test_a_block_is_kept_by_its_context_its_key_and_its_type(self):
        for text, context in (
            (PLAIN, "course-v1:Org+Course+Run"),
            (LIBRARY_V1, "library-v1:Org+Lib"),
            (LIBRARY_V2, "lib:Org:Lib"),
        ):
            with self.subTest(text=text):
                self.assertEqual(block_address(parsed(text)), (context, text, "problem"))

    def test_an_aside_is_kept_beside_its_block_under_its_own_key_and_type(self):
        for text, context in (
            (PLAIN, "course-v1:Org+Course+Run"),
            (LIBRARY_V1, "library-v1:Org+Lib"),
            (LIBRARY_V2, "lib:Org:Lib"),
        ):
            for kind in (AsideUsageKeyV1, AsideUsageKeyV2):
                aside = kind(parsed(text), "notes")
                with self.subTest(aside=aside):
                    self.assertEqual(block_address(aside), (context, str(aside), "notes"))

    def test_branch_and_version_are_left_out(self):
        for text, stored in (
            (VERSIONED, PLAIN),
            (f"block-v1:Org+Course+Run+version@{VERSION}+type@problem+block@b1", PLAIN),
            ("lib-block-v1:Org+Lib+branch@library+type@problem+block@b1", LIBRARY_V1),
        ):
            with self.subTest(text=text):
                self.assertEqual(block_address(parsed(text)), block_address(parsed(stored)))

    def test_branch_and_version_of_an_asides_block_are_left_out(self):
        for kind in (AsideUsageKeyV1, AsideUsageKeyV2):
            with self.subTest(kind=kind):
                self.assertEqual(block_address(kind(parsed(VERSIONED), "a")), block_address(kind(parsed(PLAIN), "a")))

    def test_the_revision_of_an_old_key_is_left_out(self):
        draft = parsed(f"{OLD}@draft")
        self.assertEqual(block_address(draft, CourseKey.from_string(OLD_COURSE)), (OLD_COURSE, OLD, "problem"))

    def test_a_key_that_only_looks_as_if_it_had_a_branch_is_left_as_it_is(self):
        key = COURSE.make_usage_key("problem", "branch.version")
        self.assertEqual(block_address(key).usage_key, str(key))


class OldKeys(SimpleTestCase):
    def test_the_run_is_taken_from_the_key_or_the_course(self):
        course = CourseKey.from_string(OLD_COURSE)
        expected = (OLD_COURSE, OLD, "problem")
        self.assertEqual(block_address(parsed(OLD).map_into_course(course)), expected)
        self.assertEqual(block_address(parsed(OLD), course), expected)

    def test_the_same_text_in_two_runs_is_two_addresses(self):
        for course_text in (OLD_COURSE, OTHER_OLD_COURSE, OLD_COURSE):
            course = CourseKey.from_string(course_text)
            with self.subTest(course=course_text):
                self.assertEqual(block_address(parsed(OLD).map_into_course(course)).course_id, course_text)
                self.assertEqual(block_address(parsed(OLD), course).course_id, course_text)

    def test_without_a_run_the_error_names_the_function_to_call(self):
        for key in (parsed(OLD), AsideUsageKeyV2(parsed(OLD), "notes")):
            with self.subTest(key=key), self.assertRaisesMessage(UnusableKey, "map_into_course"):
                block_address(key)

    def test_a_course_key_without_a_run_has_no_text(self):
        with self.assertRaises(UnusableKey):
            block_address(parsed(OLD), parsed(OLD).course_key)

    def test_the_text_becomes_the_key_of_the_course_it_is_read_for(self):
        for course_text in (OLD_COURSE, OTHER_OLD_COURSE):
            course = CourseKey.from_string(course_text)
            key = parsed(OLD).map_into_course(course)
            with self.subTest(course=course_text):
                self.assertEqual(usage_key_in_course(block_address(key).usage_key, course_text), key)

    def test_the_text_of_an_aside_becomes_the_key_of_the_course_it_is_read_for(self):
        for course_text in (OLD_COURSE, OTHER_OLD_COURSE):
            course = CourseKey.from_string(course_text)
            aside = AsideUsageKeyV2(parsed(OLD).map_into_course(course), "notes")
            with self.subTest(course=course_text):
                found = usage_key_in_course(block_address(aside).usage_key, course_text)
                self.assertEqual(found.context_key, course)

    def test_a_complete_key_is_read_as_it_was_written(self):
        for text in (PLAIN, LIBRARY_V1, LIBRARY_V2, str(AsideUsageKeyV2(parsed(LIBRARY_V2), "notes"))):
            with self.subTest(text=text):
                self.assertEqual(usage_key_in_course(text, "course-v1:Org+Other+Run"), parsed(text))


class RefusedKeys(SimpleTestCase):
    def test_a_value_that_is_not_a_usage_key_has_no_address(self):
        for key in (None, "", PLAIN, 5, COURSE, b"bytes", object()):
            with self.subTest(key=key), self.assertRaisesMessage(UnusableKey, "is not a usage key"):
                block_address(key)

    def test_keys_too_long_for_the_columns_are_refused_with_their_length(self):
        room = 255 - len(str(usage("b"))) + 1
        longest = usage("b" * room)
        self.assertEqual(len(block_address(longest).usage_key), 255)
        with self.assertRaisesMessage(UnusableKey, "has 256 characters"):
            block_address(usage("b" * (room + 1)))
        with self.assertRaisesMessage(UnusableKey, "block type"):
            block_address(usage("b", "t" * 129))

    def test_text_that_is_not_a_key_is_refused(self):
        for text in ("", "junk", f"{PLAIN}\n", f" {PLAIN}", f"{PLAIN}\0", "\ud800", str(COURSE), "block-v1:", "i4x://"):
            with self.subTest(text=text), self.assertRaises(UnusableKey):
                key_from_text(text, UsageKey)

    def test_a_key_of_the_wrong_kind_is_refused(self):
        for key, key_class in ((COURSE, UsageKey), (usage("b"), LearningContextKey), ("text", UsageKey)):
            with self.subTest(key=key), self.assertRaisesMessage(UnusableKey, "pass the right kind of key"):
                text_from_key(key, key_class)

    def test_names_are_printable_strings_that_a_column_can_hold(self):
        self.assertEqual(checked_name("a field", "field name"), "a field")
        self.assertEqual(checked_name("f" * 255, "field name"), "f" * 255)
        for name in (None, 5, b"name", "", " name", "name\n", "na\0me", "\ud800", "f" * 256):
            with self.subTest(name=name), self.assertRaisesMessage(UnusableKey, "field name"):
                checked_name(name, "field name")


class SeenKeys(SimpleTestCase):
    def test_text_reads_back_as_the_very_key_that_was_written(self):
        key = usage("seen-before")
        self.assertIs(key_from_text(text_from_key(key, UsageKey), UsageKey), key)

    def test_the_cache_of_a_process_is_bounded(self):
        original, keys.SEEN_LIMIT = keys.SEEN_LIMIT, 10
        self.addCleanup(setattr, keys, "SEEN_LIMIT", original)
        for number in range(50):
            block_address(usage(f"bounded{number}"))
        self.assertLessEqual(len(keys._seen[UsageKey]), 10)
        self.assertLessEqual(len(keys._addresses), 10)
