"""Runs the checks of the fault tests with a configurable load; prints one JSON object.

    python -m tests.faults.load --outage [--writers 4] [--seconds 30]     the history's server is stopped for a third
    python -m tests.faults.load --kills 200 [--writers 4]                 kills writers while the others write
    python -m tests.faults.load --paused                                  a server that hangs, against a healthy one
    python -m tests.faults.load --rollbacks 10000                         rolled-back writes, and a reader meanwhile
    python -m tests.faults.load --restore state [--writers 4]             the state is restored from a dump made
        [--seconds 30]                                                    under load, and recovered
    python -m tests.faults.load --restore killed                          the same; recovery is killed three times
    python -m tests.faults.load --restore history                         the history is restored, and writers go on
    python -m tests.faults.load --overlays mysql://root@127.0.0.1:3306    writers on the same blocks, on a server given
        [--writers 8] [--writes 1000]

All but --overlays make two PostgreSQL servers of their own. Exit code 1 when something was lost.
"""

import argparse
import json
import os
import random
import statistics
import sys
import time
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

BLOCKS = [f"block{number}" for number in range(5)]
MANY_BLOCKS = [f"block{number}" for number in range(100)]
OVERLAYS = {"set": 8, "pair": 4, "score": 4, "cache": 2}


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    mode = parser.add_mutually_exclusive_group(required=True)
    mode.add_argument("--outage", action="store_true")
    mode.add_argument("--kills", type=int)
    mode.add_argument("--paused", action="store_true")
    mode.add_argument("--rollbacks", type=int)
    mode.add_argument("--overlays", metavar="URL")
    mode.add_argument("--restore", choices=["state", "killed", "history"])
    parser.add_argument("--writers", type=int)
    parser.add_argument("--writes", type=int, default=1000)
    parser.add_argument("--seconds", type=float, default=30)
    given = parser.parse_args()
    os.environ["DJANGO_SETTINGS_MODULE"] = "tests.settings"
    if given.overlays:
        server = given.overlays.rstrip("/")
        os.environ |= {
            "DATABASE_URL": f"{server}/faults_state_{os.getpid()}",
            "HISTORY_DATABASE_URL": f"{server}/faults_history_{os.getpid()}",
        }
    import django

    django.setup()
    if given.overlays:
        found = overlays(given.writers or 8, given.writes)
    elif given.outage:
        found = outage(given.writers or 4, given.seconds)
    elif given.kills:
        found = kills(given.writers or 4, given.kills)
    elif given.paused:
        found = paused()
    elif given.restore:
        found = restored(given.restore, given.writers or 4, given.seconds)
    else:
        found = rollbacks(given.rollbacks)
    print(json.dumps(found, indent=2))
    return 1 if found.get("problems") else 0


@contextmanager
def stage() -> Iterator[tuple[Any, list[int], Path]]:
    """Give two servers, learners on them, and a folder for the journals."""
    from kvstore.testing import UserFactory
    from tests.faults.servers.stage import Stage

    servers = Stage()
    try:
        with servers.connected():
            folder = servers.folder / "journals"
            folder.mkdir()
            yield servers, [UserFactory().pk for _ in range(4)], folder
    finally:
        servers.close()


def outage(writers: int, seconds: float) -> dict[str, Any]:
    with stage() as (servers, learners, folder):
        children = [servers.write(folder, learners=learners, blocks=BLOCKS, seconds=seconds) for _ in range(writers)]
        time.sleep(seconds / 3)
        servers.history.stop()
        time.sleep(seconds / 3)
        servers.history.start()
        return {"writers": writers, "seconds": seconds} | finished(servers, children, folder, allowed={"phantom"})


def kills(writers: int, count: int) -> dict[str, Any]:
    with stage() as (servers, learners, folder):

        def start() -> Any:
            return servers.write(folder, learners=learners, blocks=BLOCKS)

        children = [start() for _ in range(writers)]
        for _ in range(count):
            time.sleep(random.uniform(0.05, 0.25))
            place = random.randrange(writers)
            children[place].kill()
            children[place] = start()
        for child in children:
            child.kill()
        # The writers that ran last were killed too.
        return {"kills": count + writers} | finished(servers, [], folder, allowed={"phantom"})


def restored(database: str, writers: int, seconds: float) -> dict[str, Any]:
    from tests.faults.disasters import lose_the_history, lose_the_state

    with stage() as (servers, learners, folder):
        if database == "history":
            return lose_the_history(servers, folder, learners, MANY_BLOCKS, writers=writers, seconds=seconds)
        kills = 3 if database == "killed" else 0
        return lose_the_state(servers, folder, learners, MANY_BLOCKS, writers=writers, seconds=seconds, kills=kills)


def finished(servers: Any, children: list[Any], folder: Path, allowed: set[str]) -> dict[str, Any]:
    """Deliver, verify, repair and compare; return the counts."""
    from history.models import PendingHistory

    codes = [child.wait() for child in children]
    servers.wait_until_quiet()
    waited = PendingHistory.objects.count()
    start = time.monotonic()
    delivery = servers.deliver().wait()
    took = time.monotonic() - start
    found = servers.verify("--repair")[1]
    after = servers.verify()
    journals, comparison = servers.compare(folder)
    problems: dict[str, Any] = dict(comparison.problems)
    if any(codes) or journals.failed or delivery or after[0] or found[-1]["problems"].keys() - allowed:
        problems["process"] = {
            "writers": codes,
            "failed": journals.failed[:5],
            "delivery": delivery,
            "verify after repair": after,
            "verify": found[-1],
        }
    return {
        "writes_acknowledged": journals.writes,
        "writes_rolled_back": journals.undone_writes,
        "writes_failed": len(journals.failed),
        "conflicts_retried_by_the_writers": journals.conflicts,
        "entries_that_waited": waited,
        "delivery_seconds": round(took, 2),
        "verify_found": found[-1]["problems"],
        "phantom_versions_removed": sum(line["count"] for line in found[:-1] if line["problem"] == "phantom"),
        "verify_after_repair": after[1][-1]["problems"],
        "timelines": comparison.counts(),
        "problems": problems,
    }


