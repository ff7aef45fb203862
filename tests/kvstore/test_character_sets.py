"""The check of character sets on MySQL and MariaDB.

TransactionTestCase, because ALTER TABLE commits. It restores each column that it changes.
"""

from unittest import skipUnless

from django.core.checks import Tags, run_checks
from django.db import connection, connections
from django.test import TransactionTestCase

HISTORY = "student_module_history"
KEY = ("default", "xblock_kvstore_studentmodule", "module_state_key varchar(255) {} NOT NULL")
REASON = (HISTORY, "xblock_history_studentmodulehistory", "reason varchar(255) {} NOT NULL")


def alter(alias, table, column, text):
    with connections[alias].cursor() as cursor:
        cursor.execute(f"ALTER TABLE {table} MODIFY {column.format(text)}")


class CharacterSets(TransactionTestCase):
    databases = {"default", HISTORY}

    def problems(self, *aliases):
        found = run_checks(tags=[Tags.database], include_deployment_checks=True, databases=aliases)
        return [str(message.msg) for message in found if message.id == "kvstore.E003"]

    def test_the_columns_of_the_migrations_pass(self):
        self.assertEqual(self.problems("default", HISTORY), [])

    @skipUnless(connection.vendor == "mysql", "only MySQL and MariaDB have a character set for each column")
    def test_a_key_that_ignores_case_is_an_error(self):
        self.addCleanup(alter, *KEY, "CHARACTER SET utf8mb4 COLLATE utf8mb4_bin")
        alter(*KEY, "CHARACTER SET utf8mb4 COLLATE utf8mb4_general_ci")
        (problem,) = self.problems("default", HISTORY)
        self.assertIn("'default'", problem)
        self.assertTrue(problem.endswith(": xblock_kvstore_studentmodule.module_state_key."), problem)

    @skipUnless(connection.vendor == "mysql", "only MySQL and MariaDB have a character set for each column")
    def test_a_reason_that_cannot_contain_all_characters_is_an_error(self):
        self.addCleanup(alter, *REASON, "CHARACTER SET utf8mb4")
        alter(*REASON, "CHARACTER SET latin1")
        (problem,) = self.problems("default", HISTORY)
        self.assertIn(f"'{HISTORY}'", problem)
        self.assertTrue(problem.endswith(": xblock_history_studentmodulehistory.reason."), problem)
        self.assertEqual(self.problems("default"), [])
