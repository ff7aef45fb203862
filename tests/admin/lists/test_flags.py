"""Lists show the change of each entry since the previous version, and can be filtered by flags.

Everything rolls back on both aliases.
"""

import json
from unittest import mock

from django.test import TestCase, override_settings
from django.urls import reverse

from history.admin import changes
from history.admin.changelists import CommittedChangeList
from history.admin.changes import COMPARED_BYTES
from history.comparison.flags import Flag, flags_for
from history.models import PendingHistory, StudentModuleHistory
from history.reading.timeline import timeline
from kvstore.admin.base import ReadOnlyAdmin
from kvstore.admin.changelist import KeysetChangeList
from kvstore.api import DjangoXBlockUserStateClient, set_score
from kvstore.models import StudentModule
from kvstore.querysets import unguarded
from kvstore.testing import UserFactory, assert_queries
from tests.admin.lists.case import ALIAS, HISTORY_LIST, PENDING_LIST, Lists
from tests.admin.lists.test_queries import LIST, SESSION
from tests.history.outages import alias_missing, rolled_back
from tests.kvstore.cache.blocks import COURSE, usage

EXPORT = reverse("admin:xblock_history_studentmodulehistory_export")
BLOCKS = 12
LOST = {2: "answers-emptied", 3: "field-removed", 4: "grade-decreased", 5: "attempts-decreased"}
"""the version of each block that has a flag, and the flag"""


def delivered():
    return unguarded(StudentModuleHistory, ALIAS)


class Changes(Lists, TestCase):
    @classmethod
    def setUpTestData(cls):
        cls.learner = UserFactory(username="amara")

    def setUp(self):
        self.sign_in()
        self.client_of_state = DjangoXBlockUserStateClient()

    def entries(self, url=HISTORY_LIST, **query):
        """Return the listed entries by version."""
        return {entry.version: entry for entry in self.found(url, **query)}

    def remove(self, *fields):
        self.client_of_state.delete("amara", usage("block"), fields=list(fields))

    def test_each_entry_shows_its_changed_fields_flags_and_scores(self):
        self.set("amara", usage("block"), answer="a", attempts=2)
        set_score(self.learner.pk, usage("block"), 3, 3)
        self.remove("answer")
        self.set("amara", usage("block"), attempts=1, hint="b")
        set_score(self.learner.pk, usage("block"), 1, 3)
        listed = self.entries()
        self.assertEqual(
            {version: dict(entry.change.fields) for version, entry in listed.items()},
            {
                1: {"answer": "added", "attempts": "added"},
                2: {},
                3: {"answer": "removed"},
                4: {"attempts": "changed", "hint": "added"},
                5: {},
            },
        )
        flags = {version: set(entry.change.flags) - {Flag.SAME_SECOND} for version, entry in listed.items()}
        expected = {3: {Flag.FIELD_REMOVED}, 4: {Flag.ATTEMPTS_DECREASED}, 5: {Flag.GRADE_DECREASED}}
        self.assertEqual(flags, {1: set(), 2: set()} | expected)
        self.assertEqual({version: entry.change.score_before for version, entry in listed.items()}[5], "3 / 3")
        response = self.page(HISTORY_LIST)
        self.assertContains(response, '<li class="history-removed">', 1)
        self.assertContains(response, '<del class="list-number">3 / 3</del>', 1)
        self.assertContains(response, 'class="history-flag-grade-decreased"', 1)

    def test_the_flags_are_those_of_the_timeline(self):
        for answer in ("a", "b", ""):
            self.set("amara", usage("block"), answer=answer)
        self.remove("answer")
        StudentModule.objects.get().delete()
        steps = self.page(
            reverse("admin:xblock_history_timeline", args=[self.found(HISTORY_LIST)[0].student_module_id])
        )
        of_timeline = {step.entry.version: step.flags for step in steps.context["steps"]}
        of_list = {version: entry.change.flags for version, entry in self.entries().items()}
        of_list |= {version: entry.change.flags for version, entry in self.entries(PENDING_LIST).items()}
        self.assertEqual(
            {version: set(flags) - {Flag.SAME_SECOND} for version, flags in of_timeline.items()},
            {version: set(flags) - {Flag.SAME_SECOND} for version, flags in of_list.items()},
        )

    def test_more_fields_than_are_shown_are_counted(self):
        self.set("amara", usage("block"), **{f"field{number}": number for number in range(9)})
        self.assertContains(self.page(HISTORY_LIST), "<li>3 more</li>")

    def test_a_large_state_is_neither_loaded_nor_compared(self):
        self.set("amara", usage("block"), answer="a" * COMPARED_BYTES, kept=1)
        self.remove("answer")
        set_score(self.learner.pk, usage("block"), 1, 1)
        listed = self.entries()
        self.assertEqual({version: entry.change.is_too_large for version, entry in listed.items()}, {1: 1, 2: 1, 3: 0})
        self.assertEqual(listed[2].change.changed, {})
        self.assertContains(self.page(HISTORY_LIST), "Too large to compare in a list.", 2)
        # It may have the flag, so the filter does not omit it; the flag of the grade needs no state.
        self.assertEqual(set(self.entries(flag="field-removed")), {2})
        self.assertEqual(set(self.entries(flag="grade-decreased")), set())

    def test_an_entry_is_compared_with_the_version_it_names_not_with_one_that_was_rolled_back(self):
        self.set("amara", usage("block"), answer="a")
        with rolled_back():
            self.set("amara", usage("block"), lost="a")
        self.set("amara", usage("block"), answer="b")
        with rolled_back():
            self.remove("answer")
        self.set("amara", usage("block"), answer="c")
        self.assertEqual(delivered().count(), 5)
        fields = {version: dict(entry.change.fields) for version, entry in self.entries().items()}
        self.assertEqual(fields, {1: {"answer": "added"}, 2: {"answer": "changed"}, 3: {"answer": "changed"}})
        self.assertEqual(self.found(HISTORY_LIST, flag="any"), [])

    def test_a_previous_version_may_be_pending_or_missing(self):
        for answer in ("a", "b", "c"):
            self.set("amara", usage("block"), answer=answer)
        first, second = delivered().get(version=1), delivered().get(version=2)
        for entry in (first, second):
            delivered().filter(version=entry.version)._raw_delete(ALIAS)
        self.assertTrue(self.entries()[3].change.is_unknown)
        self.assertContains(self.page(HISTORY_LIST), "Not compared: the previous version was not found.", 1)
        PendingHistory.objects.create(**second.as_version()._asdict())
        self.assertEqual(dict(self.entries()[3].change.fields), {"answer": "changed"})

    def test_pending_entries_are_compared_without_the_history_database(self):
        with alias_missing():
            for answer in ("a", "b"):
                self.set("amara", usage("block"), answer=answer, kept=1)
            self.remove("answer")
            listed = self.entries(PENDING_LIST)
        self.assertEqual(set(listed[3].change.flags) - {Flag.SAME_SECOND}, {Flag.FIELD_REMOVED, Flag.PENDING})
        self.assertRedirects(self.client.get(PENDING_LIST, {"flag": "any"}), f"{PENDING_LIST}?e=1")

    def test_an_unreadable_state_is_flagged(self):
        self.set("amara", usage("block"), answer="a")
        delivered().update(state="{")
        self.assertContains(self.page(HISTORY_LIST), "unreadable state")


