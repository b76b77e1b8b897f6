"""What one may do in the console, by what the workspace says one is, or by what a set-up link is for."""

from enum import StrEnum

ADMINISTRATOR, OWNER = "administrator", "owner"


class Permission(StrEnum):
    """One thing that a handler asks for. `sso:admin` is apart from ordinary administration: it opens doors."""

    CONSOLE = "console:read"
    MEMBERS = "members:admin"
    RIGHTS = "rights:admin"
    DOMAINS_READ = "domains:read"
    DOMAINS = "domains:admin"
    SIGN_IN_READ = "sso:read"
    SIGN_IN = "sso:admin"
    SCIM_READ = "scim:read"
    SCIM = "scim:admin"
    POLICY_READ = "policy:read"
    POLICY = "policy:admin"
    LINKS = "links:admin"
    PLAN = "plan:read"
    SUPPORT = "support:read"
    AUDIT = "audit:read"


# What an owner lets an administrator do. To hand it on, by a link or to a person, is for owners alone.
SIGNING_IN = frozenset({Permission.SIGN_IN, Permission.SCIM, Permission.POLICY})
OWNING = frozenset({Permission.LINKS, Permission.RIGHTS})

ROLES: dict[str, frozenset[Permission]] = {
    OWNER: frozenset(Permission),
    # SIGNING_IN comes on top for whom an owner lets set up sign-in.
    ADMINISTRATOR: frozenset(Permission) - SIGNING_IN - OWNING,
}
# Whoever holds a set-up link does what it is for, and sees nothing else: no members, no contract, no record.
DOMAINS = frozenset({Permission.CONSOLE, Permission.DOMAINS_READ, Permission.DOMAINS})
PURPOSES: dict[str, frozenset[Permission]] = {
    "domains": DOMAINS,
    "sign_in": DOMAINS | {Permission.SIGN_IN_READ, Permission.SIGN_IN},
    "scim": frozenset({Permission.CONSOLE, Permission.SCIM_READ, Permission.SCIM}),
}
