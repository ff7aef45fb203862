"""PostgreSQL servers of the tests' own, which they may stop, kill and pause as they like.

Made with Debian's binaries in a temporary folder, on loopback, at a free port. The machine's own server is not touched.
"""

import os
import random
import shutil
import signal
import socket
import subprocess
import tempfile
import time
from contextlib import suppress
from pathlib import Path

import psycopg2

OWNER = "postgres"
DATABASE = "postgres"
DEADLINE = 30
"""seconds"""
PORTS = range(20_000, 32_000)


class Cluster:
    """One server with a data folder of its own. ``fsync=False`` is for tests that never crash it."""

    def __init__(self, name: str, *, fsync: bool = True) -> None:
        self.name = name
        self.binaries = binaries()
        self.folder = Path(tempfile.mkdtemp(prefix=f"cluster-{name}-"))
        self.data = self.folder / "data"
        self.port = free_port()
        if os.geteuid() == 0:
            # PostgreSQL refuses to run as root.
            shutil.chown(self.folder, OWNER, OWNER)
        self.create_data()
        options = {
            "port": self.port,
            "listen_addresses": "'127.0.0.1'",
            "unix_socket_directories": f"'{self.folder}'",
            "fsync": "on" if fsync else "off",
            "max_connections": 60,
            "shared_buffers": "32MB",
            "log_min_messages": "fatal",
        }
        with (self.data / "postgresql.conf").open("a") as file:
            file.writelines(f"{name} = {value}\n" for name, value in options.items())
        self.start()

    def create_data(self) -> None:
        """Create the data folder."""
        self._run("initdb", "-D", self.data, "-U", OWNER, "-A", "trust", "-E", "UTF8", "--locale=C", "--no-sync")

    @property
    def url(self) -> str:
        """The URL of the server's one database, in the form of DATABASE_URL."""
        return self.url_as(OWNER)

    def url_as(self, role: str) -> str:
        """Return the URL to connect as a role."""
        return f"postgres://{role}@127.0.0.1:{self.port}/{DATABASE}"

    @property
    def running(self) -> bool:
        """Whether the server was started and not stopped, paused or not."""
        return (self.data / "postmaster.pid").exists()

    def start(self) -> None:
        """Start the server and wait until it answers."""
        self._run("pg_ctl", "start", "-w", "-t", DEADLINE, "-D", self.data, "-l", self.folder / "log")

    def stop(self, mode: str = "fast") -> None:
        """Stop the server: ``fast`` ends its sessions in good order, ``immediate`` is as if it had crashed."""
        self._run("pg_ctl", "stop", "-w", "-t", DEADLINE, "-m", mode, "-D", self.data)

    def restart(self, mode: str = "fast") -> None:
        """Stop the server and start it again."""
        self.stop(mode)
        self.start()

    def pause(self) -> None:
        """Make the server hang: connections are accepted by the system, and nothing is ever answered."""
        # The parent first: it would start new processes for new connections.
        for process in self._processes():
            os.kill(process, signal.SIGSTOP)
        for process in self._processes():
            os.kill(process, signal.SIGSTOP)

    def resume(self) -> None:
        """End a pause; does nothing where there is none."""
        for process in self._processes()[::-1]:
            # A session may end at this moment.
            with suppress(ProcessLookupError):
                os.kill(process, signal.SIGCONT)

    def set_read_only(self, *, read_only: bool) -> None:
        """Make every transaction read-only, also in open sessions, or allow writes again."""
        value = "on" if read_only else "off"
        self.ask(f"ALTER SYSTEM SET default_transaction_read_only = {value}")
        self._run("pg_ctl", "reload", "-D", self.data)
        self.wait_for(f"SELECT current_setting('default_transaction_read_only') = '{value}'")

    def connect(self) -> "psycopg2.extensions.connection":
        """Return a new connection, in autocommit."""
        where = {"host": "127.0.0.1", "port": self.port, "user": OWNER, "dbname": DATABASE, "connect_timeout": 5}
        connection = psycopg2.connect(**where)
        connection.autocommit = True
        return connection

    def ask(self, query: str, *parameters: object) -> list[tuple]:
        """Return the rows of a query, sent over a connection of its own."""
        connection = self.connect()
        try:
            cursor = connection.cursor()
            cursor.execute(query, parameters)
            return cursor.fetchall() if cursor.description else []
        finally:
            connection.close()

    def dump(self) -> Path:
        """Dump the database with pg_dump, which may be in use, and return the file."""
        file = self.folder / "dump"
        self.run_client("pg_dump", "--format=custom", "--file", file, DATABASE)
        return file

    def restore(self, dump: Path) -> None:
        """Drop the database with the sessions that use it, and create it from a dump."""
        self.run_client("dropdb", "--force", "--maintenance-db=template1", DATABASE)
        self.run_client("createdb", "--maintenance-db=template1", "--template=template0", DATABASE)
        self.run_client("pg_restore", "--exit-on-error", "--dbname", DATABASE, dump)

    def run_client(self, program: str, *arguments: object) -> None:
        """Run a client program of PostgreSQL that connects to this server."""
        self._run(program, "--host=127.0.0.1", f"--port={self.port}", f"--username={OWNER}", *arguments)

    def wait_for(self, condition: str) -> None:
        """Wait until a query of one boolean is true."""
        end = time.monotonic() + DEADLINE
        while not self.ask(condition)[0][0]:
            if time.monotonic() > end:
                raise AssertionError(f"{self.name}: never true: {condition}")
            time.sleep(0.02)

    def wait_until_quiet(self) -> None:
        """Wait until no other session is open: sessions of killed clients may still run statements."""
        self.wait_for(
            "SELECT count(*) = 0 FROM pg_stat_activity "
            "WHERE backend_type = 'client backend' AND pid <> pg_backend_pid()"
        )

    def remove(self) -> None:
        """Stop the server if it runs, and remove everything that is its own."""
        try:
            if self.running:
                self.resume()
                self.stop("immediate")
        finally:
            shutil.rmtree(self.folder)

    def _processes(self) -> list[int]:
        """Return the server's processes, the parent first."""
        parent = int((self.data / "postmaster.pid").read_text().split()[0])
        children = Path(f"/proc/{parent}/task/{parent}/children").read_text().split()
        return [parent, *map(int, children)]

    def _run(self, program: str, *arguments: object) -> None:
        command = [str(self.binaries / program), *map(str, arguments)]
        if os.geteuid() == 0:
            command = ["runuser", "-u", OWNER, "--", *command]
        # To a file, not a pipe: the server keeps the stream open.
        with (self.folder / "commands").open("a+") as output:
            code = subprocess.run(command, stdout=output, stderr=output, cwd="/", check=False, timeout=90).returncode
            output.seek(0)
            printed = output.read()
        if code:
            raise RuntimeError(f"{' '.join(command)} failed:\n{printed[-2000:]}")


