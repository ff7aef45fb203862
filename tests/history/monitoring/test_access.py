"""The pages answer a program with the token and a staff user with the permission, and no other client."""

from django.conf import settings
from django.contrib.auth.models import Permission
from django.test import TestCase, override_settings
from django.urls import reverse

from kvstore.testing import UserFactory, assert_queries
from tests.history.monitoring.pages import HEALTH, METRICS, TOKEN, bearer

PAGES = (HEALTH, METRICS)
LOGIN_REQUIRED = [*settings.MIDDLEWARE, "django.contrib.auth.middleware.LoginRequiredMiddleware"]


@override_settings(HISTORY_MONITORING_TOKEN=TOKEN)
class Access(TestCase):
    databases = {"default", "student_module_history"}

    def user(self, *, may_view=False, **columns):
        user = UserFactory(**columns)
        if may_view:
            user.user_permissions.add(Permission.objects.get(codename="view_pendinghistory"))
        return user

    def assert_refused(self, status, **request):
        for page in PAGES:
            with self.subTest(page=page, **request), assert_queries():
                response = self.client.get(page, **request)
                self.assertEqual(response.status_code, status)
                self.assertNotIn("healthy", response.text)
                self.assertIn("no-store", response["Cache-Control"])

    def assert_answered(self, **request):
        for page in PAGES:
            with self.subTest(page=page, **request):
                response = self.client.get(page, **request)
                self.assertEqual(response.status_code, 200)
                self.assertIn("healthy", response.text)
                self.assertIn("no-store", response["Cache-Control"])

    def test_the_addresses_have_names(self):
        self.assertEqual((reverse("xblock_history:health"), reverse("xblock_history:metrics")), PAGES)

    def test_the_token_is_sufficient(self):
        self.assert_answered(headers=bearer())
        self.assert_answered(headers={"Authorization": f"bearer  {TOKEN} "})

    def test_other_tokens_and_other_schemes_are_refused_without_a_query(self):
        for value in (
            bearer("")["Authorization"],
            f"Bearer {TOKEN}x",
            TOKEN,
            f"Basic {TOKEN}",
            "Bearer",
            "Bearer \xe9",
        ):
            self.assert_refused(401, headers={"Authorization": value})
        self.assert_refused(401, query_params={"token": TOKEN})
        self.assertEqual(self.client.get(HEALTH)["WWW-Authenticate"], 'Bearer realm="history"')

    def test_without_a_token_in_the_settings_no_token_is_valid(self):
        for setting in (None, ""):
            with override_settings(HISTORY_MONITORING_TOKEN=setting):
                for token in ("", "None", TOKEN):
                    self.assert_refused(401, headers=bearer(token))

    def test_staff_with_the_permission_and_superusers_are_answered(self):
        for user in (self.user(is_staff=True, may_view=True), self.user(is_staff=True, is_superuser=True)):
            self.client.force_login(user)
            self.assert_answered()

    def test_other_users_are_refused(self):
        users = {
            "a learner": self.user(),
            "a learner with the permission": self.user(may_view=True),
            "staff without the permission": self.user(is_staff=True),
        }
        for name, user in users.items():
            self.client.force_login(user)
            for page in PAGES:
                with self.subTest(user=name, page=page):
                    response = self.client.get(page)
                    self.assertContains(response, "xblock_history.view_pendinghistory", status_code=403)

    def test_a_deactivated_user_is_refused(self):
        user = self.user(is_staff=True, may_view=True)
        self.client.force_login(user)
        user.is_active = False
        user.save()
        self.assertEqual(self.client.get(HEALTH).status_code, 401)

    def test_only_get_and_head_are_answered(self):
        for page in PAGES:
            for method in ("post", "put", "patch", "delete", "options"):
                with self.subTest(page=page, method=method):
                    response = getattr(self.client, method)(page, headers=bearer())
                    self.assertEqual((response.status_code, response["Allow"]), (405, "GET, HEAD"))
            response = self.client.head(page, headers=bearer())
            self.assertEqual((response.status_code, response.content), (200, b""))

    def test_a_project_that_requires_a_login_answers_the_token(self):
        with override_settings(MIDDLEWARE=LOGIN_REQUIRED):
            self.assert_answered(headers=bearer())

    def test_a_project_without_users_answers_the_token(self):
        names = [name for name in settings.MIDDLEWARE if "auth" not in name and "messages" not in name]
        with override_settings(MIDDLEWARE=names):
            self.assert_answered(headers=bearer())
            self.assert_refused(401)