def paused() -> dict[str, Any]:
    from django.test import override_settings

    from history.conf import conf
    from history.database.circuit_breaker import breaker
    from tests.faults.writing import Journal, Writer

    with stage() as (servers, learners, folder), override_settings(HISTORY_RETRY_AFTER=60):
        journal = Journal(folder / "0.journal")
        writer = Writer(0, journal, learners, BLOCKS)

        def latencies(count: int) -> list[float]:
            took = []
            for _ in range(count):
                start = time.perf_counter()
                writer.write("set")
                took.append((time.perf_counter() - start) * 1000)
            return took

        latencies(100)
        healthy = latencies(101)
        servers.history.pause()
        hanging = latencies(101)
        servers.history.resume()
        breaker.reset()
        recovered = latencies(100)
        journal.close()
        return {
            "history_timeout_ms": conf.HISTORY_TIMEOUT * 1000,
            "healthy": summary(healthy),
            "paused": summary(hanging),
            "resumed": summary(recovered),
            "note": "milliseconds, with an fsync of the journal in each",
        } | finished(servers, [], folder, allowed=set())


def summary(took: list[float]) -> dict[str, float]:
    """Return the first latency, and the middle and the worst of the rest."""
    rest = took[1:]
    figures = {"first": took[0], "p50": statistics.median(rest), "p99": statistics.quantiles(rest, n=100)[98]}
    return {name: round(value, 2) for name, value in figures.items()}


def rollbacks(count: int) -> dict[str, Any]:
    from opaque_keys.edx.keys import UsageKey

    from history.api import timeline
    from history.models import StudentModuleHistory
    from history.reading.committed import committed
    from tests.faults.writing import UNDONE
    from tests.kvstore.cache.blocks import usage

    # For every write that is undone, a few that are not: readers have something to see.
    kinds = {UNDONE: 10, "partly": 4, "unmade": 2, "set": 2, "score": 1}
    with stage() as (servers, learners, folder):
        per_writer = count * sum(kinds.values()) // (2 * (kinds[UNDONE] + kinds["unmade"])) + 50
        children = [
            servers.write(folder, learners=learners, blocks=BLOCKS, writes=per_writer, kinds=kinds) for _ in range(2)
        ]
        shown, reads, seen = [], 0, 0

        def look(reader: str, entries: Any) -> None:
            nonlocal seen
            for entry in entries:
                seen += 1
                if UNDONE in (entry.state or "") or (entry.grade or 0) < 0:
                    shown.append(f"{reader}: {entry}")

        while any(child.alive for child in children):
            for learner in learners:
                key: UsageKey = usage(random.choice(BLOCKS))
                look("timeline", timeline(learner, key))
                look("list of all", committed(list(StudentModuleHistory.objects.order_by("-id")[:100])))
                reads += 2
        found = finished(servers, children, folder, allowed={"phantom", "unproven"})
        found["problems"] |= {"shown": shown[:5]} if shown else {}
        return {"reads": reads, "entries_read": seen, "rolled_back_entries_shown": len(shown)} | found


def overlays(writers: int, writes: int) -> dict[str, Any]:
    from django.db import connection, connections
    from django.test.utils import setup_databases, teardown_databases

    from kvstore.testing import UserFactory
    from tests.faults.journals import Journals, compare
    from tests.faults.servers.nursery import Nursery

    made = setup_databases(0, interactive=False)
    try:
        with TemporaryDirectory() as name:
            folder = Path(name)
            learners = [UserFactory().pk]
            nursery = Nursery(folder, test_urls())
            start = time.monotonic()
            children = [
                nursery.start(
                    "tests.faults.writing:write",
                    number=number,
                    journal=str(folder / f"{number}.journal"),
                    learners=learners,
                    blocks=BLOCKS[:3],
                    writes=writes,
                    kinds=OVERLAYS,
                )
                for number in range(writers)
            ]
            codes = [child.wait(600) for child in children]
            took = time.monotonic() - start
            nursery.close()
            journals = Journals.read(folder)
            comparison = compare(journals)
            problems: dict[str, Any] = dict(comparison.problems)
            if any(codes) or journals.failed:
                problems["process"] = {"writers": codes, "failed": journals.failed[:5]}
            return {
                "database": connection.vendor,
                "writers": writers,
                "writes_acknowledged": journals.writes,
                "writes_failed": len(journals.failed),
                "seconds": round(took, 1),
                "timelines": comparison.counts(),
                "problems": problems,
            }
    finally:
        connections.close_all()
        teardown_databases(made, 0)


def test_urls() -> Mapping[str, str]:
    """Return the URLs of the databases as they were made for this run."""
    from django.db import connections

    names = {"DATABASE_URL": "default", "HISTORY_DATABASE_URL": "student_module_history"}
    return {
        variable: f"{os.environ[variable].rpartition('/')[0]}/{connections[alias].settings_dict['NAME']}"
        for variable, alias in names.items()
    }


if __name__ == "__main__":
    sys.exit(main())