@override_settings(HISTORY_BLOCK_TYPES="*")
class FlagFilter(Lists, TestCase):
    @classmethod
    def setUpTestData(cls):
        learner = UserFactory(username="amara")
        client = DjangoXBlockUserStateClient()
        for number in range(BLOCKS):
            key = usage(f"block{number}")
            client.set("amara", key, {"answer": "a", "hint": "h", "attempts": 3})
            if number % 3 == 0:
                client.set("amara", key, {"answer": ""})
                client.delete("amara", key, fields=["hint"])
                unguarded(StudentModule, "default").filter(module_state_key=key).update(grade=1, max_grade=1)
                delivered().filter(module_state_key=key, version=3).update(grade=1, max_grade=1)
                set_score(learner.pk, key, 0, 1)
                client.set("amara", key, {"attempts": 2})

    def setUp(self):
        self.sign_in()

    def versions(self, entries):
        return [(entry.student_module_id, entry.version) for entry in entries]

    def flagged(self, *flags):
        """Return the entries with one of these flags, from the timelines of all blocks."""
        found = []
        for number in range(BLOCKS):
            entries = list(timeline(StudentModule.objects.first().student_id, usage(f"block{number}")))
            found += [
                entry
                for entry, older in zip(entries, [*entries[1:], None], strict=True)
                if not set(flags).isdisjoint(flags_for(entry, older))
            ]
        return sorted(self.versions(found))

    def walk(self, query, link="next_link"):
        pages, address = [], f"{HISTORY_LIST}{query}"
        while address:
            changelist = self.client.get(address).context["cl"]
            pages.append((address, self.versions(changelist.result_list)))
            following = getattr(changelist, link)
            address = HISTORY_LIST + following if following else ""
            self.assertLess(len(pages), 100, "the pages do not end")
        return pages

    def test_finds_exactly_the_entries_with_the_flag(self):
        for flag in changes.FILTERED_FLAGS:
            expected = self.flagged(flag)
            self.assertEqual(len(expected), BLOCKS / 3)
            for query in ({}, {"q": "amara"}, {"course": str(COURSE)}, {"action": "changed"}):
                with self.subTest(flag=flag, **query):
                    found = self.found(HISTORY_LIST, flag=flag.value, **query)
                    self.assertEqual(sorted(self.versions(found)), expected)
                    self.assertTrue(all(flag in entry.change.flags for entry in found))
        found = self.found(HISTORY_LIST, flag="any")
        self.assertEqual(sorted(self.versions(found)), self.flagged(*changes.FILTERED_FLAGS))
        self.assertEqual({entry.version for entry in found}, set(LOST))
        self.assertEqual(self.found(HISTORY_LIST, flag="any", action="created"), [])

    def test_an_unknown_flag_is_reported(self):
        changelist = self.changelist(HISTORY_LIST, flag="nonsense")
        self.assertEqual((list(changelist.result_list), len(changelist.problems)), ([], 1))

    def test_pages_show_every_flagged_entry_once_in_both_directions(self):
        everything = self.versions(self.found(HISTORY_LIST, flag="any"))
        limits = {"batch_size": 4, "compare_limit": 9}
        with mock.patch.multiple(CommittedChangeList, **limits), mock.patch.object(ReadOnlyAdmin, "list_per_page", 3):
            for query in ("?flag=any", "?flag=any&q=amara"):
                forth = self.walk(query)
                self.assertGreater(len(forth), 3)
                self.assertEqual([entry for _, page in forth for entry in page], everything)
                back = self.walk(forth[-1][0].removeprefix(HISTORY_LIST), "previous_link")
                self.assertEqual([entry for _, page in reversed(back) for entry in page], everything)

    def test_a_page_that_compared_its_limit_states_it_and_links_to_the_rest(self):
        limits = {"batch_size": 4, "compare_limit": 8}
        with mock.patch.multiple(CommittedChangeList, **limits):
            response = self.page(HISTORY_LIST, flag="attempts-decreased")
            self.assertContains(response, "Scanned 8 rows, up to")
            self.assertContains(response, "Scan more rows")
        with mock.patch.multiple(CommittedChangeList, batch_size=4, compare_characters=1):
            self.assertContains(self.page(HISTORY_LIST, flag="any"), "Scanned 4 rows, up to")
        with mock.patch.multiple(CommittedChangeList, **limits), mock.patch.object(KeysetChangeList, "scan_limit", 6):
            self.assertContains(self.page(HISTORY_LIST, flag="any", action="changed"), "Scanned 6 rows, up to")

    def test_the_cost_of_a_filtered_page_does_not_depend_on_the_number_of_entries(self):
        for learners in range(2):
            with self.subTest(learners=learners), assert_queries(default=SESSION + 2, student_module_history=LIST):
                self.page(HISTORY_LIST, flag="any")
            # The next versions are not on the page: one more on each database decides which entries were committed.
            with assert_queries(default=SESSION + 3, student_module_history=LIST + 1):
                self.page(HISTORY_LIST, flag="field-removed")
            # The grades first, then the states of the listed entries.
            with assert_queries(default=SESSION + 3, student_module_history=LIST + 2):
                self.page(HISTORY_LIST, flag="grade-decreased")
            UserFactory(username=f"bo{learners}")
            for number in range(BLOCKS):
                self.set(f"bo{learners}", usage(f"block{number}"), answer="a")

    def test_the_export_contains_exactly_the_filtered_entries_with_their_states(self):
        with mock.patch.multiple(CommittedChangeList, batch_size=4, compare_limit=8):
            for flag in ("any", "field-removed", "grade-decreased"):
                response = self.client.get(EXPORT, {"q": "amara", "flag": flag, "format": "jsonl"})
                lines = [json.loads(line) for line in response.getvalue().splitlines()]
                with mock.patch.multiple(CommittedChangeList, batch_size=250, compare_limit=2000):
                    shown = self.found(HISTORY_LIST, q="amara", flag=flag)
                with self.subTest(flag=flag):
                    exported = [(line["student_module_id"], line["version"]) for line in lines]
                    self.assertEqual(exported, self.versions(shown))
                    self.assertTrue(all(line["state"] for line in lines))
        # No index serves a flag.
        response = self.client.get(EXPORT, {"flag": "any"}, follow=True)
        self.assertContains(response, "before you export")
