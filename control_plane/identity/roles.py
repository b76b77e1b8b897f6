"""What each role of the provider's staff may do. One permission a verb; a handler's guard names the one it wants."""

from enum import StrEnum


class Permission(StrEnum):
    """What a page or an action of the portal asks for."""

    ORGANISATIONS_READ = "organisations:read"
    ORGANISATIONS_CREATE = "organisations:create"
    ORGANISATIONS_CHANGE = "organisations:change"
    ORGANISATIONS_SUSPEND = "organisations:suspend"
    ORGANISATIONS_CLOSE = "organisations:close"
    ORGANISATIONS_ERASE = "organisations:erase"
    OPERATIONS_READ = "operations:read"
    OPERATIONS_ACT = "operations:act"
    OFFERS_READ = "offers:read"
    OFFERS_PUBLISH = "offers:publish"
    CELLS_READ = "cells:read"
    CELLS_VERIFY = "cells:verify"
    STORAGE_ACT = "storage:act"
    TOKENS = "tokens"
    STAFF = "people"
    AUDIT_READ = "audit:read"
    AUDIT_VERIFY = "audit:verify"
    SUPPORT = "support:ask"


class Role(StrEnum):
    """Whose work it is."""

    SALES = "sales"
    SUPPORT = "support"
    OPERATOR = "operator"
    AUDITOR = "auditor"


_READ = frozenset(
    {
        Permission.ORGANISATIONS_READ,
        Permission.OPERATIONS_READ,
        Permission.OFFERS_READ,
    }
)

# Sales sells and changes contracts, support mends, an operator runs the platform, an auditor sees all, touches nothing.
PERMISSIONS: dict[Role, frozenset[Permission]] = {
    Role.SALES: _READ
    | {
        Permission.ORGANISATIONS_CREATE,
        Permission.ORGANISATIONS_CHANGE,
        Permission.ORGANISATIONS_SUSPEND,
        Permission.ORGANISATIONS_CLOSE,
    },
    Role.SUPPORT: _READ
    | {
        Permission.ORGANISATIONS_CREATE,
        Permission.ORGANISATIONS_SUSPEND,
        Permission.OPERATIONS_ACT,
        Permission.CELLS_READ,
        Permission.AUDIT_READ,
        Permission.SUPPORT,
    },
    Role.OPERATOR: frozenset(Permission),
    Role.AUDITOR: _READ | {Permission.CELLS_READ, Permission.AUDIT_READ, Permission.AUDIT_VERIFY},
}


def allows(role: str, permission: Permission) -> bool:
    """Whether a role may; an unknown role may nothing."""
    return role in set(Role) and permission in PERMISSIONS[Role(role)]
