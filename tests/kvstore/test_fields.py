"""The columns for keys and names on every database: case, filters, deferring, assignment, forms, fixtures, parsing."""

import tempfile
from pathlib import Path
from unittest import mock

from django import forms
from django.core.exceptions import ValidationError
from django.core.management import call_command
from django.db import IntegrityError, models, transaction
from django.test import SimpleTestCase, TestCase
from opaque_keys.edx.keys import CourseKey, UsageKey

from kvstore.api import FieldDataCache, UnusableKey
from kvstore.fields import LearningContextKeyField, UsageKeyField
from kvstore.models import PreferencesField, StudentModule, UserInfoField, UserStateSummaryField
from kvstore.testing import (
    PreferencesFactory,
    StudentModuleFactory,
    UserFactory,
    UserInfoFactory,
    UserStateSummaryFactory,
    assert_queries,
)
from tests.kvstore.cache.blocks import COURSE, NAMED_SCOPES, block, usage


def contents(tables):
    """Return every row of the tables, without the times: Django's JSON keeps only their milliseconds."""
    return [list(model.objects.order_by("id").values(*columns(model))) for model in tables]


def columns(model):
    return [field.attname for field in model._meta.concrete_fields if field.name not in ("created", "modified")]


class SummaryForm(forms.ModelForm):
    class Meta:
        model = UserStateSummaryField
        fields = ["usage_id", "field_name", "value"]


class Columns(TestCase):
    """Everything rolls back on both aliases."""

    databases = {"default", "student_module_history"}

    @classmethod
    def setUpTestData(cls):
        cls.user = UserFactory()
        cls.lower, cls.upper = usage("abc"), usage("ABC")
        cls.rows = {
            key: StudentModuleFactory(student=cls.user, module_state_key=key, state="{}")
            for key in (cls.lower, cls.upper)
        }
        cls.row = cls.rows[cls.lower]


class Comparisons(Columns):
    def test_keys_that_differ_in_case_are_two_rows(self):
        for key, row in self.rows.items():
            for value in (key, str(key)):
                with self.subTest(value=value):
                    self.assertEqual(StudentModule.objects.get(module_state_key=value), row)
                    self.assertEqual(StudentModule.objects.get(module_state_key__in=[value]), row)
        self.assertFalse(StudentModule.objects.filter(course_id="course-v1:org+course+run").exists())

    def test_names_that_differ_in_case_are_two_rows(self):
        for make, model, column in (
            (UserInfoFactory, UserInfoField, "field_name"),
            (UserStateSummaryFactory, UserStateSummaryField, "field_name"),
            (PreferencesFactory, PreferencesField, "field_name"),
            (PreferencesFactory, PreferencesField, "module_type"),
            (PreferencesFactory, PreferencesField, "block_family"),
        ):
            owner = {"usage_id": self.lower} if model is UserStateSummaryField else {"student": self.user}
            with self.subTest(model=model.__name__, column=column):
                rows = {name: make(**owner, **{column: name}) for name in ("speed", "Speed")}
                for name, row in rows.items():
                    self.assertEqual(model.objects.get(**owner, **{column: name}), row)
                with self.assertRaises(IntegrityError), transaction.atomic():
                    make(**owner, **{column: "Speed"})
                model.objects.all().delete()

    def test_the_type_of_a_block_is_case_sensitive(self):
        StudentModuleFactory(student=self.user, module_state_key=usage("x", "Problem"))
        self.assertEqual(StudentModule.objects.filter(module_type="problem").count(), 2)
        self.assertEqual(StudentModule.objects.filter(module_type="Problem").count(), 1)

    def test_filters_take_keys_and_their_text(self):
        for filters, expected in (
            ({"course_id": COURSE}, 2),
            ({"course_id": str(COURSE)}, 2),
            ({"course_id__in": [COURSE, str(COURSE)]}, 2),
            ({"module_state_key__in": [self.lower, str(self.upper)]}, 2),
            ({"module_state_key__in": []}, 0),
            ({"module_state_key__startswith": "block-v1:Org+Course"}, 2),
            ({"module_state_key__contains": "type@problem"}, 2),
            ({"module_state_key__contains": "type@video"}, 0),
            ({"module_state_key__endswith": "@ABC", "course_id": COURSE}, None),
            ({"module_state_key__isnull": True}, 0),
            ({"module_state_key__range": (usage("A"), usage("z"))}, 2),
            ({"module_state_key": models.F("module_state_key")}, 2),
        ):
            with self.subTest(filters=filters):
                count = StudentModule.objects.filter(**filters).count()
                # SQLite's LIKE ignores case; the others do not.
                self.assertIn(count, (1, 2)) if expected is None else self.assertEqual(count, expected)

    def test_a_branch_is_left_out_of_filters_and_stored_values(self):
        drafted = self.lower.for_branch("draft")
        self.assertEqual(StudentModule.objects.get(module_state_key=drafted), self.row)
        self.assertEqual(StudentModule.objects.get(course_id=COURSE.for_branch("draft"), pk=self.row.pk), self.row)
        row = UserStateSummaryFactory(usage_id=drafted)
        row.refresh_from_db()
        self.assertEqual(row.usage_id, self.lower)

    def test_filters_refuse_other_keys(self):
        for value in ("junk", COURSE, 5, f"{self.lower}\n"):
            with self.subTest(value=value), self.assertRaises(UnusableKey):
                StudentModule.objects.filter(module_state_key=value).exists()

    def test_values_are_keys(self):
        values = StudentModule.objects.order_by("id").values_list("module_state_key", "course_id")
        self.assertEqual(list(values), [(self.lower, COURSE), (self.upper, COURSE)])
        self.assertEqual(StudentModule.objects.aggregate(key=models.Max("module_state_key"))["key"], self.lower)