class Standby(Cluster):
    """A server that replicates another one by streaming, and that reads can use."""

    def __init__(self, primary: Cluster) -> None:
        self._primary = primary
        super().__init__(f"standby-of-{primary.name}", fsync=False)

    def create_data(self) -> None:
        self._primary.run_client("pg_basebackup", "-D", self.data, "--write-recovery-conf", "--checkpoint=fast")
        with (self.data / "postgresql.conf").open("a") as file:
            # A query delays the replay. By default, the replay ends the query.
            file.write("max_standby_streaming_delay = -1\n")

    def pause_replay(self) -> None:
        """Stop applying the changes of the primary, which the standby still receives."""
        self.ask("SELECT pg_wal_replay_pause()")
        self.wait_for("SELECT pg_get_wal_replay_pause_state() = 'paused'")

    def resume_replay(self) -> None:
        self.ask("SELECT pg_wal_replay_resume()")

    def catch_up(self) -> None:
        """Wait until every change of the primary is applied."""
        position = self._primary.ask("SELECT pg_current_wal_lsn()")[0][0]
        self.wait_for(f"SELECT pg_last_wal_replay_lsn() >= '{position}'")


def binaries() -> Path:
    """Return the folder of the newest PostgreSQL server's programs. Raises RuntimeError where there are none."""
    installed = Path("/usr/lib/postgresql").glob("*/bin/initdb")
    found = sorted((file.parent for file in installed), key=lambda folder: int(folder.parent.name))
    if found:
        return found[-1]
    if program := shutil.which("pg_config"):
        asked = subprocess.run([program, "--bindir"], capture_output=True, text=True, check=True)
        folder = Path(asked.stdout.strip())
        if (folder / "initdb").exists():
            return folder
    raise RuntimeError(
        "The tests of outages make PostgreSQL servers of their own, and need initdb and pg_ctl "
        "(Debian: apt-get install postgresql)."
    )


def free_port() -> int:
    """Return a port of loopback that nothing listens on.

    It is below the ports of outgoing connections, so that none of these takes it while the server is stopped.
    """
    for port in random.sample(PORTS, len(PORTS)):
        with socket.socket() as probe, suppress(OSError):
            probe.bind(("127.0.0.1", port))
            return port
    raise RuntimeError(f"No port in {PORTS} is free.")
