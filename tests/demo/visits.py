"""A client that signs in, reads pages, and calls handlers as the page's script does."""

import json
from typing import Any

from django.contrib.auth.models import User
from django.http import HttpResponse
from django.test import Client, TestCase
from lxml import html

PASSWORD = "correct horse battery staple"


class Visitor:
    """One person at the site. CSRF is enforced, and the token is the one on the page."""

    def __init__(self, user: User, address: str = "/") -> None:
        self.client = Client(enforce_csrf_checks=True)
        self.client.force_login(user)
        self.user = user
        self.address = address
        self.reload()

    def reload(self) -> "Visitor":
        """Load the page anew."""
        response = self.client.get(self.address)
        assert response.status_code == 200, response.status_code
        self.page = html.fromstring(response.content.decode())
        self.source = response.content.decode()
        return self

    def block(self, block_id: str) -> Any:
        """Return the element of a block by the last part of its key."""
        blocks = self.page.find_class("xblock")
        (element,) = [block for block in blocks if block.get("data-usage").endswith(f"@{block_id}")]
        return element

    def text(self, block_id: str, css_class: str) -> str:
        """Return the text of the element of a class within a block, spaces made even."""
        (element,) = self.block(block_id).find_class(css_class)
        return " ".join(element.text_content().split())

    def call(self, block_id: str, handler: str, payload: Any) -> HttpResponse:
        """Post JSON to a handler of a block on the page."""
        return self.post(self.block(block_id).get("data-handlers") + handler + "/", json.dumps(payload))

    def post(self, address: str, data: Any, content_type: str = "application/json") -> HttpResponse:
        """Post to an address of this site with the page's CSRF token."""
        token = self.page.xpath("//body")[0].get("data-csrf-token")
        return self.client.post(address, data, content_type=content_type, headers={"X-CSRFToken": token})


class DemoTestCase(TestCase):
    """A test of the demo over the project's own middleware and both databases."""

    databases = {"default", "student_module_history"}

    def learner(self, username: str = "amara", **fields: Any) -> User:
        """Return a new learner."""
        return User.objects.create_user(username, password=PASSWORD, **fields)

    def visitor(self, username: str = "amara", address: str = "/", **fields: Any) -> Visitor:
        """Return a new, signed-in learner with an open page."""
        return Visitor(self.learner(username, **fields), address)
