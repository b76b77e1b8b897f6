"""What signing in leaves behind: traces for a stated number of days, flows and used ids for minutes.

Whoever signs in sweeps before himself; here goes what nobody's sign-in sweeps any more.
"""

from datetime import UTC, datetime, timedelta

import asyncpg
from sqlalchemy import bindparam, delete, func, select

from kit.ids import least_id
from tenant_app.accounts.models import sso_trace
from tenant_app.accounts.sso_flow import SWEEP, SWEEP_USED
from tenant_app.accounts.sso_traces import KEPT
from tenant_app.contract import TRACE_DAYS
from tenant_app.tenancy import Q, TenantPool, TenantRecord

AT_ONCE = 1000
CLOCKS = 300.0
# The ids bound what is looked at, the moment decides.
_old = (
    select(sso_trace.c.id)
    .where(sso_trace.c.id < bindparam("before"), sso_trace.c.created_at < func.now() - KEPT)
    .order_by(sso_trace.c.id)
    .limit(bindparam("most"))
)
FORGET = Q(delete(sso_trace).where(sso_trace.c.id.in_(_old)))


async def forget_sign_ins(pool: TenantPool, record: TenantRecord) -> int:
    """Remove old traces, some at a time, and what is over; tells how many traces. None before the slot's upgrade."""
    forgotten, last = 0, AT_ONCE
    before = least_id(datetime.now(UTC) - timedelta(days=TRACE_DAYS), CLOCKS)
    try:
        async with pool.transaction(record, read_only=False) as conn:
            await SWEEP.run(conn)
            await SWEEP_USED.run(conn)
        while last == AT_ONCE:
            async with pool.transaction(record, read_only=False) as conn:
                last = await FORGET.run(conn, before=before, most=AT_ONCE)
            forgotten += last
    except asyncpg.UndefinedTableError:
        return 0
    return forgotten
