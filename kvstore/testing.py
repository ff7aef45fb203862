"""Factories of rows, and an assertion of query counts per database, for tests of code that uses the store.

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
    """Assert the number of queries per alias: ``assert_queries(default=4, student_module_history=1)``.

    Other aliases must get none. The AssertionError lists the queries.
    """
    # Connecting to another alias would fail in a test that does not list it in ``databases``.
    connected = {connection.alias for connection in connections.all(initialized_only=True)}
    with ExitStack() as stack:
        captured = {
            alias: stack.enter_context(CaptureQueriesContext(connections[alias])) for alias in connected | set(expected)
        }
        yield
    wrong = {alias: context for alias, context in captured.items() if len(context) != expected.get(alias, 0)}
    if wrong:
        raise AssertionError("\n".join(_query_report(alias, wrong[alias], expected.get(alias, 0)) for alias in wrong))


def _query_report(alias: str, captured: CaptureQueriesContext, expected: int) -> str:
    statements = "".join(f"\n  {query['sql'][:500]}" for query in captured.captured_queries)
    return f"{alias} got {len(captured)} queries, not {expected}:{statements}"


class UserFactory(DjangoModelFactory):
    """A learner with the password ``password``."""

    class Meta:
        model = get_user_model()
        skip_postgeneration_save = True

    username = factory.Sequence(lambda number: f"learner{number}")
    email = factory.LazyAttribute(lambda user: f"{user.username}@example.com")
    password = factory.django.Password("password")


class StudentModuleFactory(DjangoModelFactory):
    """A learner's state of a problem, with its version 1 and, if recorded, its history entry."""

    class Meta:
        model = StudentModule

    student = factory.SubFactory(UserFactory)
    course_id = COURSE_KEY
    module_type = factory.LazyAttribute(lambda row: row.module_state_key.block_type)
    module_state_key = factory.Sequence(lambda number: COURSE_KEY.make_usage_key("problem", f"problem{number}"))
    state: Any = None


class UserStateSummaryFactory(DjangoModelFactory):
    """A ``user_state_summary`` field of a block."""

    class Meta:
        model = UserStateSummaryField

    usage_id = factory.Sequence(lambda number: COURSE_KEY.make_usage_key("poll", f"poll{number}"))
    field_name = "existing_field"
    value = '"old_value"'


class PreferencesFactory(DjangoModelFactory):
    """A learner's ``preferences`` field of a block type."""

    class Meta:
        model = PreferencesField

    student = factory.SubFactory(UserFactory)
    module_type = "problem"
    field_name = "existing_field"
    value = '"old_value"'


class UserInfoFactory(DjangoModelFactory):
    """A learner's ``user_info`` field."""

    class Meta:
        model = UserInfoField

    student = factory.SubFactory(UserFactory)
    field_name = "existing_field"
    value = '"old_value"'
