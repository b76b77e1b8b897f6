"""A cell database is made from its address alone, and proves that it is closed."""

import psycopg
import pytest

from kit.errors import Refusal, Unavailable
from tenant_app.contract import CellDatabase
from tenant_app.contract.verification import FACTS, PROBES
from tests.world.cells import Cell, fresh_database, soften


def test_preparing_twice_does_no_harm_and_keeps_a_given_password(cell: Cell) -> None:
    record = cell.tenant()
    assert cell.database.prepare("first-password-of-the-app").count("first-password-of-the-app") == 1
    again = cell.database.prepare("first-password-of-the-app")
    with psycopg.connect(again) as connection:
        assert connection.execute("select current_user").fetchone() == (cell.database.names.app,)
    assert cell.database.inspect(record.organisation_id).drift == ()
    assert [check for check in cell.database.verify() if not check.ok] == []


def test_a_password_of_its_own_is_made_when_none_is_given(cell: Cell) -> None:
    first, second = cell.database.prepare(), cell.database.prepare()
    assert first != second
    with pytest.raises(psycopg.OperationalError):
        psycopg.connect(first)
    psycopg.connect(second).close()


def test_verification_names_each_hardening_that_is_missing(postgres: str) -> None:
    with fresh_database(postgres) as url:
        cell = Cell(url)
        cell.database.build_slots(2)
        assert all(check.ok for check in cell.database.verify())
        assert len(cell.database.verify()) == len(PROBES) + len(FACTS) + 2
        soften(cell)
        failed = {check.name for check in cell.database.verify() if not check.ok}
        assert {
            "a role cannot be switched inside a query",
            "no message crosses tenants",
            "no lock crosses tenants",
            "no temporary table",
            "no code block",
            "no schema",
            "back ends cannot be put to sleep",
            "no large object",
            "SQL cannot run from text (ts_stat)",
            "only invited roles connect",
        } <= failed
        cell.database.prepare()
        # Rights on a slot's own schema are the slot's: drift finds and mends those.
        mended = {check.name for check in cell.database.verify() if not check.ok}
        assert mended == {
            "no table in the own schema",
            "own tables cannot be emptied at once",
            "the journal cannot be rewritten",
        }
        cell.close()


def test_verifying_what_was_never_prepared_says_so(cell_url: str) -> None:
    database = CellDatabase(cell_url)
    assert [(check.name, check.ok) for check in database.verify()] == [
        ("PostgreSQL is 18 or newer", True),
        ("the database is prepared", False),
    ]
    database.close()


class OlderServer(CellDatabase):
    """A server as old as Debian 12's: only its version is pretended."""

    def server_version(self) -> int:
        return 150014


def test_an_older_server_is_refused_with_what_was_found_and_what_is_needed(cell_url: str) -> None:
    database = OlderServer(cell_url)
    with pytest.raises(Refusal) as refusal:
        database.prepare()
    assert (refusal.value.code, refusal.value.field) == ("postgresql_too_old", "admin_url")
    assert str(refusal.value) == "This server runs PostgreSQL 15.14; a cell needs PostgreSQL 18 or newer."
    with psycopg.connect(cell_url) as connection:
        assert connection.execute("select to_regnamespace('directory')").fetchone() == (None,)
    database.close()


def test_an_address_without_the_powers_to_harden_is_refused(cell: Cell) -> None:
    weak = CellDatabase(cell.database.prepare())
    with pytest.raises(Refusal) as refusal:
        weak.prepare()
    assert (refusal.value.code, refusal.value.field) == ("superuser_needed", "admin_url")
    weak.close()


@pytest.mark.parametrize(
    ("url", "code"),
    [
        ("", "database_url_invalid"),
        ("mysql://root@127.0.0.1/cell", "database_url_invalid"),
        ("postgresql://127.0.0.1/cell", "database_url_invalid"),
        ("postgresql://root@127.0.0.1", "database_url_invalid"),
        ("postgresql://root@127.0.0.1:port/cell", "database_url_invalid"),
        ("postgresql://root@127.0.0.1/postgres", "database_reserved"),
        ("postgresql://root@127.0.0.1/template1", "database_reserved"),
        ("postgresql://root@127.0.0.1/" + "x" * 51, "database_reserved"),
    ],
)
def test_a_wrong_address_is_refused_by_its_field(url: str, code: str) -> None:
    with pytest.raises(Refusal) as refusal:
        CellDatabase(url)
    assert (refusal.value.code, refusal.value.field) == (code, "admin_url")


def test_a_server_that_does_not_answer_is_unavailable() -> None:
    with pytest.raises(Unavailable, match="cell_unreachable"):
        CellDatabase("postgresql://root@127.0.0.1:1/cell").prepare()


def test_no_password_stands_in_what_is_shown(cell: Cell) -> None:
    database = CellDatabase("postgresql://root:very-secret@127.0.0.1:1/cell")
    with pytest.raises(Unavailable) as failure:
        database.health()
    assert "very-secret" not in f"{database!r} {failure.value} {failure.value.__cause__}"
