"""The admin in another project, with its own user model and its own admin site.

Run in a process of its own, because a user model cannot be changed in one that has started.
"""

import json
import tempfile
from pathlib import Path

from django.test import SimpleTestCase

from tests.projects import Project

CHECKOUT = Path(__file__).resolve().parent.parent.parent

SETTINGS = """
INSTALLED_APPS = [
    "people", "django.contrib.contenttypes", "django.contrib.auth", "django.contrib.sessions",
    "django.contrib.messages", "django.contrib.staticfiles", "people.site.SchoolAdminConfig", "kvstore", "history",
]
AUTH_USER_MODEL = "people.Person"
ROOT_URLCONF = "urls"
STATIC_URL = "static/"
ALLOWED_HOSTS = ["testserver"]
MIDDLEWARE = [
    "django.contrib.sessions.middleware.SessionMiddleware",
    "django.contrib.auth.middleware.AuthenticationMiddleware",
    "django.contrib.messages.middleware.MessageMiddleware",
]
TEMPLATES = [{
    "BACKEND": "django.template.backends.django.DjangoTemplates",
    "APP_DIRS": True,
    "DIRS": [BASE / "templates"],
    "OPTIONS": {"context_processors": [
        "django.template.context_processors.request",
        "django.contrib.auth.context_processors.auth",
        "django.contrib.messages.context_processors.messages",
    ]},
}]
"""
PEOPLE = """
from django.contrib.auth.base_user import AbstractBaseUser, BaseUserManager
from django.contrib.auth.models import PermissionsMixin
from django.db import models


class People(BaseUserManager):
    pass


class Person(AbstractBaseUser, PermissionsMixin):
    number = models.BigAutoField(primary_key=True)
    mail = models.EmailField(unique=True)
    is_staff = models.BooleanField(default=False)
    is_active = models.BooleanField(default=True)
    objects = People()
    USERNAME_FIELD = EMAIL_FIELD = "mail"
"""
SITE = """
from django.contrib import admin
from django.contrib.admin.apps import AdminConfig


class SchoolAdmin(admin.AdminSite):
    site_header = "The school"


class SchoolAdminConfig(AdminConfig):
    default_site = "people.site.SchoolAdmin"
"""
# A second site, under another name, with the pages of the history and an admin that shows one course alone.
URLS = """
from django.contrib import admin
from django.urls import path

from history.admin import RecordedStudentModuleAdmin, StudentModuleHistoryAdmin
from history.models import StudentModuleHistory
from kvstore.models import StudentModule


class OneCourse(StudentModuleHistoryAdmin):
    def has_view_permission(self, request, obj=None):
        allowed = super().has_view_permission(request, obj)
        return allowed and (obj is None or str(obj.course_id) == "course-v1:Org+Open+Run")


support = admin.AdminSite(name="support")
support.register(StudentModule, RecordedStudentModuleAdmin)
support.register(StudentModuleHistory, OneCourse)
urlpatterns = [path("admin/", admin.site.urls), path("support/", support.urls)]
"""
VISIT = """
import json

import django

django.setup()

from django.test import Client
from django.test.utils import setup_test_environment
from django.urls import reverse
from opaque_keys.edx.keys import CourseKey

from kvstore.api import DjangoXBlockUserStateClient
from kvstore.models import StudentModule
from people.models import Person

setup_test_environment()
staff = Person.objects.create(mail="staff@school.example", is_staff=True, is_superuser=True)
learner = Person.objects.create(mail="amara@school.example")
store = DjangoXBlockUserStateClient()
for run in ("Open", "Closed"):
    block = CourseKey.from_string(f"course-v1:Org+{run}+Run").make_usage_key("problem", "p")
    for answer in ("a", "b"):
        store.set("amara@school.example", block, {"answer": answer})
browser = Client()
browser.force_login(staff)
opened = {}
for site in ("admin", "support"):
    for row in StudentModule.objects.order_by("pk"):
        run = row.course_id.course
        names = {
            "timeline": [row.pk], "version": [row.pk, 1], "restore": [row.pk, 1], "compare": [row.pk],
        }
        for name, args in names.items():
            url = reverse(f"{site}:xblock_history_{name}", args=args)
            response = browser.get(url, {"a": 1, "b": 2})
            page = response.content.decode()
            other = 'href="/support/' if site == "admin" else 'href="/admin/'
            opened[f"{site} {run} {name}"] = [response.status_code, "amara@school.example" in page, other in page]
    for url, query in (
        (reverse(f"{site}:xblock_kvstore_studentmodule_change", args=[row.pk]), {}),
        (reverse(f"{site}:xblock_kvstore_studentmodule_changelist"), {"q": "amara@school.example"}),
        (reverse(f"{site}:xblock_history_studentmodulehistory_changelist"), {"q": "learner:amara@school.example"}),
    ):
        response = browser.get(url, query)
        opened[f"{site} {url}"] = [response.status_code, "amara@school.example" in response.content.decode(), False]
print("OPENED" + json.dumps(opened))
"""


class OtherProject(SimpleTestCase):
    def setUp(self):
        folder = Path(self.enterContext(tempfile.TemporaryDirectory()))
        self.project = Project(folder, CHECKOUT)
        self.project.add_settings(SETTINGS)
        for name, text in {
            "people/__init__.py": "",
            "people/models.py": PEOPLE,
            "people/site.py": SITE,
            "people/migrations/__init__.py": "",
            "urls.py": URLS,
            "visit.py": VISIT,
            "templates/admin/xblock_history/version.html": (
                '{% extends "admin/xblock_history/block.html" %}{% block page %}Ours: {{ learner }}{% endblock %}'
            ),
        }.items():
            self.project.write(name, text)
        for command in (
            ("makemigrations", "people"),
            ("migrate",),
            ("migrate", "--database", "student_module_history"),
        ):
            ran = self.project.manage(*command)
            self.assertEqual(ran.returncode, 0, ran.stdout)

    def test_each_page_opens_in_each_site_and_links_within_it(self):
        ran = self.project.run("visit.py")
        self.assertEqual(ran.returncode, 0, ran.stdout)
        opened = json.loads(ran.stdout.partition("OPENED")[2])
        self.assertEqual(len(opened), 22)
        for page, found in opened.items():
            closed = page.startswith("support Closed")
            with self.subTest(page=page):
                self.assertEqual(found, [403, False, False] if closed else [200, True, False])

    def test_a_template_of_the_project_takes_the_place_of_ours(self):
        self.project.write("visit.py", VISIT.replace('"amara@school.example" in page', '"Ours: amara" in page'))
        ran = self.project.run("visit.py")
        opened = json.loads(ran.stdout.partition("OPENED")[2])
        self.assertTrue(opened["admin Open version"][1])
        self.assertFalse(opened["admin Open timeline"][1])
