"""The role that the processes of a stage connect to the history as: it has SELECT and INSERT.

docs/howto/privileges.md contains the same statements.
"""

from tests.faults.servers.clusters import Cluster
from tests.history.database.roles import WEB

WEB_ROLE = "history_web"


def create_web_role(cluster: Cluster) -> None:
    """Create the role on a server with a migrated database."""
    cluster.ask(f"CREATE ROLE {WEB_ROLE} LOGIN")
    for table, privileges in WEB.items():
        cluster.ask(f"GRANT {privileges} ON {table} TO {WEB_ROLE}")
