"""For tests of code that uses the store: rows to start from, and an exact count of queries for each database.

Needs factory_boy: install django-student-module-store[testing].
"""

from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from typing import Any

import factory
from django.contrib.auth import get_user_model
from django.db import connections
from django.test.utils import CaptureQueriesContext
from factory.django import DjangoModelFactory
from opaque_keys.edx.keys import CourseKey

from kvstore.models import PreferencesField, StudentModule, UserInfoField, UserStateSummaryField

COURSE_KEY = CourseKey.from_string("course-v1:Org+Course+Run")

__all__ = [
    "PreferencesFactory",
    "StudentModuleFactory",
    "UserFactory",
    "UserInfoFactory",
    "UserStateSummaryFactory",
    "assert_queries",
]


@contextmanager
def assert_queries(**expected: int) -> Iterator[None]:
    """Assert how many queries each database gets inside: ``assert_queries(default=4, student_module_history=1)``.

    An alias that is not named must get none. Raises AssertionError listing what was sent.
    """
    # Others were never connected to, and a test that does not name them in ``databases`` may not begin to.
    connected = {connection.alias for connection in connections.all(initialized_only=True)}
    with ExitStack() as stack:
        captured = {
            alias: stack.enter_context(CaptureQueriesContext(connections[alias])) for alias in connected | set(expected)
        }
        yield
    wrong = {alias: context for alias, context in captured.items() if len(context) != expected.get(alias, 0)}
    if wrong:
        raise AssertionError("\n".join(_described(alias, wrong[alias], expected.get(alias, 0)) for alias in wrong))


def _described(alias: str, captured: CaptureQueriesContext, expected: int) -> str:
    statements = "".join(f"\n  {query['sql'][:500]}" for query in captured.captured_queries)
    return f"{alias} got {len(captured)} queries, not {expected}:{statements}"


class UserFactory(DjangoModelFactory):
    """A learner whose password is ``password``."""

    class Meta:
        model = get_user_model()
        skip_postgeneration_save = True

    username = factory.Sequence(lambda number: f"learner{number}")
    email = factory.LazyAttribute(lambda user: f"{user.username}@example.com")
    password = factory.django.Password("password")


class StudentModuleFactory(DjangoModelFactory):
    """A learner's state of a problem; like every save, it makes version 1 and its entry."""

    class Meta:
        model = StudentModule

    student = factory.SubFactory(UserFactory)
    course_id = COURSE_KEY
    module_type = factory.LazyAttribute(lambda row: row.module_state_key.block_type)
    module_state_key = factory.Sequence(lambda number: COURSE_KEY.make_usage_key("problem", f"problem{number}"))
    state: Any = None


class UserStateSummaryFactory(DjangoModelFactory):
    """A field that all learners of a block share."""

    class Meta:
        model = UserStateSummaryField

    usage_id = factory.Sequence(lambda number: COURSE_KEY.make_usage_key("poll", f"poll{number}"))
    field_name = "existing_field"
    value = '"old_value"'


class PreferencesFactory(DjangoModelFactory):
    """A learner's field for all blocks of a type."""

    class Meta:
        model = PreferencesField

    student = factory.SubFactory(UserFactory)
    module_type = "problem"
    field_name = "existing_field"
    value = '"old_value"'


class UserInfoFactory(DjangoModelFactory):
    """A learner's field for every block."""

    class Meta:
        model = UserInfoField

    student = factory.SubFactory(UserFactory)
    field_name = "existing_field"
    value = '"old_value"'
