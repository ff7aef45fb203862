"""Text from a browser, an author or a stored row is never used as markup or as a choice."""

from unittest import mock

from opaque_keys.edx.keys import UsageKey
from web_fragments.fragment import Fragment

from demo.blocks.problem import ProblemBlock
from demo.runtime import open_block
from demo.sample_course import SAMPLE_COURSE
from demo.wrapping import wrapped
from tests.demo.visits import DemoTestCase

SCRIPT = "</script><script>alert(1)</script>"
PROBLEM = "two-high-tides"
PROBLEM_KEY = UsageKey.from_string("block-v1:Harbour+TIDE101+2026+type@problem+block@two-high-tides")


class PayloadTests(DemoTestCase):
    def test_an_unknown_choice_is_refused_and_costs_no_attempt(self) -> None:
        visitor = self.visitor()
        for payload in (
            SCRIPT,
            {"choice": SCRIPT},
            {"choice": None},
            {"choice": ["bulges"]},
            {},
            [],
            None,
            1,
        ):
            with self.subTest(payload=payload):
                self.assertEqual(visitor.call(PROBLEM, "submit", payload).status_code, 400)
        self.assertEqual(visitor.reload().text(PROBLEM, "attempts"), "0 of 2 attempts used")

    def test_text_that_is_not_json_is_refused(self) -> None:
        visitor = self.visitor()
        address = visitor.block(PROBLEM).get("data-handlers") + "submit/"
        for body in ("", "{", b"\xff"):
            with self.subTest(body=body):
                self.assertEqual(visitor.post(address, body).status_code, 400)

    def test_the_other_blocks_refuse_too(self) -> None:
        visitor = self.visitor()
        self.assertEqual(visitor.call("where-you-watched", "vote", {"choice": SCRIPT}).status_code, 400)
        self.assertEqual(visitor.call("why-the-sea-rises", "choose_size", {"choice": SCRIPT}).status_code, 400)


class EscapingTests(DemoTestCase):
    def test_a_learner_s_name(self) -> None:
        self.assertNotIn(SCRIPT, self.visitor(first_name=SCRIPT).source)

    def test_a_stored_answer_and_text_size(self) -> None:
        user = self.learner()
        for block_type, block_id, field in (
            ("problem", PROBLEM, "answer"),
            ("reading", "why-the-sea-rises", "text_size"),
            ("poll_question", "where-you-watched", "choice"),
        ):
            key = SAMPLE_COURSE.key.make_usage_key(block_type, block_id)
            block = open_block(SAMPLE_COURSE, user, key)
            setattr(block, field, SCRIPT)
            block.save()
        self.client.force_login(user)
        response = self.client.get("/")
        self.assertEqual(response.status_code, 200)
        self.assertNotContains(response, SCRIPT)

    def test_authored_text(self) -> None:
        with mock.patch.object(ProblemBlock.question, "_default", SCRIPT):
            block = open_block(SAMPLE_COURSE, self.learner(), PROBLEM_KEY)
            block.choices = [{"id": SCRIPT, "text": SCRIPT}]
            self.assertNotIn(SCRIPT, block.student_view().body_html())

    def test_names_and_arguments_of_a_wrapped_block(self) -> None:
        fragment = Fragment("<p>")
        fragment.initialize_js("Start", {"text": SCRIPT})
        body = wrapped(fragment, "xblock", {"data-name": f"'\">{SCRIPT}"}).body_html()
        self.assertNotIn(SCRIPT, body)
        self.assertIn('data-init="Start"', body)
