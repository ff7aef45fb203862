"""Every page that links lead to: all text is translated, headings are in order, and each time has its zone.

Everything rolls back on both aliases.
"""

import re
from contextlib import ExitStack, contextmanager
from html.parser import HTMLParser
from itertools import pairwise
from pathlib import Path
from unittest import mock
from urllib.parse import urljoin, urlsplit

from django.contrib.auth.models import Permission
from django.test import SimpleTestCase, TestCase, tag
from django.urls import resolve, reverse
from django.utils import translation
from lxml import html

from history.api import change_context
from history.testing import history_unavailable
from kvstore.api import DjangoXBlockUserStateClient, set_score
from kvstore.models import StudentModule
from kvstore.testing import UserFactory
from tests.admin.block.case import page, pending
from tests.admin.lists.case import HISTORY_LIST, PENDING_LIST, STATE_LIST
from tests.kvstore.cache.blocks import COURSE, usage

CHECKOUT = Path(__file__).resolve().parents[2]
TEMPLATES = sorted(file for app in ("kvstore", "history") for file in (CHECKOUT / app / "templates").rglob("*.html"))
BLOCK = usage("tides")
SHOWN_ATTRIBUTES = ("aria-label", "title", "placeholder", "alt", "data-label", "data-filter-title")
WORD = re.compile(r"[^\W\d_]{2,}")
NAMES = {"CSV", "UTC", "JSON", "SHA"}
"""names of formats and zones, which are the same in every language"""

MARKED = re.compile(r"⟦[^⟦⟧]*⟧")
DATA = re.compile(
    "|".join(
        map(
            re.escape,
            sorted(
                (
                    str(BLOCK),
                    str(COURSE),
                    "amara",
                    "robin",
                    "tides",
                    "problem",
                    "regrade",
                    "job-17",
                    "answer",
                    "attempts",
                )
            ),
        )
    )
)
TIME = re.compile(
    r"\d{4}-\d\d-\d\d[ T]\d\d:\d\d(?::\d\d)?+(?:\.\d+)?+(?! [A-Z]{3,4}\b)|\b[ap]\.m\.|[A-Z][a-z]+\.? \d{1,2}, \d{4}"
)
MOST_OF_A_KIND = 3
"""pages visited of one URL name"""


class TextParser(HTMLParser):
    """Collects the text that a browser shows: text nodes, and attributes."""

    def __init__(self) -> None:
        super().__init__()
        self.texts: list[str] = []
        self.hidden = 0

    def handle_starttag(self, tag, attrs):
        self.hidden += tag in ("script", "style")
        values = dict(attrs)
        shown = [*SHOWN_ATTRIBUTES, *(["value"] if values.get("type") in ("submit", "button") else [])]
        self.texts += [values[name] for name in shown if values.get(name)]

    def handle_endtag(self, tag):
        self.hidden -= tag in ("script", "style")

    def handle_data(self, data):
        if not self.hidden:
            self.texts.append(data)


def untranslated(template):
    """Return the words of a template outside its tags for translation."""
    template = re.sub(r"\{#.*?#\}|\{% comment.*?endcomment %\}", "", template, flags=re.DOTALL)
    template = re.sub(r"\{% blocktrans.*?endblocktrans(?:late)? %\}", "", template, flags=re.DOTALL)
    template = re.sub(r"\{% block (?:bodyclass|coltype) %\}.*?\{% endblock %\}", "", template, flags=re.DOTALL)
    # Commands are typed in every language.
    template = re.sub(r"<code>[^{<]*</code>", "", template)
    parser = TextParser()
    parser.feed(re.sub(r"\{%.*?%\}|\{\{.*?\}\}", "", template, flags=re.DOTALL))
    found = [word for text in parser.texts for word in WORD.findall(text.replace("&nbsp;", " "))]
    return [word for word in found if word not in NAMES and word not in {"rsaquo", "lsaquo"}]


class Templates(SimpleTestCase):
    def test_every_text_of_a_template_is_marked_for_translation(self):
        self.assertGreater(len(TEMPLATES), 10)
        for file in TEMPLATES:
            with self.subTest(template=file.name):
                self.assertEqual(untranslated(file.read_text(encoding="utf-8")), [])

    def test_text_that_is_not_marked_is_found(self):
        for template in ("<p>Hello</p>", '<a title="Hello">{{ x }}</a>', '<input type="submit" value="Hello">'):
            self.assertEqual(untranslated(template), ["Hello"])
        for template in (
            "{% translate 'Hello' %}",
            "{% blocktranslate %}Hello{% endblocktranslate %}",
            "<i class=a>1</i>",
        ):
            self.assertEqual(untranslated(template), [])


@contextmanager
def marking_translations():
    """Put brackets around every translated text."""
    functions = translation._trans
    with ExitStack() as stack:
        for name, position in (("gettext", 0), ("pgettext", 1)):
            stack.enter_context(mock.patch.object(functions, name, _marking(position)))
        for name, position in (("ngettext", 0), ("npgettext", 1)):
            stack.enter_context(mock.patch.object(functions, name, _marking_plural(position)))
        yield


def _marking(position):
    return lambda *args: f"⟦{args[position]}⟧" if args[position] else ""


def _marking_plural(position):
    return lambda *args: f"⟦{args[position + (args[position + 2] != 1)]}⟧"


