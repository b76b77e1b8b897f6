"""Which groups a directory has pushed for people of a workspace."""

from collections.abc import Collection
from uuid import UUID

import psycopg

from tenant_app.contract.connections import Connection
from tenant_app.contract.people import inside

GROUPS = """
select m.user_id, g.data ->> 'displayName', g.external_id, g.id::text
from scim_group_member m join scim_group g on g.id = m.group_id where m.user_id = any(%s) order by g.key
"""


def groups(
    connection: Connection, organisation_id: UUID, people: Collection[UUID]
) -> dict[UUID, list[tuple[str, ...]]]:
    """Each one's groups, each by all the names that a mapping may know it by; the name for people comes first."""
    try:
        with inside(connection, organisation_id):
            rows = connection.execute(GROUPS, [list(people)]).fetchall()
    except psycopg.errors.UndefinedTable:
        # A slot that waits for its upgrade has been pushed none yet.
        connection.rollback()
        return {}
    found: dict[UUID, list[tuple[str, ...]]] = {}
    for person, *names in rows:
        found.setdefault(person, []).append(tuple(name for name in names if name))
    return found
