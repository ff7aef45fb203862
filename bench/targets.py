"""Targets on PostgreSQL: the bound itself with psycopg2, the bound with an allowance of 15 % with psycopg 3."""

from bench.case import Target
from bench.databases import vendor
from bench.drivers import driver

ALLOWANCE = 1.15


def at_most(above: str, below: str, bound: float) -> Target:
    """Return a target with an upper bound on PostgreSQL, and without a bound on other databases."""
    return Target(above, below, at_most=bound * _allowance()) if vendor() == "postgresql" else Target(above, below)


def at_least(above: str, below: str, bound: float) -> Target:
    """Return a target with a lower bound on PostgreSQL, and without a bound on other databases."""
    return Target(above, below, at_least=bound / _allowance()) if vendor() == "postgresql" else Target(above, below)


def _allowance() -> float:
    return 1 if driver() == "psycopg2" else ALLOWANCE
