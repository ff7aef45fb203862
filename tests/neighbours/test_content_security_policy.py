"""The pages of the admin and of the demo under a Content-Security-Policy without inline styles and scripts."""

import django
from django.core.management import call_command
from django.test import override_settings

from tests.browser import test_appearance, test_demo
from tests.browser.case import BrowserTestCase

POLICY = "default-src 'self'"
# The conformance blocks are published packages with inline scripts of their own.
DEMO = [path for path in test_demo.PAGES if "conformance" not in path]
MIDDLEWARE = (
    "django.middleware.csp.ContentSecurityPolicyMiddleware"
    if django.VERSION >= (6, 0)
    else f"{__name__}.policy_middleware"
)
ADD_INLINE_STYLE = "document.head.append(Object.assign(document.createElement('style'), {textContent: 'p { top: 0 }'}))"


def policy_middleware(get_response):
    def middleware(request):
        response = get_response(request)
        response.headers["Content-Security-Policy"] = POLICY
        return response

    return middleware


@override_settings(SECURE_CSP={"default-src": ["'self'"]})
class ContentSecurityPolicy(BrowserTestCase):
    pages = test_appearance.Appearance.pages
    lists = test_appearance.Appearance.lists

    def setUp(self) -> None:
        super().setUp()
        with self.modify_settings(MIDDLEWARE={"prepend": MIDDLEWARE}):
            # The server's handler reads the setting once, when it starts.
            self.server_thread.httpd.application.application.load_middleware()
        self.addCleanup(self.server_thread.httpd.application.application.load_middleware)
        self.violations()

    def violations(self) -> list[str]:
        """Return the violations that the browser has reported since the last call."""
        messages = [entry["message"] for entry in self.browser.get_log("browser")]
        return [message for message in messages if "Content Security Policy" in message]

    def assert_none(self, paths) -> None:
        for path in paths:
            self.open(path)
            with self.subTest(path=path):
                self.assertEqual(self.violations(), [])
                self.browser.execute_script(ADD_INLINE_STYLE)
                self.assertEqual(len(self.violations()), 1, "the policy is not in force")

    def test_pages_and_lists_of_the_admin(self) -> None:
        self.assert_none([*self.pages().values(), *self.lists().values()])

    def test_pages_of_the_demo(self) -> None:
        with override_settings(DEBUG=True):
            call_command("load_demo", verbosity=0)
        self.assert_none(DEMO)
