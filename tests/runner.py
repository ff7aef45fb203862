"""Django's test runner, which also writes its counts to a file, and can leave out tests that need one database only."""

import json
import os
from argparse import ArgumentParser
from collections.abc import Sequence
from pathlib import Path
from typing import Any
from unittest import TestCase, TestSuite, TextTestResult

from django.test import SimpleTestCase
from django.test.runner import DiscoverRunner
from django.test.utils import iter_test_cases

COUNTS = "TEST_COUNTS"
"""the variable that names the file for the counts"""


class CountingResult(TextTestResult):
    """Counts the tests that passed: ``testsRun`` of Python 3.12.1 omits some of the skipped tests."""

    passed = 0

    def addSuccess(self, test: TestCase) -> None:  # noqa: N802  the name of unittest
        super().addSuccess(test)
        self.passed += 1


class CountingRunner(DiscoverRunner):
    """Writes the numbers of tests passed, failed, skipped and left out to the file that TEST_COUNTS names.

    Looks for tests in ``tests`` alone by default: the benchmark's modules need apps that are not installed here.
    """

    def __init__(self, *, per_database: bool = False, **options: Any) -> None:
        super().__init__(**options)
        self.per_database = per_database
        self.left_out = 0

    @classmethod
    def add_arguments(cls, parser: ArgumentParser) -> None:
        super().add_arguments(parser)
        parser.add_argument(
            "--per-database",
            action="store_true",
            help="Leave out the tests whose result cannot differ between databases.",
        )

    def build_suite(self, test_labels: Sequence[str] | None = None, **kwargs: Any) -> TestSuite:
        return super().build_suite(test_labels or ["tests"], **kwargs)

    def load_tests_for_label(self, label: str, discover_kwargs: dict[str, Any]) -> TestSuite:
        found = list(iter_test_cases(super().load_tests_for_label(label, discover_kwargs)))
        kept = [test for test in found if not self.per_database or depends_on_database(test)]
        self.left_out += len(found) - len(kept)
        return self.test_suite(kept)

    def suite_result(self, suite: Any, result: Any, **kwargs: Any) -> int:
        failed: int = super().suite_result(suite, result, **kwargs)
        failed += len(result.unexpectedSuccesses)
        if COUNTS in os.environ:
            counts = {
                "passed": result.passed,
                "failed": failed,
                "skipped": len(result.skipped),
                "left_out": self.left_out,
            }
            Path(os.environ[COUNTS]).write_text(json.dumps(counts), encoding="utf-8")
        return failed

    def get_resultclass(self) -> Any:
        return CountingResult if COUNTS in os.environ else super().get_resultclass()


def depends_on_database(test: TestCase) -> bool:
    """Return whether the result of a test can differ between databases.

    SimpleTestCases without databases cannot query one. Plain unittest cases may use every connection. The tag
    'any_database' marks tests of what pages show, which is the same over every database.
    """
    if isinstance(test, SimpleTestCase) and not test.databases:
        return False
    method = getattr(test, test._testMethodName)
    return "any_database" not in {*getattr(test, "tags", ()), *getattr(method, "tags", ())}
