"""What an identity provider said at a sign-in, what was checked, and what came of it: for the console, not for people.

Claims that nobody mapped are shown by their length only: a trace explains a sign-in, it is no copy of a directory.
"""

from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass, field
from typing import Any
from uuid import UUID

import msgspec
from sqlalchemy import Interval, bindparam, delete, func, insert, literal_column

from kit.checking import Check
from kit.errors import Refusal
from kit.ids import new_id
from kit.logs import redacted
from tenant_app.accounts.models import sso_trace
from tenant_app.contract import TRACE_DAYS
from tenant_app.tenancy import Connection, Q

KEPT = literal_column(f"interval '{TRACE_DAYS} days'", Interval)
LONGEST = 200
MOST_VALUES = 50
SHOWN = frozenset({"iss", "aud", "email_verified", "preferred_username", "tid", "hd"})

ADD = Q(
    insert(sso_trace).values(
        id=bindparam("id"),
        connection_id=bindparam("connection_id"),
        purpose=bindparam("purpose"),
        outcome=bindparam("outcome"),
        principal_id=bindparam("principal_id"),
        data=bindparam("data"),
        created_at=func.now(),
    )
)
FORGET = Q(
    delete(sso_trace).where(
        sso_trace.c.connection_id == bindparam("connection_id"), sso_trace.c.created_at < func.now() - KEPT
    )
)


class Result(msgspec.Struct, frozen=True):
    """What came of it: whom the provider named, and what he is here."""

    email: str | None = None
    name: str | None = None
    role: str | None = None
    action: str = "refused"
    principal_id: UUID | None = None


@dataclass
class Trail:
    """Grows while a sign-in is checked."""

    connection_id: UUID
    test: bool = False
    checks: list[Check] = field(default_factory=list)
    claims: dict[str, Any] = field(default_factory=dict)

    def checked(self, name: str, ok: bool, seen: str = "", wanted: str = "") -> bool:
        """One more check, in the words of whoever made it."""
        self.checks.append(Check(name, ok, seen[:LONGEST], wanted[:LONGEST]))
        return ok

    def claimed(self, subject: str, values: Mapping[str, Any], mapped: Sequence[str]) -> None:
        """What the provider said; only what is mapped is shown as it was said."""
        self.claims = {"subject": subject[:LONGEST]} | {
            name[:LONGEST]: _shown(value) if name in mapped or name in SHOWN else _hidden(value)
            for name, value in list(values.items())[:MOST_VALUES]
        }


def _shown(value: Any) -> Any:
    values = list(value) if isinstance(value, list | tuple) else [value]
    short = [redacted(str(one)[:LONGEST]) for one in values[:MOST_VALUES]]
    return short if isinstance(value, list | tuple) else short[0]


def _hidden(value: Any) -> str:
    values = list(value) if isinstance(value, list | tuple) else [value]
    return f"[{len(values)} × {max((len(str(one)) for one in values), default=0)}]"


async def keep(conn: Connection, trail: Trail, result: Result, refusal: Refusal | None = None) -> UUID:
    """Write the trace; its id stands on the page of who was refused."""
    made = new_id()
    data = {
        "checks": [asdict(one) for one in trail.checks],
        "claims": trail.claims,
        "result": {"email": result.email, "role": result.role, "name": result.name, "action": result.action},
        "refusal": None if refusal is None else refusal.code,
        "words": None if refusal is None else {"message": refusal.message, "params": _shown_params(refusal)},
    }
    await FORGET.run(conn, connection_id=trail.connection_id)
    await ADD.run(
        conn,
        id=made,
        connection_id=trail.connection_id,
        purpose="test" if trail.test else "sign_in",
        outcome="ok" if refusal is None else refusal.code[:60],
        principal_id=result.principal_id,
        data=data,
    )
    return made


def _shown_params(refusal: Refusal) -> dict[str, str]:
    return {name: str(value)[:LONGEST] for name, value in refusal.params.items()}
