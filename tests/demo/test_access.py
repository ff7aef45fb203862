"""Sign-in and CSRF protection are in force; unknown pages answer 404."""

from django.test import Client

from tests.demo.visits import PASSWORD, DemoTestCase

SUBMIT = "/handlers/block-v1:Harbour+TIDE101+2026+type@problem+block@two-high-tides/submit/"
ANSWER = '{"choice": "bulges"}'


class SignInTests(DemoTestCase):
    def test_pages_redirect_to_the_sign_in_page(self) -> None:
        for address in ("/", "/conformance/acid/", "/resources/xblock.v1/acid/public/test_data.json"):
            self.assertRedirects(self.client.get(address), f"/login/?next={address}")

    def test_a_handler_is_refused(self) -> None:
        response = self.client.post(SUBMIT, ANSWER, content_type="application/json")
        self.assertEqual(response.status_code, 403)

    def test_signing_in_opens_the_page_and_signing_out_closes_it(self) -> None:
        self.learner(first_name="Amara", last_name="Okafor")
        signed_in = self.client.post("/login/", {"username": "amara", "password": PASSWORD}, follow=True)
        self.assertContains(signed_in, "Amara Okafor")
        self.assertRedirects(self.client.post("/logout/"), "/login/")

    def test_a_wrong_password_is_answered_in_the_form(self) -> None:
        response = self.client.post("/login/", {"username": "amara", "password": "guess"})
        self.assertContains(response, "Please enter a correct username and password")

    def test_staff_find_the_admin_and_learners_do_not(self) -> None:
        self.assertNotIn('href="/admin/"', self.visitor().source)
        self.assertIn('href="/admin/"', self.visitor("robin", is_staff=True).source)


class CsrfTests(DemoTestCase):
    def test_a_handler_needs_the_page_s_token(self) -> None:
        client = Client(enforce_csrf_checks=True)
        client.force_login(self.learner())
        response = client.post(SUBMIT, ANSWER, content_type="application/json")
        self.assertEqual(response.status_code, 403)

    def test_a_handler_is_not_run_by_following_a_link(self) -> None:
        self.client.force_login(self.learner())
        self.assertEqual(self.client.get(SUBMIT).status_code, 405)


class NotFoundTests(DemoTestCase):
    def test_unknown_blocks_and_handlers(self) -> None:
        visitor = self.visitor()
        for address in (
            "/handlers/not-a-key/submit/",
            SUBMIT.replace("two-high-tides", "no-such-problem"),
            SUBMIT.replace("TIDE101", "OTHER"),
            SUBMIT.replace("submit", "no_such_handler"),
            SUBMIT.replace("submit", "standing"),
            SUBMIT.replace("submit", "save"),
            "/handlers/lib:Org:lib/submit/",
            "/handlers/aside-usage-v2:block-v1$:Harbour+TIDE101+2026+type@problem+block@two-high-tides"
            "$::acid_aside/check_storage/",
        ):
            with self.subTest(address):
                self.assertEqual(visitor.post(address, ANSWER).status_code, 404)

    def test_unknown_pages_and_resources(self) -> None:
        visitor = self.visitor()
        for address in (
            "/conformance/none/",
            "/resources/xblock.v1/none/public/test_data.json",
            "/resources/none/acid/public/test_data.json",
            "/resources/xblock.v1/acid/public/none.json",
            "/resources/xblock.v1/acid/acid.py",
            "/resources/xblock.v1/acid/public/..%2Facid.py",
        ):
            with self.subTest(address):
                self.assertEqual(visitor.client.get(address).status_code, 404)

    def test_a_block_s_public_file_is_served(self) -> None:
        response = self.visitor().client.get("/resources/xblock.v1/acid/public/test_data.json")
        self.assertEqual(response["Content-Type"], "application/json")
        self.assertIn(b"success", b"".join(response.streaming_content))
