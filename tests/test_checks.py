"""Each check of the settings reports one problem and its remedy. The reference explains every check."""

import re
import tempfile
from io import StringIO
from pathlib import Path
from unittest import mock

from django.conf import settings
from django.core.checks import ERROR, run_checks
from django.core.checks.registry import registry
from django.core.management import call_command
from django.test import SimpleTestCase, override_settings

import history.checks
import kvstore.checks
from tests.projects import Project

CHECKOUT = Path(__file__).resolve().parent.parent
REFERENCE = CHECKOUT / "docs" / "reference" / "checks.md"
HISTORY = "student_module_history"
IDS = {*(f"history.E{number:03}" for number in range(1, 12)), "history.W001", "history.W002"}
IDS |= {"kvstore.E001", "kvstore.E002", "kvstore.E003"}


class EverythingMigratesEverywhere:
    """A router that answers before ours, for every app."""

    def allow_migrate(self, db, app_label, **hints):
        return True


class OtherAppsMigrateEverywhere:
    def allow_migrate(self, db, app_label, **hints):
        return True if app_label != "xblock_history" else None


class EntriesMigrateNowhere:
    def allow_migrate(self, db, app_label, **hints):
        return False if app_label == "xblock_history" else None


class EntriesGoToDefault:
    def db_for_write(self, model, **hints):
        return "default"


class EntriesAreReadFromDefault:
    def db_for_read(self, model, **hints):
        return "default"


def first(router):
    """Return settings with a router before ours."""
    return {"DATABASE_ROUTERS": [router(), "routers.StudentModuleHistoryRouter"]}


def database_setting(alias, **options):
    """Change options of an alias; override_settings would have to make its connection anew."""
    return mock.patch.dict(settings.DATABASES[alias], options)


class Fires(SimpleTestCase):
    def assert_fires(self, check_id, message, hint):
        (found,) = run_checks()
        self.assertEqual((found.id, found.level), (check_id, ERROR))
        self.assertRegex(found.msg, message)
        self.assertRegex(found.hint, hint)
        anchor = check_id.lower().replace(".", "-")
        self.assertTrue(found.hint.endswith(f"docs/reference/checks.md#{anchor}"), found.hint)

    def test_none_where_all_is_well(self):
        self.assertEqual(run_checks(), [])
        call_command("check", stdout=StringIO())

    def test_alias_missing(self):
        with override_settings(HISTORY_DATABASE_ALIAS="absent"):
            self.assert_fires("history.E001", "no alias 'absent'", "HISTORY_DATABASE_ALIAS")

    def test_a_monitoring_token_that_no_program_can_send_or_that_is_short(self):
        for token in (
            "",
            "short",
            "a token with spaces in it",
            "t\xf6ken-of-twenty-letters",
            b"token-of-twenty-letters",
            7,
        ):
            with self.subTest(token=token), override_settings(HISTORY_MONITORING_TOKEN=token):
                self.assert_fires("history.E011", "^HISTORY_MONITORING_TOKEN is not", "token_urlsafe")
        for token in (None, "dGhlLXRva2VuLW9mLWEtc2NyYXBlcg=="):
            with self.subTest(token=token), override_settings(HISTORY_MONITORING_TOKEN=token):
                self.assertEqual(run_checks(), [])

    def test_entries_routed_elsewhere(self):
        for router in (EntriesGoToDefault, EntriesAreReadFromDefault):
            with self.subTest(router=router), override_settings(**first(router)):
                self.assert_fires("history.E002", f"go to default, not to '{HISTORY}'", "DATABASE_ROUTERS.*__file__")

    def test_migrations_routed_elsewhere(self):
        for router, where in (
            (EverythingMigratesEverywhere, "would run on 'default' too"),
            (EntriesMigrateNowhere, f"would not run on '{HISTORY}'"),
        ):
            with self.subTest(router=router), override_settings(**first(router)):
                self.assert_fires("history.E003", where, "before routers that answer allow_migrate")

    def test_other_apps_migrated_on_the_alias(self):
        with override_settings(**first(OtherAppsMigrateEverywhere)):
            self.assert_fires("history.E003", f"other apps on '{HISTORY}'", "before routers")

    def test_a_missing_router_is_always_an_error(self):
        with override_settings(DATABASE_ROUTERS=[]):
            self.assertEqual({found.id for found in run_checks()}, {"history.E002", "history.E003"})

    def test_requests_wrapped_in_transactions(self):
        for option in ({"ATOMIC_REQUESTS": True}, {"AUTOCOMMIT": False}):
            with self.subTest(option=option), database_setting(HISTORY, **option):
                self.assert_fires("history.E005", f"DATABASES\\['{HISTORY}'\\]", "ATOMIC_REQUESTS")

    def test_requests_wrapped_in_transactions_on_default_pass(self):
        with database_setting("default", ATOMIC_REQUESTS=True):
            self.assertEqual(run_checks(), [])
            with override_settings(HISTORY_DATABASE_ALIAS="default", DATABASE_ROUTERS=[]):
                self.assertNotIn("history.E005", {found.id for found in run_checks()})

    def test_answer_formatters_that_are_no_functions(self):
        for formatters, message in (
            (["problem"], r"is \['problem'\], which is not a dict"),
            ({"problem": "school.absent"}, r"\['problem'\] is 'school.absent', which cannot be imported"),
            ({"problem": "nodots"}, "'nodots', which cannot be imported"),
            ({"problem": len}, "cannot be imported"),
            ({"problem": "history.conf.APP_LABEL"}, "which is not a function"),
        ):
            with self.subTest(formatters=formatters), override_settings(HISTORY_ANSWER_FORMATTERS=formatters):
                self.assert_fires("history.E010", message, "dotted paths of functions")

    def test_block_types_that_are_not_a_list(self):
        for types in ("problem", "*, problem", 5, None, [1], {"problem": True, 2: True}):
            with self.subTest(types=types), override_settings(HISTORY_BLOCK_TYPES=types):
                self.assert_fires("history.E007", re.escape(repr(types)), r"\['problem'\], or '\*'")

    def test_block_types_that_are_a_collection(self):
        for types in ("*", [], ["problem"], ("*",), {"problem", "video"}, frozenset()):
            with self.subTest(types=types), override_settings(HISTORY_BLOCK_TYPES=types):
                self.assertEqual(run_checks(), [])

    def test_a_request_id_header_that_is_not_a_header_name(self):
        for name in ("HTTP_X_REQUEST_ID", "X Request ID", "", True, b"X-Request-ID", ["X-Request-ID"]):
            with self.subTest(name=name), override_settings(HISTORY_REQUEST_ID_HEADER=name):
                self.assert_fires("history.E009", re.escape(repr(name)), "'X-Request-ID', or set it to None")

    def test_a_request_id_header_that_is_a_name(self):
        for name in (None, "X-Request-ID", "traceparent"):
            with self.subTest(name=name), override_settings(HISTORY_REQUEST_ID_HEADER=name):
                self.assertEqual(run_checks(), [])

    def test_one_database_with_a_replica_needs_no_router(self):
        replica = {**settings.DATABASES["default"], "TEST": {"MIRROR": "default"}}
        databases = {"default": settings.DATABASES["default"], "replica": replica}
        with (
            mock.patch.dict(settings.DATABASES, databases, clear=True),
            override_settings(HISTORY_DATABASE_ALIAS="default", DATABASE_ROUTERS=[]),
        ):
            self.assertEqual(run_checks(), [])


