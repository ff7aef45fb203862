"""Two servers with the store's tables on them, processes that write to them, and this process's own connections."""

import json
import tempfile
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from itertools import count
from pathlib import Path
from typing import Any

import environ
import psycopg2.extensions
from django.db import connections

from history.database.circuit_breaker import breaker
from tests.faults.journals import Comparison, Journals, compare
from tests.faults.servers.clusters import Cluster
from tests.faults.servers.nursery import Child, Nursery
from tests.faults.servers.roles import WEB_ROLE, create_web_role

HISTORY = "student_module_history"
REMOVING = {"--repair"}
QUICK = {"HISTORY_TIMEOUT": 1, "HISTORY_RETRY_AFTER": 1}
"""settings of processes: short timeouts, so that the tests are short"""


class Stage:
    """Two PostgreSQL clusters, migrated by manage.py, one for the state and one for the history.

    This process and the processes that it starts connect to the history as a role with SELECT and INSERT. The owner of
    the tables is for commands that change them or remove entries.
    """

    def __init__(self, *, fsync: bool = True) -> None:
        self._folder = tempfile.TemporaryDirectory(prefix="faults-")
        self.folder = Path(self._folder.name)
        self.state = Cluster("state", fsync=fsync)
        self.history = Cluster("history", fsync=fsync)
        self.urls = self.create_urls()
        self.environment = {"DATABASE_URL": self.urls["default"], "HISTORY_DATABASE_URL": self.urls[HISTORY]}
        self.nursery = Nursery(self.folder, self.environment)
        self._numbers = count(1)
        for command in (["migrate"], ["migrate", "--database", HISTORY]):
            child = self.manage_as_owner(*command, "--verbosity=0")
            if child.wait() != 0:
                raise AssertionError(f"{command} failed: {child.output}")
        create_web_role(self.history)

    def create_urls(self) -> dict[str, str]:
        """Return the URLs that this process and the processes that it starts connect to, by alias."""
        return {"default": self.state.url, HISTORY: self.history.url_as(WEB_ROLE)}

    def close(self) -> None:
        """End the processes, remove the servers."""
        self.nursery.close()
        self.state.remove()
        self.history.remove()
        self._folder.cleanup()

    @contextmanager
    def connected(self) -> Iterator[None]:
        """Point this process's connections at the servers, and its breaker at its start; put them back after."""
        before = {alias: (connections.settings[alias], connections[alias]) for alias in self.urls}
        for alias, url in self.urls.items():
            connections.settings[alias] = before[alias][0] | {"OPTIONS": {}} | environ.Env.db_url_config(url)
            connections[alias] = connections.create_connection(alias)
        breaker.reset()
        try:
            yield
        finally:
            breaker.reset()
            for alias, (settings, connection) in before.items():
                connections[alias].close()
                connections.settings[alias], connections[alias] = settings, connection

    def write(self, folder: Path, target: str = "write", **arguments: Any) -> Child:
        """Begin to write in a process of its own, with a journal in this folder."""
        number = next(self._numbers)
        path = folder / f"{number}.journal"
        settings = QUICK | arguments.pop("settings", {})
        return self.nursery.start(
            f"tests.faults.writing:{target}", number=number, journal=str(path), settings=settings, **arguments
        )

    def lock_history(self) -> "psycopg2.extensions.connection":
        """Block reads and writes of entries until the returned connection is closed."""
        connection = self.history.connect()
        connection.autocommit = False
        connection.cursor().execute("LOCK TABLE xblock_history_studentmodulehistory")
        return connection

    def session(self) -> int:
        """Return the process of the history's server that serves this process."""
        with connections[HISTORY].cursor() as cursor:
            cursor.execute("SELECT pg_backend_pid()")
            return int(cursor.fetchone()[0])

    def disconnect(self) -> None:
        """Close this process's connections."""
        connections.close_all()

    def wait_until_quiet(self) -> None:
        """Wait until the servers have finished the statements of killed clients."""
        self.disconnect()
        for cluster in (self.state, self.history):
            if cluster.running:
                cluster.wait_until_quiet()

    def deliver(self, *options: str) -> Child:
        """Run deliver_history to its end."""
        child = self.nursery.manage("deliver_history", "--verbosity=0", *options)
        child.wait()
        return child

    def manage_as_owner(self, *command: str, batches: Mapping[str, int] | None = None) -> Child:
        """Begin to run a command of manage.py as the owner of the history's tables."""
        return self.nursery.manage(*command, urls={HISTORY: self.history.url}, batches=batches)

    def verify(self, *options: str) -> tuple[int | None, list[dict[str, Any]]]:
        """Run verify_history to its end; return its exit code and the objects it printed, the sums last.

        With an option that may remove entries it runs as the owner of the tables.
        """
        manage = self.manage_as_owner if REMOVING.intersection(options) else self.nursery.manage
        child = manage("verify_history", "--json", "--verbosity=0", *options)
        code = child.wait()
        try:
            # The child's two streams are one file; the error of a failed command is its last line.
            lines = [line for line in child.output.splitlines() if not line.startswith("CommandError: ")]
            return code, [json.loads(line) for line in lines]
        except ValueError:
            raise AssertionError(child.output) from None

    def recover(self, *options: str, batch_size: int | None = None) -> Child:
        """Begin to run recover_state, as the owner of the tables."""
        batches = {"history.recovery.recover": batch_size} if batch_size else {}
        return self.manage_as_owner("recover_state", "--verbosity=0", *options, batches=batches)

    def compare(self, folder: Path) -> tuple[Journals, Comparison]:
        """Compare the journals in a folder with the timelines."""
        journals = Journals.read(folder)
        return journals, compare(journals)
