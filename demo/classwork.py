"""Plausible work on the sample course, done through the blocks' handlers as a browser does it."""

import json
import uuid
from datetime import datetime, timedelta
from random import Random
from typing import Any

from django.contrib.auth.models import User
from webob import Request
from xblock.core import XBlock

from demo.blocks.reading import TEXT_SIZES
from demo.clock import clock_at
from demo.runtime import open_course
from demo.sample_course import SAMPLE_COURSE
from history.api import change_context

# How far learners get: some only open the course, most finish.
STOPS = ("tour", "reading", "problem", "poll_question")
STOP_WEIGHTS = (1, 2, 4, 23)
POLL_WEIGHTS = (12, 7, 5, 6)

FIRST_DAYS = 14
"""days in which the learners begin"""
PAUSE_DAYS = 3
"""days at most between a learner's work on one block and on the next"""


class Learner:
    """One learner with a skill, a persistence and a calendar, all derived from the seed and the username."""

    def __init__(self, user: User, seed: int, first_day: datetime) -> None:
        self.user = user
        self._random = Random(f"{seed}:{user.get_username()}")
        self._skill = self._random.uniform(0.3, 0.9)
        self._last_stop = self._random.choices(STOPS, STOP_WEIGHTS)[0]
        # Of its own, so that the calendar does not change the answers.
        self._calendar = Random(f"{seed}:{user.get_username()}:calendar")
        self._time = self._daytime(first_day + timedelta(days=self._calendar.randrange(FIRST_DAYS)))
        self._root: XBlock = open_course(SAMPLE_COURSE, user)

    @property
    def stops_early(self) -> bool:
        """Whether the learner's own work ends before the problems."""
        return self._last_stop in STOPS[:2]

    def work(self) -> None:
        """Do the remaining work. A second run changes nothing."""
        reached = STOPS[: STOPS.index(self._last_stop) + 1]
        for block in _leaves(self._root):
            if block.scope_ids.block_type in reached:
                getattr(self, f"_do_{block.scope_ids.block_type}")(block)
                self._pause()

    def catch_up(self, moment: datetime) -> None:
        """Answer the problems at ``moment``. A second run changes nothing."""
        self._time = moment
        for block in _leaves(self._root):
            if block.scope_ids.block_type == "problem":
                self._do_problem(block)

    def submit(self, usage_key: Any, choice: str, moment: datetime) -> None:
        """Answer a problem at ``moment``."""
        self._time = moment
        self._call(self._block(usage_key), "submit", {"choice": choice})

    def open_hint(self, usage_key: Any, moment: datetime) -> None:
        """Open the hint of a problem at ``moment``."""
        self._time = moment
        self._call(self._block(usage_key), "show_hint", {})

    def _block(self, usage_key: Any) -> XBlock:
        return next(block for block in _leaves(self._root) if block.scope_ids.usage_id == usage_key)

    def _do_tour(self, tour: XBlock) -> None:
        if not tour.tour_seen:
            self._call(tour, "close", {})

    def _do_reading(self, reading: XBlock) -> None:
        size = self._random.choices(list(TEXT_SIZES), (6, 3, 1))[0]
        if not reading.fields["text_size"].is_set_on(reading):
            self._call(reading, "choose_size", {"choice": size})

    def _do_problem(self, problem: XBlock) -> None:
        if problem.attempts:
            return
        untried = [choice["id"] for choice in problem.choices]
        self._random.shuffle(untried)
        while not problem.is_over:
            knows = self._random.random() < self._skill
            choice = problem.solution if knows else untried[0]
            untried.remove(choice)
            self._call(problem, "submit", {"choice": choice})

    def _do_poll_question(self, poll: XBlock) -> None:
        choices = [choice["id"] for choice in poll.choices]
        choice = self._random.choices(choices, POLL_WEIGHTS)[0]
        if poll.choice is None:
            self._call(poll, "vote", {"choice": choice})

    def _call(self, block: XBlock, handler: str, payload: dict[str, Any]) -> None:
        body = json.dumps(payload).encode()
        request = Request.blank("/", method="POST", body=body, content_type="application/json")
        self._time += timedelta(seconds=self._calendar.randrange(20, 240))
        # Each is a separate request, as from a browser.
        with clock_at(self._time), change_context(actor=self.user, request_id=uuid.uuid4().hex):
            response = block.handle(handler, request)
        if response.status_code != 200:
            raise RuntimeError(f"{block.scope_ids.usage_id} refused {handler}: {response.text}")

    def _pause(self) -> None:
        """Continue on the same day or on a later one."""
        if self._calendar.random() < 0.5:
            self._time = self._daytime(self._time + timedelta(days=self._calendar.randint(1, PAUSE_DAYS)))

    def _daytime(self, day: datetime) -> datetime:
        return day.replace(hour=self._calendar.randrange(8, 22), minute=self._calendar.randrange(60))


def _leaves(block: XBlock) -> list[XBlock]:
    if not block.has_children:
        return [block]
    return [leaf for child in block.get_children() for leaf in _leaves(child)]
