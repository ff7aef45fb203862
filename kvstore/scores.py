"""Learners' scores, which are columns of their StudentModule rows."""

from collections.abc import Iterable
from datetime import datetime
from typing import NamedTuple

from django.db import router
from opaque_keys.edx.keys import LearningContextKey, UsageKey

from kvstore.conf import conf
from kvstore.keys import block_address
from kvstore.models import StudentModule
from kvstore.storage.changes import set_grade
from kvstore.storage.reading import stored_text
from kvstore.storage.writing import write_states
from kvstore.versioning.sql import chunked
from kvstore.versioning.versions import checked_score

SCORE_COLUMNS = (stored_text("module_state_key"), "grade", "max_grade", "created", "modified")


class Score(NamedTuple):
    """A learner's score on one block."""

    correct: float | None
    total: float | None
    created: datetime
    """creation of the row in UTC, which may be before the first score"""
    modified: datetime
    """last version of the row in UTC; the score has not changed since"""


def set_score(user_id: int, usage_key: UsageKey, score: float | None, max_score: float | None) -> None:
    """Store a learner's score on a block and keep the state. Raises UnstorableScore, UnknownLearner."""
    change = set_grade(
        checked_score(score, f"score of {usage_key}"), checked_score(max_score, f"max_score of {usage_key}")
    )
    write_states(user_id, {block_address(usage_key): change}, create=True)


def get_score(user_id: int, usage_key: UsageKey) -> Score | None:
    """Return a learner's score on a block, or None without a row."""
    return ScoresClient(usage_key.context_key, user_id).get(usage_key)


class ScoresClient:
    """One learner's scores in one course, with one query for each chunk of blocks."""

    def __init__(self, course_key: LearningContextKey, user_id: int) -> None:
        self.course_key = course_key
        self.user_id = user_id
        self._scores: dict[str, Score | None] = {}

    @classmethod
    def create_for_locations(
        cls, course_key: LearningContextKey, user_id: int, usage_keys: Iterable[UsageKey]
    ) -> "ScoresClient":
        """Return a client with the scores of these blocks."""
        client = cls(course_key, user_id)
        client.fetch_scores(usage_keys)
        return client

    def fetch_scores(self, usage_keys: Iterable[UsageKey]) -> None:
        """Fetch the scores of these blocks, also those that were fetched before."""
        texts = [self._text(key) for key in usage_keys]
        self._scores |= dict.fromkeys(texts)
        # Not from a replica, as for states.
        own = StudentModule.objects.using(router.db_for_write(StudentModule))
        rows = own.filter(student_id=self.user_id, course_id=self.course_key)
        for chunk in chunked(texts, conf.KVSTORE_CHUNK_SIZE):
            for text, *score in rows.filter(module_state_key__in=chunk).values_list(*SCORE_COLUMNS):
                self._scores[text] = Score(*score)

    def get(self, usage_key: UsageKey) -> Score | None:
        """Return the score on a block, or None without a row. Fetches it on the first call."""
        text = self._text(usage_key)
        if text not in self._scores:
            self.fetch_scores([usage_key])
        return self._scores[text]

    def __contains__(self, usage_key: UsageKey) -> bool:
        return self.get(usage_key) is not None

    def _text(self, usage_key: UsageKey) -> str:
        return block_address(usage_key, self.course_key).usage_key
