"""Roles of a PostgreSQL or MySQL server with few privileges, and connections as such a role.

The statements are copied from docs/howto/privileges.md.
"""

from collections.abc import Iterator
from contextlib import AbstractContextManager, contextmanager
from dataclasses import dataclass
from secrets import token_hex

from django.db import connections

from history.models import StudentModuleHistory
from tests.history.outages import ALIAS, reconnected

ENTRIES = StudentModuleHistory._meta.db_table
MIGRATIONS = "django_migrations"
WEB = {ENTRIES: "SELECT, INSERT", MIGRATIONS: "SELECT"}
"""the privileges of the web processes, by table"""

CREATE = {
    "postgresql": "CREATE ROLE {account} LOGIN PASSWORD '{password}'",
    "mysql": "CREATE USER {account} IDENTIFIED BY '{password}'",
}
DROP = {"postgresql": ("DROP OWNED BY {account}", "DROP ROLE {account}"), "mysql": ("DROP USER {account}",)}


@dataclass(frozen=True)
class Role:
    """A role that can log in."""

    name: str
    password: str
    vendor: str
    host: str = "%"
    """from which hosts an account of MySQL may connect"""

    @property
    def account(self) -> str:
        """The role as GRANT names it."""
        return self.name if self.vendor == "postgresql" else f"'{self.name}'@'{self.host}'"


@contextmanager
def web_role(*more: str, alias: str = ALIAS) -> Iterator[Role]:
    """Create a role with the privileges of the web processes, and ``more`` on the table of entries; drop it after.

    Its name is one that no other run uses: roles belong to the server, not to the test database. On MySQL, GRANT
    commits, so this is for TransactionTestCase.
    """
    role = Role(f"web_{token_hex(6)}", token_hex(16), connections[alias].vendor)
    with created(role, alias=alias):
        grant(role, WEB, alias=alias)
        for privileges in more:
            grant(role, {ENTRIES: privileges}, alias=alias)
        yield role


@contextmanager
def created(role: Role, *, alias: str = ALIAS) -> Iterator[None]:
    """Create a role, and drop it with its privileges after."""
    # This connection, not the alias: the alias may have another one when the role is dropped.
    owner = connections[alias]
    with owner.cursor() as cursor:
        cursor.execute(CREATE[role.vendor].format(account=role.account, password=role.password))
    try:
        yield
    finally:
        with owner.cursor() as cursor:
            for statement in DROP[role.vendor]:
                cursor.execute(statement.format(account=role.account))


def grant(role: Role, privileges: dict[str, str], *, alias: str = ALIAS) -> None:
    """Grant a role privileges on tables."""
    run(*(f"GRANT {names} ON {table} TO {role.account}" for table, names in privileges.items()), alias=alias)


def run(*statements: str, alias: str = ALIAS) -> None:
    """Send statements as the owner of the database."""
    with connections[alias].cursor() as cursor:
        for statement in statements:
            cursor.execute(statement)


def connected_as(role: Role, *, alias: str = ALIAS) -> AbstractContextManager[None]:
    """Connect an alias as a role, and as its owner again after."""
    return reconnected(alias, USER=role.name, PASSWORD=role.password)
