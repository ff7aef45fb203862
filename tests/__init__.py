"""Tests of the product on SQLite, PostgreSQL and MariaDB.

`python -m tests` runs them all; `tests.settings` configures them.
"""