class Instances(Columns):
    def test_deferred_keys_are_loaded_on_access(self):
        for queryset in (StudentModule.objects.only("state"), StudentModule.objects.defer("module_state_key")):
            row = queryset.get(pk=self.row.pk)
            with self.subTest(queryset=str(queryset.query)[:60]), assert_queries(default=1):
                self.assertEqual(row.module_state_key, self.lower)

    def test_assigned_text_is_a_key_at_once(self):
        row = UserStateSummaryField(usage_id=str(self.lower))
        self.assertEqual(row.usage_id, self.lower)
        row.usage_id = str(self.upper)
        self.assertEqual(row.usage_id, self.upper)
        row.usage_id = ""
        self.assertIsNone(row.usage_id)

    def test_text_that_is_not_a_key_cannot_be_assigned(self):
        row = UserStateSummaryField(usage_id=self.lower)
        for text in ("junk", str(COURSE), f"{self.lower} "):
            with self.subTest(text=text):
                with self.assertRaises(UnusableKey):
                    row.usage_id = text
                self.assertEqual(row.usage_id, self.lower)

    def test_a_value_that_is_not_a_key_cannot_be_saved(self):
        for value in (5, COURSE, None):
            with (
                self.subTest(value=value),
                self.assertRaises((UnusableKey, IntegrityError)),
                transaction.atomic(),
            ):
                UserStateSummaryField(usage_id=value, field_name="field", value="1").save()

    def test_rows_are_read_without_parsing_keys_that_the_caller_holds(self):
        keys = [usage(f"held{number}") for number in range(20)]
        for key in keys:
            StudentModuleFactory(student=self.user, module_state_key=key)
        with (
            mock.patch.object(UsageKey, "from_string", wraps=UsageKey.from_string) as parse_usage,
            mock.patch.object(CourseKey, "from_string", wraps=CourseKey.from_string) as parse_course,
        ):
            found = [(row.module_state_key, row.course_id) for row in StudentModule.objects.order_by("id")[2:]]
            FieldDataCache([block(key, NAMED_SCOPES) for key in keys], COURSE, self.user)
        self.assertEqual(found, [(key, COURSE) for key in keys])
        self.assertEqual((parse_usage.call_count, parse_course.call_count), (0, 0))


class FormsAndFixtures(Columns):
    def test_a_form_takes_the_text_of_a_key(self):
        form = SummaryForm({"usage_id": str(self.lower), "field_name": "tally", "value": "1"})
        self.assertTrue(form.is_valid(), form.errors)
        self.assertEqual(form.save().usage_id, self.lower)

    def test_a_form_shows_the_text_of_a_key(self):
        self.assertInHTML(
            f'<input type="text" name="usage_id" value="{self.lower}" maxlength="255" required id="id_usage_id">',
            str(SummaryForm(instance=UserStateSummaryFactory(usage_id=self.lower))["usage_id"]),
        )

    def test_a_form_names_the_text_that_is_not_a_key(self):
        for text in ("junk", str(COURSE), "", "x" * 300, "block-v1:Org+Course+Run+type@problem+block@"):
            with self.subTest(text=text[:50]):
                form = SummaryForm({"usage_id": text, "field_name": "tally", "value": "1"})
                self.assertFalse(form.is_valid())
                self.assertEqual(list(form.errors), ["usage_id"])

    def test_clean_names_the_value_that_is_not_a_key(self):
        for value in (5, COURSE, None):
            with self.subTest(value=value), self.assertRaises(ValidationError) as caught:
                UserStateSummaryField(usage_id=value, field_name="field", value="1").full_clean()
            self.assertEqual(list(caught.exception.message_dict), ["usage_id"])
        StudentModule.objects.get(pk=self.row.pk).full_clean()

    def test_rows_survive_a_dump_and_a_load(self):
        UserStateSummaryFactory(usage_id=self.upper)
        PreferencesFactory(student=self.user)
        UserInfoFactory(student=self.user)
        tables = (StudentModule, UserStateSummaryField, PreferencesField, UserInfoField)
        before = contents(tables)
        with tempfile.TemporaryDirectory() as directory:
            file = Path(directory, "state.json")
            call_command("dumpdata", "xblock_kvstore", output=file, verbosity=0)
            for model in tables:
                model.objects.all().delete()
            call_command("loaddata", file, verbosity=0)
        self.assertEqual(contents(tables), before)


class Migrations(SimpleTestCase):
    def test_a_column_is_rebuilt_from_its_migration(self):
        for field, arguments in (
            (UsageKeyField(), {}),
            (UsageKeyField(max_length=100), {"max_length": 100}),
            (LearningContextKeyField(null=True), {"null": True}),
        ):
            _, _, args, kwargs = field.deconstruct()
            with self.subTest(field=type(field).__name__, arguments=arguments):
                self.assertEqual((args, kwargs), ([], arguments))
                self.assertEqual(type(field)(*args, **kwargs).max_length, field.max_length)

    def test_the_class_attribute_is_the_column_itself(self):
        self.assertIs(StudentModule.module_state_key.field, StudentModule._meta.get_field("module_state_key"))
