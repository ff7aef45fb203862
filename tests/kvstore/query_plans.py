"""Query plans of PostgreSQL and MariaDB, on tables that are filled once for all tests of a class."""

from typing import NamedTuple
from unittest import skipUnless

from django.core.management import call_command
from django.db import connection, connections
from django.test import TransactionTestCase

ANALYZE = {"postgresql": "ANALYZE", "mysql": "ANALYZE TABLE"}


@skipUnless(connection.vendor in ("postgresql", "mysql"), "SQLite's planner does not look at how many rows there are.")
class PlanTestCase(TransactionTestCase):
    """Fills the tables once, by :meth:`fill`. Tests remove the rows that they add.

    Commits, because MySQL counts the rows of a table only outside a transaction.
    """

    @classmethod
    def setUpClass(cls):
        super().setUpClass()
        for alias in cls.databases:
            cls.addClassCleanup(call_command, "flush", database=alias, interactive=False, verbosity=0)
        cls.fill()

    @classmethod
    def fill(cls):
        raise NotImplementedError

    def _fixture_teardown(self):
        """Keep the rows for the next test of the class."""


def analyze(alias, *models):
    """Update the statistics that the planner uses."""
    with connections[alias].cursor() as cursor:
        for model in models:
            if connection.vendor == "postgresql":
                cursor.execute(f"VACUUM {model._meta.db_table}")
            cursor.execute(f"{ANALYZE[connection.vendor]} {model._meta.db_table}")


class Plan(NamedTuple):
    """How a statement reaches the rows of one table."""

    indexes: set[str]
    scans: list[str]
    sorts: list[str]


def explained(alias, table, sql):
    with connections[alias].cursor() as cursor:
        own_indexes = connections[alias].introspection.get_constraints(cursor, table)
        if connection.vendor == "postgresql":
            cursor.execute(f"EXPLAIN (FORMAT JSON) {sql}")
            nodes = list(plan_nodes(cursor.fetchone()[0][0]["Plan"]))
            used = {node["Index Name"] for node in nodes if "Index Name" in node}
            scans = [node for node in nodes if node["Node Type"] == "Seq Scan" and node["Relation Name"] == table]
            sorts = [node for node in nodes if "Sort" in node["Node Type"]]
        else:
            cursor.execute(f"EXPLAIN {sql}")
            names = [column[0] for column in cursor.description]
            nodes = [dict(zip(names, row, strict=True)) for row in cursor.fetchall()]
            # Django calls the same table U0 in a subquery.
            nodes = [node for node in nodes if node["table"] in (table, "U0")]
            used = {node["key"] for node in nodes if node["key"]}
            scans = [node for node in nodes if node["type"] in ("ALL", "index")]
            sorts = [node for node in nodes if "filesort" in (node["Extra"] or "")]
    return Plan(used.intersection(own_indexes), scans, sorts)


def plan_nodes(node):
    yield node
    for child in node.get("Plans", ()):
        yield from plan_nodes(child)
