"""Who serves what: whether every process has seen a change; which keys of tickets count; where keys are unknown."""

from collections.abc import Collection
from datetime import datetime, timedelta
from uuid import UUID

import psycopg

from kit.errors import Unavailable
from tenant_app.contract.connections import Connection
from tenant_app.contract.values import Value

CHANGED = "select number from directory.change where organisation_id = %s"
# A process of an older release tells no version, and counts as having seen nothing.
SERVED = "select min(coalesce(version, -1)) from directory.heartbeat where seen_at > now() - %s::interval"
RETIRE = """
delete from directory.signing_key where kid <> all(%s) and created_at < now() - %s::interval returning kid
"""
UNKNOWN = "select organisation_id, connection_id, at from directory.unknown_key order by at limit %s"
FORGET = "delete from directory.unknown_key where connection_id = %s and at = %s"


class UnknownKey(Value, frozen=True):
    """When somebody was last refused at a connection because its provider signed by a key that is not known."""

    organisation_id: UUID
    connection_id: UUID
    at: datetime


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


def unknown_keys(connection: Connection, limit: int) -> list[UnknownKey]:
    """Where providers signed by keys that are not known, the longest ago first."""
    try:
        rows = connection.execute(UNKNOWN, [limit]).fetchall()
    except psycopg.errors.UndefinedTable as error:
        raise Unavailable("cell_outdated", "the directory of this cell is to be upgraded first") from error
    return [UnknownKey(*row) for row in rows]


def forget_unknown_keys(connection: Connection, seen: Collection[UnknownKey]) -> None:
    """These were seen to; what came after them stays."""
    with connection.cursor() as cursor:
        cursor.executemany(FORGET, [(one.connection_id, one.at) for one in seen])
