"""What the control plane may ask of a cell's worker: it leaves a row, and the worker finds it within seconds."""

from uuid import UUID

import psycopg

from kit.errors import Unavailable
from tenant_app.contract.connections import Connection

# Without the time of its last comparison a workspace's next chore makes a whole one, and notes the time.
FORGET = "update directory.usage set reconciled_at = null where organisation_id = %s"
NOW = """
insert into directory.chore as c (organisation_id)
select organisation_id from directory.tenant where organisation_id = %s
on conflict (organisation_id) do update set due_at = least(c.due_at, excluded.due_at)
"""


def reconciliation(connection: Connection, organisation_id: UUID) -> bool:
    """The worker compares the workspace's books with its store now, whenever it last did. False if it is not here."""
    try:
        connection.execute(FORGET, [organisation_id])
    except psycopg.errors.UndefinedColumn as error:
        raise Unavailable("cell_outdated", "the directory of this database is to be upgraded first") from error
    return connection.execute(NOW, [organisation_id]).rowcount > 0
