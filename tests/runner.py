"""Django's test runner, which also leaves its counts for the run over all databases to add up."""

import json
import os
from pathlib import Path
from typing import Any

from django.test.runner import DiscoverRunner


class CountingRunner(DiscoverRunner):
    """Writes the numbers of tests passed, failed and skipped to the file that TEST_COUNTS names.

    Looks for tests in ``tests`` alone, if not told: the benchmark's modules need apps that are not installed here.
    """

    def build_suite(self, test_labels: Any = None, **kwargs: Any) -> Any:
        return super().build_suite(test_labels or ["tests"], **kwargs)

    def suite_result(self, suite: Any, result: Any, **kwargs: Any) -> int:
        failed: int = super().suite_result(suite, result, **kwargs)
        failed += len(result.unexpectedSuccesses)
        skipped = len(result.skipped)
        counts = {"passed": result.testsRun - failed - skipped, "failed": failed, "skipped": skipped}
        if "TEST_COUNTS" in os.environ:
            Path(os.environ["TEST_COUNTS"]).write_text(json.dumps(counts), encoding="utf-8")
        return failed
