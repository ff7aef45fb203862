"""Runs the Python and SQL blocks of one page, in a process of the page's project.

The parent process writes one JSON object a line: ``{"language", "code", "place", "line", "alias"}``. The answer is a
JSON object in one line: ``{"failed", "output"}``.

The namespace has the names of the README's quick start: ``learner`` (amara), ``usage_key``, ``course_key``,
``request`` (of the member of staff robin), ``block``, ``moment``; and copies of the settings that documents change.
"""

import io
import json
import os
import re
import sys
import traceback
import types
import unittest
from contextlib import redirect_stderr, redirect_stdout
from copy import deepcopy
from datetime import UTC, datetime

import django

django.setup()

import sqlparse  # noqa: E402  after the setup, as the next ones
from django.conf import settings  # noqa: E402
from django.contrib.auth import get_user_model  # noqa: E402
from django.db import connections  # noqa: E402
from django.test import RequestFactory  # noqa: E402
from django.test.runner import DiscoverRunner  # noqa: E402
from opaque_keys.edx.keys import UsageKey  # noqa: E402
from xblock.core import XBlock  # noqa: E402
from xblock.field_data import DictFieldData  # noqa: E402
from xblock.fields import Integer, Scope, ScopeIds, String  # noqa: E402

USAGE_KEY = UsageKey.from_string("block-v1:Org+Course+Run+type@problem+block@tides")
MOMENT = datetime(2026, 1, 31, 11, 30, tzinfo=UTC)
SETTINGS = ("BASE_DIR", "DATABASES", "INSTALLED_APPS", "MIDDLEWARE", "TEMPLATES")
OF_THE_SERVER = re.compile(r"\b(CREATE|ALTER|DROP)\s+(ROLE|USER|DATABASE)\b", re.IGNORECASE)


class Problem(XBlock):
    """A block with two fields of a learner."""

    answer = String(scope=Scope.user_state)
    attempts = Integer(scope=Scope.user_state)


def namespace():
    """Return the names that the Python blocks of a page may use."""
    users = get_user_model().objects
    learner, staff = users.get(username="amara"), users.get(username="robin")
    request = RequestFactory().get("/")
    request.user = staff
    names = {
        "learner": learner,
        "usage_key": USAGE_KEY,
        "course_key": USAGE_KEY.course_key,
        "request": request,
        "block": Problem(None, DictFieldData({}), ScopeIds(learner.pk, "problem", USAGE_KEY, USAGE_KEY)),
        "moment": MOMENT,
        **{name: deepcopy(getattr(settings, name)) for name in SETTINGS},
    }
    # A module, so that classes and their pickles have one.
    module = types.ModuleType("documented")
    vars(module).update(names)
    sys.modules[module.__name__] = module
    return vars(module)


def run_python(names, message):
    """Run a block, then the tests that it defines. Tracebacks have the lines of the page."""
    before = dict(names)
    code = "\n" * (message["line"] - 1) + message["code"]
    exec(compile(code, message["place"], "exec"), names)  # noqa: S102  a block of this repository's documents
    run_tests([value for name, value in names.items() if before.get(name) is not value and is_test_case(value)])


def is_test_case(value):
    return isinstance(value, type) and issubclass(value, unittest.TestCase) and value.__module__ == "documented"


def run_tests(cases):
    """Run the tests of these classes in test databases of their own, as ``manage.py test`` does."""
    loader = unittest.defaultTestLoader
    suite = unittest.TestSuite(loader.loadTestsFromTestCase(case) for case in cases)
    if not suite.countTestCases():
        return
    runner = DiscoverRunner(verbosity=0, interactive=False)
    runner.setup_test_environment()
    databases = runner.setup_databases(aliases={"default": False, "student_module_history": False})
    try:
        result = runner.run_suite(suite)
    finally:
        runner.teardown_databases(databases)
        runner.teardown_test_environment()
    if not result.wasSuccessful():
        raise AssertionError("the tests of this block failed")


def run_sql(message):
    """Run the statements of a block one by one, outside a transaction of Django."""
    if found := OF_THE_SERVER.search(message["code"]):
        raise ValueError(f"{found[0]} changes the whole server: mark the block as not run")
    with connections[message["alias"]].cursor() as cursor:
        for statement in sqlparse.split(message["code"]):
            cursor.execute(statement)
            for row in cursor.fetchall() if cursor.description else ():
                print(*row)


def answer(names, message):
    output = io.StringIO()
    failed = False
    with redirect_stdout(output), redirect_stderr(output):
        try:
            run_sql(message) if message["language"] == "sql" else run_python(names, message)
        except BaseException:
            failed = True
            traceback.print_exc()
        # The commands of the next block find no lock and no transaction of this process.
        connections.close_all()
    return {"failed": failed, "output": output.getvalue()}


def main():
    # The answers go to the present standard output, and every other output to the standard error.
    answers = os.fdopen(os.dup(1), "w")
    os.dup2(2, 1)
    names = namespace()
    for line in sys.stdin:
        print(json.dumps(answer(names, json.loads(line))), file=answers, flush=True)


if __name__ == "__main__":
    main()