@tag("any_database")
class Pages(TestCase):
    databases = {"default", "student_module_history"}

    @classmethod
    def setUpTestData(cls):
        cls.staff = UserFactory(username="robin", is_staff=True, is_superuser=True, first_name="", last_name="")
        cls.learner = UserFactory(username="amara", first_name="", last_name="")
        client = DjangoXBlockUserStateClient()
        for attempts, answer in ((1, "quarters"), (2, "in-line")):
            with change_context(actor=cls.learner, request_id=f"job-17{attempts}"):
                client.set("amara", BLOCK, {"answer": answer, "attempts": attempts})
                set_score(cls.learner.pk, BLOCK, attempts - 1, 2)
        with change_context(actor=cls.staff, reason="regrade", request_id="job-17"), pending():
            client.delete("amara", BLOCK, fields=["answer"])
        cls.row = StudentModule.objects.get()

    def setUp(self):
        self.client.force_login(self.staff)

    def crawl(self):
        """Yield the address and the response of every kind of page of the product."""
        queue = [STATE_LIST, HISTORY_LIST, PENDING_LIST, page("compare", self.row.pk, a=2, b=5)]
        queue += [
            f"{HISTORY_LIST}?q=learner:nobody-has-this-name&last=century",
            f"{HISTORY_LIST}?q=amara&action=changed",
        ]
        seen, kinds = set(queue), {}
        while queue:
            url = queue.pop(0)
            response = self.client.get(url)
            if response.status_code != 200 or "text/html" not in response.headers["Content-Type"]:
                continue
            yield url, response
            for href in html.fromstring(response.content.decode()).xpath("//main//a/@href"):
                link = urljoin(url, href).partition("#")[0]
                path = urlsplit(link).path
                if link in seen or not path.startswith(("/admin/xblock_kvstore/", "/admin/xblock_history/")):
                    continue
                kind = resolve(path).url_name
                kinds[kind] = kinds.get(kind, 0) + 1
                seen.add(link)
                if kinds[kind] <= MOST_OF_A_KIND:
                    queue.append(link)

    def refusals(self):
        """Yield the pages of refusals, of an invalid form and of an outage."""
        yield "404", self.client.get(page("timeline", 10**9))
        yield "invalid form", self.client.post(page("restore", self.row.pk, 1), {})
        yield "deletion", self.client.get(reverse("admin:xblock_kvstore_studentmodule_delete", args=[self.row.pk]))
        with history_unavailable():
            yield "outage", self.client.get(HISTORY_LIST)
            yield "row", self.client.get(reverse("admin:xblock_kvstore_studentmodule_change", args=[self.row.pk]))
        user = UserFactory(username="amara-robin", is_staff=True, first_name="")
        user.user_permissions.set(Permission.objects.filter(codename="view_studentmodulehistory"))
        self.client.force_login(user)
        yield "403", self.client.get(page("restore", self.row.pk, 1))

    def pages(self):
        found = [*self.crawl(), *self.refusals()]
        kinds = {response.resolver_match.url_name for _, response in found}
        for name in ("timeline", "version", "compare", "restore"):
            self.assertIn(f"xblock_history_{name}", kinds)
        return found

    def test_every_text_is_translated(self):
        with marking_translations():
            for url, response in self.pages():
                with self.subTest(url=url):
                    self.assertEqual(words_outside_translations(response), [])

    def test_headings_are_in_order(self):
        for url, response in self.pages():
            tree = html.fromstring(response.content.decode())
            levels = [int(heading.tag[1]) for heading in tree.xpath("//h1|//h2|//h3|//h4|//h5|//h6")]
            with self.subTest(url=url, levels=levels):
                self.assertEqual((levels[0], levels.count(1)), (1, 1))
                self.assertTrue(all(after <= before + 1 for before, after in pairwise(levels)))

    def test_every_time_has_its_zone(self):
        count = 0
        for url, response in self.pages():
            for text in shown_texts(response):
                count += " UTC" in text
                with self.subTest(url=url, text=text):
                    self.assertIsNone(TIME.search(text))
        self.assertGreater(count, 20)

    def test_titles_of_pages_about_a_row_name_the_learner_and_the_block(self):
        for url, response in self.pages():
            parts = urlsplit(url).path.split("/")
            if response.status_code == 200 and any(part.isdecimal() for part in parts):
                title = html.fromstring(response.content.decode()).findtext(".//title")
                with self.subTest(url=url, title=title):
                    self.assertIn("amara", title)
                    self.assertNotIn("<", title)
                    if "learner" not in parts:
                        self.assertIn("tides", title)


def shown_texts(response):
    """Yield the text nodes of a page and the attributes that are shown or read out, without stored text.

    Django's template does not translate the icon of the search, and the names of permissions are stored.
    """
    tree = html.fromstring(response.content.decode())
    for element in tree.xpath("//code|//pre|//script|//style|//*[@hidden]|//label[@for='searchbar']|//span[@lang]"):
        element.drop_tree()
    yield from (str(text) for text in tree.xpath("//text()"))
    for name in SHOWN_ATTRIBUTES:
        yield from (str(text) for text in tree.xpath(f"//@{name}"))
    yield from (str(text) for text in tree.xpath("//input[@type='submit']/@value"))


def words_outside_translations(response):
    found = []
    for text in shown_texts(response):
        rest = text
        while MARKED.search(rest):
            rest = MARKED.sub(" ", rest)
        found += [(word, text.strip()[:80]) for word in WORD.findall(DATA.sub(" ", rest)) if word not in NAMES]
    return found
