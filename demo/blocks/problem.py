"""A multiple-choice problem with a limited number of attempts and a score."""

from collections.abc import Iterable, Mapping
from typing import Any

from django.template.loader import render_to_string
from opaque_keys.edx.keys import UsageKey
from web_fragments.fragment import Fragment
from xblock.core import XBlock
from xblock.exceptions import JsonHandlerError
from xblock.fields import Boolean, Integer, List, Scope, String

from demo.blocks.payload import chosen
from demo.sample_course import SAMPLE_COURSE


class ProblemBlock(XBlock):
    """One question, one right choice. It ends with the right choice or the last attempt."""

    has_score = True

    display_name = String(scope=Scope.settings, default="Problem")
    max_attempts = Integer(scope=Scope.settings, default=2)
    weight = Integer(scope=Scope.settings, default=1)
    question = String(scope=Scope.content, default="")
    choices = List(scope=Scope.content, help='[{"id": ..., "text": ...}, ...]')
    solution = String(scope=Scope.content, help="the id of the right choice")
    hint = String(scope=Scope.content, default="")
    explanation = String(scope=Scope.content, default="")

    answer = String(scope=Scope.user_state, default=None, help="the id of the last choice submitted")
    attempts = Integer(scope=Scope.user_state, default=0)
    earned = Integer(scope=Scope.user_state, default=0)
    hint_seen = Boolean(scope=Scope.user_state, default=False)

    def student_view(self, context: Any = None) -> Fragment:
        """Show the question with the learner's last answer and its result."""
        values = {"block": self, "standing": self.standing(), "html_id": self.scope_ids.usage_id.block_id}
        fragment = Fragment(render_to_string("demo/blocks/problem.html", values))
        fragment.add_javascript_url(self.runtime.resource_url("demo/blocks/problem.js"))
        fragment.initialize_js("ProblemBlock")
        return fragment

    @XBlock.json_handler
    def submit(self, payload: Any, suffix: str = "") -> dict[str, Any]:
        """Grade one attempt; answer 409 when the problem is over, 400 to an invalid choice."""
        choice = chosen(payload, {option["id"] for option in self.choices})
        if self.is_over:
            raise JsonHandlerError(409, "This problem is closed: your answer can no longer change.")
        self.answer = choice
        self.attempts += 1
        self.earned = self.weight if choice == self.solution else 0
        # The answer is stored before its grade, so that every grade has its answer.
        self.save()
        self.runtime.publish(self, "grade", {"value": self.earned, "max_value": self.weight})
        return self.standing()

    @XBlock.json_handler
    def show_hint(self, payload: Any, suffix: str = "") -> dict[str, Any]:
        """Store that the learner opened the hint, and return it; answer 409 when the problem is over."""
        if self.is_over:
            raise JsonHandlerError(409, "This problem is closed.")
        self.hint_seen = True
        return self.standing()

    def max_score(self) -> int:
        """Return the largest possible number of points."""
        return int(self.weight)

    @property
    def is_correct(self) -> bool:
        """Whether the last answer is the right one."""
        return self.answer is not None and self.answer == self.solution

    @property
    def attempts_left(self) -> int:
        """The number of remaining attempts, never negative."""
        return max(0, int(self.max_attempts - self.attempts))

    @property
    def is_over(self) -> bool:
        """Whether no further attempt is taken."""
        return self.is_correct or not self.attempts_left

    def standing(self) -> dict[str, Any]:
        """Return the data that a learner may see now; the explanation only when the problem is over."""
        return {
            "answer": self.answer,
            "earned": self.earned,
            "possible": self.weight,
            "correct": self.is_correct,
            "over": self.is_over,
            "verdict": self._verdict(),
            "attempts": self._attempts_in_words(),
            "hint": self.hint if self.hint_seen else "",
            "explanation": self.explanation if self.is_over else "",
        }

    def _verdict(self) -> str:
        if not self.attempts:
            return ""
        if self.is_correct:
            return "Correct."
        if self.is_over:
            return f"Not correct. The answer is: {self._text_of(self.solution)}"
        return "Not correct. Have another look and try again."

    def _attempts_in_words(self) -> str:
        noun = "attempt" if self.max_attempts == 1 else "attempts"
        return f"{self.attempts} of {self.max_attempts} {noun} used"

    def _text_of(self, choice: str) -> str:
        return _text_in(self.choices, choice) or choice


def answer_text(usage_key: UsageKey, fields: Mapping[str, Any]) -> str | None:
    """Return the text of the choice that a state contains, for the pages of the history."""
    return _text_in(SAMPLE_COURSE.fields_of(usage_key).get("choices", ()), fields.get("answer"))


def _text_in(choices: Iterable[Mapping[str, str]], choice: Any) -> str | None:
    return next((option["text"] for option in choices if option["id"] == choice), None)
