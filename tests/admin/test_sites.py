"""The lists work in another admin site, and all their links stay in that site.

Everything rolls back on both aliases.
"""

import re
from html import unescape

from django.test import TestCase, override_settings, tag
from django.urls import reverse

from kvstore.models import StudentModule
from kvstore.testing import StudentModuleFactory, UserFactory
from tests.admin.lists.case import Lists
from tests.history.outages import alias_missing
from tests.kvstore.cache.blocks import usage

LISTS = ("xblock_kvstore_studentmodule", "xblock_history_studentmodulehistory", "xblock_history_pendinghistory")


@tag("any_database")
@override_settings(ROOT_URLCONF="tests.admin.staff_site")
class OwnSite(Lists, TestCase):
    def setUp(self):
        self.sign_in()
        UserFactory(username="amara")
        for _ in range(60):
            StudentModuleFactory(state="{}")
        self.set("amara", usage("block"))
        StudentModule.objects.first().delete()

    def links(self, response):
        return {unescape(link) for link in re.findall(r'href="(/[^"]*)"', response.content.decode())}

    def test_every_link_of_a_list_stays_in_its_site(self):
        for name in LISTS:
            url = reverse(f"staff:{name}_changelist")
            for query in ({}, {"q": "amara"}, {"q": "nobody"}):
                response = self.page(url, **query)
                links = {link for link in self.links(response) if link != "/" and not link.startswith("/static/")}
                self.assertEqual({link for link in links if not link.startswith("/staff/")}, set())
                for link in sorted(links)[:12]:
                    if "logout" not in link:
                        with self.subTest(list=name, link=link):
                            self.assertIn(self.client.get(link, follow=True).status_code, (200, 405))

    def test_an_outage_page_links_to_the_lists_of_the_site(self):
        with alias_missing():
            response = self.client.get(reverse("staff:xblock_history_studentmodulehistory_changelist"))
            self.assertContains(response, 'href="/staff/xblock_kvstore/studentmodule/"', status_code=503)
            self.assertNotContains(response, 'href="/admin/', status_code=503)

    def test_a_pending_entry_links_to_its_own_page_without_the_history_database(self):
        with alias_missing():
            response = self.page(reverse("staff:xblock_history_pendinghistory_changelist"))
            (link,) = (link for link in self.links(response) if link.partition("?")[0].endswith("/change/"))
            self.assertContains(self.client.get(link), "deleted")
