"""An outage of the history's server, followed in the metrics page of a process that also writes.

    python -m tests.faults.drill [--writers 4] [--seconds 30]    prints a Markdown table, and the writes that were lost

The phases: all works, the server is stopped for so many seconds, the server runs again, the pending entries are
delivered, an entry is refused, the refused entry is delivered.
"""

import argparse
import os
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any, NamedTuple

REFUSED = "refused by the drill"
ENTRIES = "xblock_history_studentmodulehistory"


class Observation(NamedTuple):
    """One scrape of the metrics page."""

    seconds: float
    """since the start of the drill"""
    phase: str
    took: float
    """seconds that the page took"""
    metrics: dict[str, Any]


class Drill:
    """Writes and scrapes in this process, by turns. ``write`` makes one write."""

    def __init__(self, write: Callable[[], object]) -> None:
        self._write = write
        self._start = time.monotonic()
        self.observations: list[Observation] = []

    def watch(self, phase: str, seconds: float, *, interval: float = 1.0) -> list[Observation]:
        """Write all the time, and scrape at each interval; return the scrapes of this phase."""
        first = len(self.observations)
        end = time.monotonic() + seconds
        while time.monotonic() < end:
            next_scrape = time.monotonic() + interval
            while time.monotonic() < next_scrape:
                self._write()
                time.sleep(0.02)
            self.scrape(phase)
        return self.observations[first:]

    def scrape(self, phase: str) -> Observation:
        """Read the metrics page once."""
        from tests.history.monitoring.pages import METRICS, samples, scrape

        before = time.monotonic()
        response = scrape(METRICS)
        now = time.monotonic()
        self.observations.append(Observation(now - self._start, phase, now - before, samples(response)))
        return self.observations[-1]

    def table(self) -> str:
        """Return the observations as a Markdown table."""
        lines = ["| time | phase | pending | oldest | refused | breaker | reachable | healthy | page |"]
        lines.append("|---|---|---|---|---|---|---|---|---|")
        for seconds, phase, took, found in self.observations:
            age = f"{found['oldest_pending_age_seconds']:.1f} s"
            counts = f"{found['pending_entries']:.0f} | {age} | {found['refused_entries']:.0f}"
            states = f"{found['breaker']} | {found['reachable']:.0f} | {found['healthy']:.0f}"
            lines.append(f"| {seconds:.0f} s | {phase} | {counts} | {states} | {took * 1000:.0f} ms |")
        return "\n".join(lines)


@contextmanager
def refusing(history: Any) -> Iterator[None]:
    """Make the history's server reject entries with the reason REFUSED."""
    history.ask(f"ALTER TABLE {ENTRIES} ADD CONSTRAINT refusing CHECK (reason <> '{REFUSED}')")
    try:
        yield
    finally:
        history.ask(f"ALTER TABLE {ENTRIES} DROP CONSTRAINT refusing")


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--writers", type=int, default=4)
    parser.add_argument("--seconds", type=float, default=30)
    given = parser.parse_args()
    os.environ["DJANGO_SETTINGS_MODULE"] = "tests.settings"
    import django

    django.setup()
    from django.test import override_settings

    from tests.history.monitoring.pages import TOKEN

    with override_settings(HISTORY_MONITORING_TOKEN=TOKEN, ALLOWED_HOSTS=["*"]):
        print(outage(given.writers, given.seconds))


def outage(writers: int, seconds: float) -> str:
    """Run all phases on two servers, with the default settings; return the table."""
    from history.api import change_context
    from tests.faults.load import BLOCKS, stage
    from tests.faults.writing import Journal, Writer

    with stage() as (servers, learners, folder):
        writer = Writer(0, Journal(Path(folder) / "here.journal"), learners, BLOCKS)
        drill = Drill(lambda: writer.write("set"))
        defaults = {"HISTORY_TIMEOUT": 2, "HISTORY_RETRY_AFTER": 30}
        arguments = {"learners": learners, "blocks": BLOCKS, "seconds": 3 * seconds + 10, "settings": defaults}
        children = [servers.write(folder, **arguments) for _ in range(writers)]
        interval = seconds / 6
        drill.watch("all works", seconds / 3, interval=interval)
        servers.history.stop()
        drill.watch("server stopped", seconds, interval=interval)
        servers.history.start()
        drill.watch("server runs again", 1.5 * seconds, interval=interval)
        for child in children:
            child.wait()
        servers.deliver()
        drill.scrape("delivered")
        with refusing(servers.history):
            with change_context(reason=REFUSED):
                writer.write("set")
            drill.scrape("a write was refused")
            servers.deliver()
            drill.scrape("its entry was refused")
        servers.deliver()
        drill.scrape("delivered")
        journals, comparison = servers.compare(folder)
        found = {"versions": comparison.versions, "failed writes": journals.failed, "problems": comparison.problems}
        return f"{drill.table()}\n\n{found}"


if __name__ == "__main__":
    main()
