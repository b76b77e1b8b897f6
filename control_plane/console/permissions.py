"""What one may do in the console, by what the workspace says one is, or by what a set-up link is for."""

from enum import StrEnum

ADMINISTRATOR, OWNER = "administrator", "owner"


class Permission(StrEnum):
    """One thing that a handler asks for. `sso:admin` is apart from ordinary administration: it opens doors."""

    CONSOLE = "console:read"
    MEMBERS = "members:admin"
    RIGHTS = "rights:admin"
    IDENTITY = "identity:read"
    DOMAINS = "domains:admin"
    SIGN_IN = "sso:admin"
    SCIM = "scim:admin"
    POLICY = "policy:admin"
    LINKS = "links:admin"
    PLAN = "plan:read"
    SUPPORT = "support:read"
    AUDIT = "audit:read"


SIGNING_IN = frozenset({Permission.SIGN_IN, Permission.SCIM, Permission.POLICY, Permission.LINKS})
READING = frozenset({Permission.CONSOLE, Permission.IDENTITY})

ROLES: dict[str, frozenset[Permission]] = {
    OWNER: frozenset(Permission),
    # SIGNING_IN comes on top for whom an owner has let set up sign-in; whom else to let is for owners alone.
    ADMINISTRATOR: frozenset(Permission) - SIGNING_IN - {Permission.RIGHTS},
}
# Whoever holds a set-up link does what it is for, and sees nothing else: no members, no contract, no record.
PURPOSES: dict[str, frozenset[Permission]] = {
    "domains": READING | {Permission.DOMAINS},
    "sign_in": READING | {Permission.DOMAINS, Permission.SIGN_IN},
    "scim": READING | {Permission.SCIM},
}
