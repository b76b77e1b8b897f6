"""The directory: what the tenant app is told about each organisation, and what it tells back."""

from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from typing import Any
from uuid import UUID

import psycopg
from psycopg.types.json import Jsonb

from kit.errors import Refusal, Unavailable
from tenant_app.contract.connections import Connection
from tenant_app.contract.identity import identity_as_json, identity_from
from tenant_app.contract.records import TenantRecord, Usage, checked_hosts
from tenant_app.contract.slots import Entry, enter

COLUMNS = (
    *("organisation_id", "slot", "state", "name", "address", "locale", "offer", "site_url", "notice"),
    *("trial_ends_at", "entitlements", "store", "identity", "generation", "fence"),
)
_SET = ", ".join(f"{column} = excluded.{column}" for column in COLUMNS[1:])
# `fence` moves with each lease; alone it is no news to the tenant app, so it wakes nobody.
_TOLD = [column for column in COLUMNS if column != "fence"]
PUBLISH = f"""
insert into directory.tenant ({", ".join(COLUMNS)}) values ({", ".join(["%s"] * len(COLUMNS))})
on conflict (organisation_id) do update set {_SET}
where tenant.generation <= excluded.generation
  and ({", ".join(f"tenant.{c}" for c in _TOLD)}) is distinct from ({", ".join(f"excluded.{c}" for c in _TOLD)})
"""  # noqa: S608 - our own column names
RECORD = f"""
select {", ".join(f"t.{c}" for c in COLUMNS)},
       coalesce((select array_agg(h.host order by h.host) from directory.host h
                 where h.organisation_id = t.organisation_id), '{{}}')
from directory.tenant t where t.organisation_id = %s
"""  # noqa: S608 - our own column names
DROP_HOSTS = "delete from directory.host where organisation_id = %s and host <> all(%s)"
ADD_HOSTS = """
insert into directory.host (host, organisation_id) select host, %s from unnest(%s::text[]) host
on conflict (host) do nothing
"""
FOREIGN_HOST = "select host from directory.host where host = any(%s) and organisation_id <> %s limit 1"
CHORE = """
insert into directory.chore as c (organisation_id) values (%s)
on conflict (organisation_id) do update set due_at = least(c.due_at, excluded.due_at)
"""
USAGE = """
select organisation_id, storage_bytes, members, guests, spaces, seen_at, measured_at,
       store_bytes, store_objects, orphans, missing, reconciled_at
from directory.usage where organisation_id = any(%s)
"""


def read(connection: Connection, organisation_id: UUID) -> TenantRecord | None:
    """The published record with its hosts."""
    with _this_release():
        row = connection.execute(RECORD.encode(), [organisation_id]).fetchone()
    return None if row is None else from_row(row)


@contextmanager
def _this_release() -> Iterator[None]:
    """A directory that lacks a column waits for its upgrade: then we try again."""
    try:
        yield
    except psycopg.errors.UndefinedColumn as error:
        raise Unavailable("cell_outdated", "the directory of this database is to be upgraded first") from error


def from_row(row: Any) -> TenantRecord:
    """A record from a row of `COLUMNS` followed by its hosts."""
    *values, hosts = row
    named = dict(zip(COLUMNS, values, strict=True))
    return TenantRecord(**named | {"identity": identity_from(named["identity"])}, hosts=tuple(hosts))


def publish(connection: Connection, record: TenantRecord) -> bool:
    """Write the record and exactly its hosts. True if that changed anything. An older wish is refused as `fenced`."""
    hosts = checked_hosts(record.hosts)
    with _this_release(), connection.pipeline():
        entry = Entry(connection, record.organisation_id, record.fence)
        published = connection.execute(RECORD.encode(), [record.organisation_id])
    if entry.slot() != record.slot:
        raise Unavailable("no_slot", f"{record.organisation_id} has not taken {record.slot}")
    row = published.fetchone()
    stored = None if row is None else from_row(row)
    if stored is not None and stored.generation > record.generation:
        raise Unavailable("fenced", f"generation {stored.generation} of {record.organisation_id} is already published")
    if stored is not None and _mapping(stored) != _mapping(record):
        # The worker applies it to whom a directory has pushed.
        connection.execute(CHORE, [record.organisation_id])
    if stored is not None and sorted(stored.hosts) == hosts:
        return connection.execute(PUBLISH.encode(), _values(record)).rowcount > 0
    with connection.pipeline():
        connection.execute(PUBLISH.encode(), _values(record))
        connection.execute(DROP_HOSTS, [record.organisation_id, hosts])
        connection.execute(ADD_HOSTS, [record.organisation_id, hosts])
        foreign = connection.execute(FOREIGN_HOST, [hosts, record.organisation_id])
    taken = foreign.fetchone()
    if taken is not None:
        raise Refusal("host_taken", "“{host}” leads to another organisation.", field="hosts", host=taken[0])
    return True


def _mapping(record: TenantRecord) -> list[Any]:
    """As what directories let in whom."""
    identity = record.identity
    roles = [(one.id, one.roles, one.otherwise) for one in identity.connections]
    return [roles, {one.connection_id for one in identity.scim_tokens}]


def _values(record: TenantRecord) -> list[Any]:
    plain = {column: getattr(record, column) for column in COLUMNS}
    documents = {
        "entitlements": Jsonb(record.entitlements),
        "store": Jsonb(record.store),
        "identity": Jsonb(identity_as_json(record.identity)),
    }
    return list((plain | documents).values())


def unpublish(connection: Connection, organisation_id: UUID, fence: int) -> bool:
    """The organisation's hosts answer like unknown ones from now on. True if it was published."""
    enter(connection, organisation_id, fence)
    cursor = connection.execute("delete from directory.tenant where organisation_id = %s", [organisation_id])
    return cursor.rowcount > 0


def usage(connection: Connection, organisation_ids: Iterable[UUID]) -> dict[UUID, Usage]:
    """What each of these workspaces last reported; those that never did are missing."""
    with _this_release():
        rows = connection.execute(USAGE, [list(organisation_ids)])
    return {row[0]: Usage(**dict(zip(Usage.__struct_fields__, row, strict=True))) for row in rows}


def ensure_signing_key(connection: Connection, kid: str, public: dict[str, Any]) -> None:
    """The tenant app accepts tickets signed by this key, within a second."""
    connection.execute(
        "insert into directory.signing_key (kid, public) values (%s, %s) on conflict (kid) do update"
        " set public = excluded.public where signing_key.public <> excluded.public",
        [kid, Jsonb(public)],
    )


def retire_signing_key(connection: Connection, kid: str) -> None:
    """Tickets of this key are refused from now on."""
    connection.execute("delete from directory.signing_key where kid = %s", [kid])


def signing_keys(connection: Connection) -> dict[str, dict[str, Any]]:
    """The public keys by their ids."""
    return dict(connection.execute("select kid, public from directory.signing_key").fetchall())
