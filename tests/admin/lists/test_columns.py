"""The columns of lists: the link to the timeline, and long texts shortened with the full text in the tooltip.

Everything rolls back on both aliases.
"""

from django.contrib.auth.models import Permission
from django.test import TestCase
from django.urls import reverse

from history.api import change_context
from kvstore.models import StudentModule
from kvstore.testing import UserFactory
from tests.admin.lists.case import HISTORY_LIST, STATE_LIST, Lists
from tests.kvstore.cache.blocks import usage

REASON = "moved to the new course run after the outage of the grading service " * 3
REQUEST_ID = "0123456789" * 6
BLOCK = usage("b" * 100)


class Columns(Lists, TestCase):
    @classmethod
    def setUpTestData(cls):
        UserFactory(username="amara")
        with change_context(reason=REASON, request_id=REQUEST_ID):
            cls.set(cls, "amara", BLOCK)
        cls.timeline = reverse("admin:xblock_history_timeline", args=[StudentModule.objects.get().pk])

    def setUp(self):
        self.sign_in()

    def test_both_lists_link_to_the_timeline_and_name_learner_and_block(self):
        label = f'aria-label="Timeline of {BLOCK.block_id} for amara"'
        for url in (STATE_LIST, HISTORY_LIST):
            self.assertContains(self.page(url), f'href="{self.timeline}" {label}', 1)

    def test_states_have_no_link_to_a_timeline_that_the_user_may_not_view(self):
        user = UserFactory(is_staff=True)
        user.user_permissions.set(Permission.objects.filter(codename="view_studentmodule"))
        self.client.force_login(user)
        response = self.page(STATE_LIST)
        self.assertContains(response, "amara")
        self.assertNotContains(response, self.timeline)

    def test_long_texts_are_shortened_and_in_full_in_the_tooltip(self):
        for url, texts in ((STATE_LIST, [str(BLOCK)]), (HISTORY_LIST, [str(BLOCK), REASON, REQUEST_ID])):
            response = self.page(url)
            for text in texts:
                self.assertContains(response, f'title="{text}"', 1)
                self.assertNotContains(response, f">{text}<")

    def test_the_end_of_a_scan_is_a_time_with_its_zone_or_an_id(self):
        changelist = self.changelist(HISTORY_LIST)
        changelist.scanned_to = StudentModule.objects.get().modified
        self.assertRegex(changelist.reached, r"^\d{4}-\d\d-\d\d \d\d:\d\d:\d\d UTC$")
        changelist.scanned_to = 7
        self.assertEqual(changelist.reached, "7")
