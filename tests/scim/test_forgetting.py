"""What directories did is kept for a year, what sign-ins went through for thirty days; then the worker forgets it."""

from datetime import UTC, datetime, timedelta

import pytest

from kit.ids import least_id
from tenant_app.contract import EVENT_DAYS, TRACE_DAYS
from tests.scim.directories import Directory, opened
from tests.workspace.houses import House


@pytest.fixture
def push(house: House) -> Directory:
    made = opened(house)
    made.user("someone")
    return made


def fill(push: Directory, table: str, columns: str, days: int, count: int) -> None:
    """So many rows of that age, with ids of that age."""
    at = datetime.now(UTC) - timedelta(days=days)
    push.house.rows(
        push.record,
        f"insert into {table} (id, created_at, {columns.partition('=')[0]}) select ("
        " lpad(to_hex(%s::bigint + n), 12, '0') || '7000800000000000' || lpad(to_hex(mod(n, 65536)), 4, '0'))::uuid,"
        f" %s::timestamptz + n * interval '1 ms', {columns.partition('=')[2]} from generate_series(1, %s) n",
        *(least_id(at).int >> 80, at, count),
    )


def events(push: Directory, days: int, count: int) -> None:
    fill(push, "scim_event", "verb='user.changed'", days, count)


def count(push: Directory, table: str) -> int:
    return int(push.house.rows(push.record, f"select count(*) from {table}")[0][0])


def test_old_events_are_forgotten_in_batches_and_younger_ones_stay(push: Directory) -> None:
    before = count(push, "scim_event")
    events(push, EVENT_DAYS + 1, 2500)
    events(push, EVENT_DAYS - 1, 30)
    push.house.sweep()
    assert count(push, "scim_event") == before + 30


def test_traces_flows_and_used_ids_of_sign_ins_are_forgotten_too(push: Directory) -> None:
    columns = "connection_id, purpose, outcome, data=gen_random_uuid(), 'sign_in', 'ok', '{}'::jsonb"
    fill(push, "sso_trace", columns, TRACE_DAYS + 1, 1200)
    fill(push, "sso_trace", columns, TRACE_DAYS - 1, 7)
    for table, more in (("sso_flow", ", connection_id, data"), ("sso_replay", "")):
        values = ", gen_random_uuid(), '{}'" if more else ""
        for hash_, when in (("over", "-1"), ("alive", "1")):
            push.house.rows(
                push.record,
                f"insert into {table} (hash, expires_at{more}) values (%s, now() + %s * interval '1 hour'{values})",
                *(hash_, int(when)),
            )
    push.house.sweep()
    assert count(push, "sso_trace") == 7
    for table in ("sso_flow", "sso_replay"):
        assert push.house.rows(push.record, f"select hash from {table}") == [("alive",)]


def test_without_the_right_or_the_table_the_rest_of_the_chore_is_done(push: Directory) -> None:
    """A slot that waits for its upgrade, or for the right that this release gives: nothing of it stops the worker."""
    events(push, EVENT_DAYS + 1, 3)
    push.house.rows(push.record, f"revoke delete on scim_event from {push.record.slot}")
    push.house.cell.sql("delete from directory.usage where organisation_id = %s", push.record.organisation_id)
    push.house.sweep()
    assert count(push, "scim_event") >= 3
    found = "select members from directory.usage where organisation_id = %s"
    assert push.house.cell.sql(found, push.record.organisation_id) == [(2,)]
    # Its rights are mended as those of every slot; then it is forgotten.
    assert push.house.cell.database.repair(push.record.organisation_id, push.record.fence)
    push.user("another")
    push.house.sweep()
    assert {verb for verb, _ in push.events()} == {"user.created"}
