"""Plausible work on the sample course, done through the blocks' handlers as a browser does it."""

import json
import uuid
from random import Random
from typing import Any

from django.contrib.auth.models import User
from webob import Request
from xblock.core import XBlock

from demo.blocks.reading import TEXT_SIZES
from demo.runtime import open_course
from demo.sample_course import SAMPLE_COURSE
from history.api import change_context

# How far learners get: some only open the course, most finish.
STOPS = ("tour", "reading", "problem", "poll_question")
STOP_WEIGHTS = (1, 2, 4, 23)
POLL_WEIGHTS = (12, 7, 5, 6)


class Learner:
    """One learner with a skill and a persistence, both derived from the seed and the username."""

    def __init__(self, user: User, seed: int) -> None:
        self._random = Random(f"{seed}:{user.get_username()}")
        self._skill = self._random.uniform(0.3, 0.9)
        self._last_stop = self._random.choices(STOPS, STOP_WEIGHTS)[0]
        self._root: XBlock = open_course(SAMPLE_COURSE, user)

    def work(self) -> None:
        """Do the remaining work. A second run changes nothing."""
        reached = STOPS[: STOPS.index(self._last_stop) + 1]
        for block in _leaves(self._root):
            if block.scope_ids.block_type in reached:
                getattr(self, f"_do_{block.scope_ids.block_type}")(block)

    def _do_tour(self, tour: XBlock) -> None:
        if not tour.tour_seen:
            _call(tour, "close", {})

    def _do_reading(self, reading: XBlock) -> None:
        size = self._random.choices(list(TEXT_SIZES), (6, 3, 1))[0]
        if not reading.fields["text_size"].is_set_on(reading):
            _call(reading, "choose_size", {"choice": size})

    def _do_problem(self, problem: XBlock) -> None:
        if problem.attempts:
            return
        untried = [choice["id"] for choice in problem.choices]
        self._random.shuffle(untried)
        while not problem.is_over:
            knows = self._random.random() < self._skill
            choice = problem.solution if knows else untried[0]
            untried.remove(choice)
            _call(problem, "submit", {"choice": choice})

    def _do_poll_question(self, poll: XBlock) -> None:
        choices = [choice["id"] for choice in poll.choices]
        choice = self._random.choices(choices, POLL_WEIGHTS)[0]
        if poll.choice is None:
            _call(poll, "vote", {"choice": choice})


def _leaves(block: XBlock) -> list[XBlock]:
    if not block.has_children:
        return [block]
    return [leaf for child in block.get_children() for leaf in _leaves(child)]


def _call(block: XBlock, handler: str, payload: dict[str, Any]) -> None:
    body = json.dumps(payload).encode()
    request = Request.blank("/", method="POST", body=body, content_type="application/json")
    # Each is a separate request, as from a browser.
    with change_context(request_id=uuid.uuid4().hex):
        response = block.handle(handler, request)
    if response.status_code != 200:
        raise RuntimeError(f"{block.scope_ids.usage_id} refused {handler}: {response.text}")
