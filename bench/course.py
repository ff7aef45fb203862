"""The course of the benchmark, with realistic keys, blocks, learners and states.

All of them are computed from numbers, so two runs measure the same bytes.
"""

import hashlib
import json
from collections.abc import Callable, Iterable, Sequence
from datetime import UTC, datetime
from typing import Any, NamedTuple
from uuid import uuid4

from django.contrib.auth import get_user_model
from opaque_keys.edx.keys import CourseKey, UsageKey
from xblock.core import XBlock
from xblock.fields import Boolean as Bool
from xblock.fields import Dict, Float, Integer, Scope, ScopeIds, String
from xblock.runtime import KeyValueStore

COURSE = CourseKey.from_string("course-v1:LakesideX+BIO101x+2026_T1")
LONG_LENGTH, SHORT_LENGTH = 2000, 250
"""characters"""
FIELD = "student_answers"
"""the field that the contenders write"""

SENTENCES = (
    "The cell swells because water moves through the membrane towards the side with more solute. ",
    "When we compared both dishes after twenty minutes, the one in distilled water weighed 1.8 g more. ",
    "I first thought that salt leaves the cell, but then the weight should have gone down, not up. ",
    "Our group repeated it three times and the mean difference was larger than the spread. ",
    "Active transport would need ATP, and the potato had been boiled, so it must be osmosis. ",
    "A better experiment would also change the temperature and keep the concentration the same. ",
)


class Problem(XBlock):
    """A problem with many fields in user state, and a few in other scopes."""

    display_name = String(scope=Scope.settings, default="Problem")
    weight = Float(scope=Scope.settings)
    max_attempts = Integer(scope=Scope.settings)
    markdown = String(scope=Scope.content)
    attempts = Integer(scope=Scope.user_state, default=0)
    correct_map = Dict(scope=Scope.user_state)
    done = Bool(scope=Scope.user_state)
    input_state = Dict(scope=Scope.user_state)
    last_submission_time = String(scope=Scope.user_state)
    score = Dict(scope=Scope.user_state)
    seed = Integer(scope=Scope.user_state)
    student_answers = Dict(scope=Scope.user_state)


def usage_key(number: int) -> UsageKey:
    """Return the usage key of the problem with this number; its name is a hash, as in a real course."""
    return COURSE.make_usage_key("problem", hashlib.md5(str(number).encode(), usedforsecurity=False).hexdigest())


def block(key: UsageKey, user_id: int) -> Problem:
    """Return the problem as a runtime passes it to the FieldDataCache."""
    return Problem(None, scope_ids=ScopeIds(user_id, "problem", key, key))


def learner() -> Any:
    """Return a saved learner."""
    user = new_learner()
    user.save()
    return user


def new_learner() -> Any:
    """Return an unsaved learner with a name that is unique among all processes."""
    return get_user_model()(username=f"learner-{uuid4()}")


def answers(number: int) -> dict[str, str]:
    """Return the answers to the four parts of a problem; they differ for every number."""
    part = hashlib.md5(b"problem", usedforsecurity=False).hexdigest()
    return {
        f"{part}_2_1": f"choice_{number % 5}",
        f"{part}_3_1": str(round(1.8 + number % 97 / 100, 2)),
        f"{part}_4_1": ["osmosis", "diffusion", "active transport"][number % 3],
        f"{part}_5_1": SENTENCES[number % len(SENTENCES)] + f"({number})",
    }


def long_state(number: int) -> dict[str, Any]:
    """Return the fields of an answered problem of four parts, as JSON text of 2,000 characters."""
    given = answers(number)
    judged = {
        "npoints": None,
        "msg": "",
        "hint": "",
        "hintmode": None,
        "queuestate": None,
        "answervariable": None,
    }
    fields = {
        "attempts": number % 7 + 1,
        "correct_map": {
            part: {"correctness": "correct" if (number + place) % 3 else "incorrect", **judged}
            for place, part in enumerate(given)
        },
        "done": True,
        "input_state": {part: {} for part in given},
        "last_submission_time": f"2026-03-{number % 28 + 1:02}T{number % 24:02}:{number % 60:02}:17Z",
        "score": {"raw_earned": number % 5, "raw_possible": 4},
        "seed": number * 7919 % 1000,
        FIELD: given,
    }
    return filled_up(number, fields, LONG_LENGTH)


def short_state(number: int) -> dict[str, Any]:
    """Return the fields of an answered problem of one part, as JSON text of 250 characters."""
    part = next(iter(answers(0)))
    fields = {
        "attempts": number % 7 + 1,
        "correct_map": {part: {"correctness": "correct" if number % 3 else "incorrect"}},
        "done": True,
        "seed": number * 7919 % 1000,
        FIELD: {part: ""},
    }
    return filled_up(number, fields, SHORT_LENGTH)


def filled_up(number: int, fields: dict[str, Any], length: int) -> dict[str, Any]:
    """Return fields with the last answer long enough for a JSON text of ``length`` characters."""
    given = fields[FIELD]
    last = next(reversed(given))
    given[last] = essay_of(number, len(given[last]) + length - len(text(fields)))
    return fields


def essay_of(number: int, length: int) -> str:
    """Return ``length`` characters of prose."""
    chosen = [SENTENCES[(number * 5 + place * (number % 5 + 1)) % len(SENTENCES)] for place in range(length // 60 + 1)]
    return f"{number}: {''.join(chosen)}"[: max(length, 0)]


def prose(number: int, length: int) -> str:
    """Return ``length`` characters that hardly compress: random words, some with random numbers."""
    words = sorted({word.strip(".,") for sentence in SENTENCES for word in sentence.split()})
    every = _chance(number, -1) % 4 + 1
    chances = (_chance(number, place) for place in range(length // 3))
    text = " ".join(
        words[chance % len(words)] + (str(chance // 1000 % 1000) if place % every == 0 else "")
        for place, chance in enumerate(chances)
    )
    return text[:length]


def _chance(number: int, place: int) -> int:
    return int.from_bytes(hashlib.md5(f"{number}.{place}".encode(), usedforsecurity=False).digest()[:8])


class Shape(NamedTuple):
    """States of one length; the contenders write their field with the answers."""

    name: str
    state: Callable[[int], dict[str, Any]]
    """the first state of the block with this number"""

    def value(self, number: int) -> Any:
        """Return a value of the field that differs from the value of every other number, of the same length."""
        return self.state(number)[FIELD]


LONG, SHORT = Shape("long", long_state), Shape("short", short_state)
SHAPES = {shape.name: shape for shape in (SHORT, LONG)}


def text(fields: dict[str, Any]) -> str:
    """Return the JSON that the contenders store, without white space between tokens."""
    return json.dumps(fields, separators=(",", ":"), allow_nan=False)


def loads(state_text: str | None) -> dict[str, Any]:
    """Return the fields of a stored state."""
    fields: dict[str, Any] = json.loads(state_text or "{}")
    return fields


def now() -> datetime:
    """Return the current time in UTC."""
    return datetime.now(UTC)


def field_key(key: UsageKey, user_id: int, name: str) -> KeyValueStore.Key:
    """Return the key that XBlock's field data makes for a field of a block."""
    return KeyValueStore.Key(Scope.user_state, user_id, key, name)


def field_keys(keys: Sequence[UsageKey], user_id: int, names: Iterable[str]) -> list[KeyValueStore.Key]:
    """Return the keys of these fields of every block."""
    return [field_key(key, user_id, name) for key in keys for name in names]
