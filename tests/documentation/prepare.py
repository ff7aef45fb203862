"""Creates the accounts and the state that the blocks of a page use, in a migrated project.

In January 2026, because the documents name this time: amara answers, and the job ``job-17`` removes the answers.
"""

from datetime import UTC, datetime
from unittest import mock

import django

django.setup()

from django.contrib.auth import get_user_model  # noqa: E402  after the setup, as the next ones
from opaque_keys.edx.keys import UsageKey  # noqa: E402

from history.api import change_context  # noqa: E402
from kvstore.api import DjangoXBlockUserStateClient, set_score  # noqa: E402
from kvstore.versioning import versions  # noqa: E402

COURSE = "block-v1:Org+Course+Run+type@problem+block@"
TIDES, MOON = (UsageKey.from_string(COURSE + name) for name in ("tides", "moon"))


def at(hour, **context):
    """Give the versions written inside this time of 31 January, and this context."""
    moment = datetime(2026, 1, 31, hour, tzinfo=UTC)
    return mock.patch.object(versions, "now", lambda: moment), change_context(**context)


def write(learner, key, hour, state, grade=None, **context):
    clock, change = at(hour, actor=context.pop("actor", learner), **context)
    with clock, change:
        DjangoXBlockUserStateClient().set(learner.username, key, state)
        if grade is not None:
            set_score(learner.pk, key, grade, 2)


def main():
    users = get_user_model().objects
    robin = users.create_superuser("robin", "robin@example.com", "password")
    learners = [users.create_user(name, f"{name}@example.com", "password") for name in ("amara", "tariq")]
    for learner in learners:
        write(learner, TIDES, 11, {"answer": "quarters", "attempts": 1}, 0, request_id=f"first-{learner.pk}")
        write(learner, TIDES, 12, {"answer": "bulges", "attempts": 2}, 1, request_id=f"second-{learner.pk}")
        write(learner, MOON, 12, {"answer": "full", "attempts": 1}, 1, request_id=f"moon-{learner.pk}")
        write(learner, MOON, 23, {"answer": ""}, 0, actor=robin, reason="nightly regrade", request_id="job-17")


if __name__ == "__main__":
    main()
