"""Who serves what: whether every process of the tenant app has seen a change; which keys of tickets still count."""

from collections.abc import Collection
from datetime import timedelta
from uuid import UUID

import psycopg

from kit.errors import Unavailable
from tenant_app.contract.connections import Connection

CHANGED = "select number from directory.change where organisation_id = %s"
# A process of an older release tells no version, and counts as having seen nothing.
SERVED = "select min(coalesce(version, -1)) from directory.heartbeat where seen_at > now() - %s::interval"
RETIRE = """
delete from directory.signing_key where kid <> all(%s) and created_at < now() - %s::interval returning kid
"""


def changed_at(connection: Connection, organisation_id: UUID) -> int | None:
    """The version of the directory at which the organisation last changed; None if it never did."""
    row = connection.execute(CHANGED, [organisation_id]).fetchone()
    return None if row is None else int(row[0])


def served(connection: Connection, silent: timedelta) -> int | None:
    """The oldest version of the directory that any process still serves; None if no process lives.

    One that has said nothing for `silent` counts as gone.
    """
    try:
        row = connection.execute(SERVED, [silent]).fetchone()
    except psycopg.errors.UndefinedColumn as error:
        raise Unavailable("cell_outdated", "the directory of this cell is to be upgraded first") from error
    return None if row is None or row[0] is None else int(row[0])


def retire_signing_keys_but(connection: Connection, kept: Collection[str], older_than: timedelta) -> list[str]:
    """Tickets of keys other than these are refused from now on, where the key has been there for so long."""
    rows = connection.execute(RETIRE, [list(kept), older_than]).fetchall()
    return sorted(row[0] for row in rows)
