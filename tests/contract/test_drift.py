"""What was changed by hand is found and mended; what only a restore brings back says so."""

import pytest

from kit.errors import Unavailable
from tests.world.cells import Cell

DRIFTS = {
    "a right is missing": ("revoke select on {slot}.node from {slot}", "node: SELECT is missing"),
    "a right is too many": ("grant truncate on {slot}.node to {slot}", "node: {slot} has TRUNCATE"),
    "everybody may read": ("grant select on {slot}.principal to public", "principal: PUBLIC has SELECT"),
    "the schema is closed": ("revoke usage on schema {slot} from {slot}", "schema: USAGE is missing"),
    "the schema may be built in": ("grant create on schema {slot} to {slot}", "schema: {slot} has CREATE"),
    "the login may not switch": ("revoke {slot} from {app}", "login may not switch"),
    "the login inherits": ("grant {slot} to {app} with inherit true", "login may not switch"),
    "the role has powers": ("alter role {slot} login createdb", "role has powers"),
    "the role is in another": ("grant pg_read_all_data to {slot}", "role is member of pg_read_all_data"),
    "a table has another owner": ("alter table {slot}.space owner to current_user", "space: foreign owner"),
    "another slot was let in": ("grant select on {slot}.principal to {other}", "principal: {other} has SELECT"),
}


@pytest.mark.parametrize("drift", DRIFTS)
def test_drift_is_found_by_name_and_mended(cell: Cell, drift: str) -> None:
    record, other = cell.tenant(), cell.tenant()
    places = {"slot": record.slot, "other": other.slot, "app": cell.database.names.app}
    statement, expected = (text.format(**places) for text in DRIFTS[drift])
    cell.sql(statement)
    found = cell.database.inspect(record.organisation_id)
    assert expected in found.drift
    assert not found.grants_ok
    assert expected in cell.database.repair(record.organisation_id, 2)
    assert cell.database.inspect(record.organisation_id).drift == ()
    assert cell.database.repair(record.organisation_id, 2) == ()


@pytest.mark.parametrize(
    ("statement", "expected"),
    [("drop schema {slot} cascade", "schema is missing"), ("drop table {slot}.setting", "table setting is missing")],
)
def test_what_is_lost_is_told_and_not_papered_over(cell: Cell, statement: str, expected: str) -> None:
    record = cell.tenant()
    cell.sql(statement.format(slot=record.slot))
    assert expected in cell.database.inspect(record.organisation_id).drift
    with pytest.raises(Unavailable, match="slot_damaged"):
        cell.database.repair(record.organisation_id, 2)


def test_the_inventory_names_what_has_no_owner(cell: Cell) -> None:
    assert cell.database.inventory().orphans == frozenset()
    cell.sql("create schema slot_999998")
    assert cell.database.inventory().orphans == {"slot_999998"}
    cell.sql("drop schema slot_999998")
