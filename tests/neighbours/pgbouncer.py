"""PgBouncer with transaction pooling in front of the servers of the fault tests."""

import os
import shutil
import socket
import subprocess
import time
from contextlib import closing
from pathlib import Path

import psycopg2

from tests.faults.servers.clusters import DATABASE, DEADLINE, OWNER, Cluster, free_port
from tests.faults.servers.roles import WEB_ROLE
from tests.faults.servers.stage import HISTORY, Stage

PROGRAM = shutil.which("pgbouncer", path=os.pathsep.join([os.environ.get("PATH", ""), "/usr/sbin"]))
LOCK_TIMEOUT = "5s"
# The parameter "options" carries "-c lock_timeout=5s". PgBouncer refuses or ignores it, so the role has the timeout.
SETTINGS = """
[databases]
{database} = host=127.0.0.1 port={server_port} dbname={database} connect_query='SET application_name = pooled'

[pgbouncer]
listen_addr = 127.0.0.1
listen_port = {port}
unix_socket_dir =
auth_type = trust
auth_file = {folder}/users
pool_mode = transaction
server_login_retry = 1
default_pool_size = {pool_size}
ignore_startup_parameters = extra_float_digits{ignored}
admin_users = {owner}
{user}
"""


class Pooler:
    """One PgBouncer process for one server."""

    def __init__(self, cluster: Cluster, *, pool_size: int = 3, ignores_options: bool = True) -> None:
        if PROGRAM is None:
            raise RuntimeError("PgBouncer is missing (Debian: apt-get install pgbouncer).")
        self.cluster = cluster
        self.port = free_port()
        self.folder = Path(cluster.folder) / f"pgbouncer{self.port}"
        self.folder.mkdir()
        users = "".join(f'"{role}" ""\n' for role in (OWNER, WEB_ROLE))
        (self.folder / "users").write_text(users)
        (self.folder / "pgbouncer.ini").write_text(
            SETTINGS.format(
                database=DATABASE,
                server_port=cluster.port,
                port=self.port,
                folder=self.folder,
                pool_size=pool_size,
                ignored=", options" if ignores_options else "",
                owner=OWNER,
                # PgBouncer refuses to run as root.
                user=f"user = {OWNER}" if os.geteuid() == 0 else "",
            )
        )
        self.start()

    def url_as(self, role: str) -> str:
        """Return the URL to connect as a role through the pool."""
        return f"postgres://{role}@127.0.0.1:{self.port}/{DATABASE}"

    def start(self) -> None:
        """Start the process and wait until it listens."""
        assert PROGRAM is not None
        with (self.folder / "log").open("a") as log:
            command = [PROGRAM, "-q", str(self.folder / "pgbouncer.ini")]
            self._process = subprocess.Popen(command, stdout=log, stderr=log, start_new_session=True)
        end = time.monotonic() + DEADLINE
        while not self._listens():
            if time.monotonic() > end or self._process.poll() is not None:
                raise RuntimeError(f"PgBouncer did not start:\n{(self.folder / 'log').read_text()}")
            time.sleep(0.02)

    def stop(self) -> None:
        """End the process and the connections of its clients."""
        self._process.terminate()
        self._process.wait(DEADLINE)

    def connect(self, **options: str) -> "psycopg2.extensions.connection":
        """Return a new connection through the pool, in autocommit."""
        where = {"host": "127.0.0.1", "port": self.port, "user": OWNER, "dbname": DATABASE, "connect_timeout": 5}
        connection = psycopg2.connect(**(where | options))
        connection.autocommit = True
        return connection

    def ask(self, query: str, **options: str) -> list[tuple]:
        """Return the rows of a query, sent over a connection of its own."""
        with closing(self.connect(**options)) as connection:
            cursor = connection.cursor()
            cursor.execute(query)
            return cursor.fetchall()

    def wait_until_connected(self, role: str) -> None:
        """Wait until the pool of a role has a connection to the server: after a failure it waits a second."""
        end = time.monotonic() + DEADLINE
        while True:
            try:
                self.ask("SELECT 1", user=role)
                return
            except psycopg2.OperationalError:
                if time.monotonic() > end:
                    raise
                time.sleep(0.1)

    def _listens(self) -> bool:
        with socket.socket() as probe:
            return probe.connect_ex(("127.0.0.1", self.port)) == 0


class PooledStage(Stage):
    """Two servers behind one PgBouncer each. Only commands of the owner connect directly."""

    def create_urls(self) -> dict[str, str]:
        for cluster in (self.state, self.history):
            cluster.ask(f"ALTER ROLE {OWNER} SET lock_timeout = '{LOCK_TIMEOUT}'")
        self.state_pooler, self.history_pooler = Pooler(self.state), Pooler(self.history)
        return {"default": self.state_pooler.url_as(OWNER), HISTORY: self.history_pooler.url_as(WEB_ROLE)}

    def wait_until_quiet(self) -> None:
        """Wait until the servers have finished the statements of killed clients; the pools keep idle sessions."""
        self.disconnect()
        for cluster in filter(lambda cluster: cluster.running, (self.state, self.history)):
            cluster.wait_for(
                "SELECT count(*) = 0 FROM pg_stat_activity "
                "WHERE backend_type = 'client backend' AND pid <> pg_backend_pid() AND state <> 'idle'"
            )

    def start_history(self) -> None:
        """Start the stopped server of the history, and wait until the pool connects to it again."""
        self.history.start()
        self.history_pooler.wait_until_connected(WEB_ROLE)

    def close(self) -> None:
        self.nursery.close()
        self.state_pooler.stop()
        self.history_pooler.stop()
        super().close()
