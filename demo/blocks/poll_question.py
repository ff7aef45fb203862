"""A poll: one vote each, and the class's tally once you have voted."""

from typing import Any

from django.template.loader import render_to_string
from web_fragments.fragment import Fragment
from xblock.core import XBlock
from xblock.exceptions import JsonHandlerError
from xblock.fields import Dict, List, Scope, String

from demo.blocks.payload import chosen


class PollQuestionBlock(XBlock):
    """Store the learner's own choice separately from the tally, which all learners share.

    XBlock writes a field as a whole, so of two votes at the very same moment the tally may count one.
    """

    display_name = String(scope=Scope.settings, default="Poll")
    question = String(scope=Scope.content, default="")
    choices = List(scope=Scope.content, help='[{"id": ..., "text": ...}, ...]')

    choice = String(scope=Scope.user_state, default=None, help="the id of the learner's choice")
    tally = Dict(scope=Scope.user_state_summary, default={}, help="votes by the id of a choice")

    def student_view(self, context: Any = None) -> Fragment:
        """Show the question, or the tally after the vote."""
        values = {"block": self, "outcome": self.outcome(), "html_id": self.scope_ids.usage_id.block_id}
        fragment = Fragment(render_to_string("demo/blocks/poll_question.html", values))
        fragment.add_javascript_url(self.runtime.resource_url("demo/blocks/poll_question.js"))
        fragment.initialize_js("PollQuestionBlock")
        return fragment

    @XBlock.json_handler
    def vote(self, payload: Any, suffix: str = "") -> dict[str, Any]:
        """Count one vote; answer 409 to a second one, 400 to an invalid choice."""
        choice = chosen(payload, {option["id"] for option in self.choices})
        if self.choice is not None:
            raise JsonHandlerError(409, "You have voted already.")
        self.choice = choice
        self.tally = {**self.tally, choice: self.tally.get(choice, 0) + 1}
        return self.outcome()

    def outcome(self) -> dict[str, Any]:
        """Return the learner's choice and, after the vote, each option's share of the votes."""
        if self.choice is None:
            return {"choice": None, "total": 0, "shares": []}
        votes = {option["id"]: self.tally.get(option["id"], 0) for option in self.choices}
        total = sum(votes.values())
        shares = [
            {"id": choice, "votes": count, "percent": round(100 * count / total) if total else 0}
            for choice, count in votes.items()
        ]
        return {"choice": self.choice, "total": total, "shares": shares}
