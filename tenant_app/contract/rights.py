"""Who beside the owners sets up how people sign in (`sso:admin`): administrators whom an owner has named.

Each is a row of `setting`, a table that every slot has from its first version on: nothing is multiplied by all tenants,
and a slot that waits for its upgrade answers like any other. The row counts while its person is an administrator; any
change of role takes it away.
"""

from uuid import UUID

from psycopg.types.json import Jsonb

from kit.errors import Refusal
from tenant_app.contract.connections import Connection

SSO_ADMIN = "sso_admin:"
GIVE = "insert into setting (key, value) values (%s, %s) on conflict (key) do nothing"
TAKE = "delete from setting where key = %s"


def sso_admin_key(principal_id: UUID) -> str:
    """Under which key a workspace keeps that this person sets up sign-in."""
    return f"{SSO_ADMIN}{principal_id}"


def owners_have_it() -> Refusal:
    """An owner's right is part of the role."""
    message = "Owners set up sign-in by their role: nothing is given to them, or taken from them."
    return Refusal("sso_admin_owner", message, status=409)


def administrators_only() -> Refusal:
    """It is given to active administrators alone: with it comes the console, where they arrive."""
    message = "Only an active administrator may set up sign-in. Make this person an administrator first."
    return Refusal("sso_admin_role", message, status=409)


def give(connection: Connection, principal_id: UUID, given_by: UUID) -> None:
    """From the next request on. Twice is as good as once."""
    connection.execute(GIVE, [sso_admin_key(principal_id), Jsonb({"by": str(given_by)})])


def take(connection: Connection, principal_id: UUID) -> bool:
    """No more, from the next request on; whether it was there."""
    return connection.execute(TAKE, [sso_admin_key(principal_id)]).rowcount > 0