class OtherProjects(SimpleTestCase):
    """Conditions that need another project: an app with our label, another user model."""

    def setUp(self):
        folder = Path(self.enterContext(tempfile.TemporaryDirectory()))
        self.project = Project(folder, CHECKOUT)

    def assert_only(self, check_id, *texts):
        result = self.project.manage("check")
        self.assertEqual(result.returncode, 1, result.stdout)
        self.assertEqual(re.findall(r"\((\w+\.[EWC]\d+)\)", result.stdout), [check_id], result.stdout)
        for text in (*texts, f"docs/reference/checks.md#{check_id.lower().replace('.', '-')}"):
            self.assertIn(text, result.stdout)

    def test_an_app_of_the_project_is_named_history(self):
        self.project.write("history/__init__.py", "")
        self.project.add_settings("DATABASE_ROUTERS = []")
        self.assert_only("kvstore.E001", str(self.project.folder / "history"), "Rename")

    def test_users_with_ids_that_are_not_integers(self):
        self.project.write("people/__init__.py", "")
        self.project.write(
            "people/models.py",
            "import uuid\nfrom django.contrib.auth.models import AbstractUser\nfrom django.db import models\n"
            "class Person(AbstractUser):\n    id = models.UUIDField(primary_key=True, default=uuid.uuid4)\n",
        )
        self.project.add_settings("INSTALLED_APPS.append('people')\nAUTH_USER_MODEL = 'people.Person'")
        self.assert_only("kvstore.E002", "people.Person", "UUIDField", "integer primary key")

    def test_kvstore_alone_is_a_whole_installation(self):
        self.project.add_settings("INSTALLED_APPS.remove('history')\ndel DATABASES['student_module_history']")
        self.project.add_settings("DATABASE_ROUTERS = []")
        result = self.project.manage("check", "--fail-level=WARNING")
        self.assertEqual(result.returncode, 0, result.stdout)


class Reference(SimpleTestCase):
    def test_every_id_is_in_the_code_once_and_in_the_reference_once(self):
        source = "".join(
            Path(module.__file__).read_text(encoding="utf-8") for module in (history.checks, kvstore.checks)
        )
        numbers = re.findall(r"_error\(\s*(\d+),", source)
        in_code = [f"history.E{int(number):03}" for number in numbers]
        in_code += re.findall(r'id="(\w+\.[EW]\d+)"', source)
        self.assertEqual(sorted(in_code), sorted(IDS))
        text = REFERENCE.read_text(encoding="utf-8")
        self.assertEqual(sorted(re.findall(r"^## (\S+\.[EW]\d+)$", text, re.MULTILINE)), sorted(IDS))
        anchors = re.findall(r'<a id="([^"]+)"></a>', text)
        self.assertEqual(sorted(anchors), sorted(check_id.lower().replace(".", "-") for check_id in IDS))

    def test_checks_that_connect_are_registered_for_deployments(self):
        ours = {
            check.__name__: check in registry.deployment_checks
            for check in (*registry.registered_checks, *registry.deployment_checks)
            if check.__module__ in ("history.checks", "kvstore.checks")
        }
        connecting = {name for name, deployment in ours.items() if deployment}
        of_history = {"check_tables", "check_pending_table", "check_pending_age", "check_privileges"}
        self.assertEqual(connecting, of_history | {"check_character_sets"})
        self.assertEqual(len(ours), 15)
