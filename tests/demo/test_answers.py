"""The pages of the history show the answer to a problem in the words of the course."""

from django.contrib.auth.models import User
from django.urls import reverse

from demo.blocks.problem import answer_text
from demo.sample_course import SAMPLE_COURSE
from kvstore.models import StudentModule
from tests.demo.visits import DemoTestCase, Visitor

SPRING = SAMPLE_COURSE.key.make_usage_key("problem", "spring-tides")


class Answers(DemoTestCase):
    def test_the_text_of_a_choice(self) -> None:
        self.assertEqual(answer_text(SPRING, {"answer": "in-line"}), "Around new and full moon")

    def test_states_without_a_choice_of_the_course(self) -> None:
        unknown = SAMPLE_COURSE.key.make_usage_key("problem", "unknown")
        for fields in ({}, {"answer": None}, {"answer": "gone"}, {"answer": ["in-line"]}, {"answer": {}}):
            self.assertIsNone(answer_text(SPRING, fields))
            self.assertIsNone(answer_text(unknown, fields))

    def test_the_timeline_and_the_version_show_it(self) -> None:
        Visitor(self.learner()).call("spring-tides", "submit", {"choice": "in-line"})
        self.client.force_login(User.objects.create_superuser("staff"))
        row = StudentModule.objects.get(module_state_key=SPRING)
        for name, args in (("timeline", [row.pk]), ("version", [row.pk, 1])):
            response = self.client.get(reverse(f"admin:xblock_history_{name}", args=args))
            self.assertContains(response, "Around new and full moon")
