"""One request is one transaction, whatever refuses it."""

import pytest
from sqlalchemy import Engine, text
from sqlalchemy.orm import Session

from control_plane.operator_api.transacting import Work
from tests.operator_api.conftest import Api, wish


def table(engine: Engine) -> None:
    with engine.begin() as connection:
        connection.execute(text("create table kept (n int)"))


def write(session: Session) -> None:
    session.execute(text("insert into kept values (1)"))


@pytest.mark.parametrize(("ending", "kept"), [("commit", 1), ("undo", 0)])
def test_work_is_kept_or_undone_as_a_whole(engine: Engine, ending: str, kept: int) -> None:
    table(engine)
    work = Work(engine)
    write(work.session)
    getattr(work, ending)()
    # What happens afterwards changes nothing any more.
    work.undo()
    work.commit()
    with engine.connect() as connection:
        assert connection.execute(text("select count(*) from kept")).scalar_one() == kept
    assert engine.pool.checkedout() == 0  # type: ignore[attr-defined]


def test_a_refusal_after_writing_undoes_what_was_written(api: Api) -> None:
    # The cell is looked for last, after the organisation's row has been written.
    tables = ("organisation", "address_claim", "operation", "audit_event")
    before = [api.count(name) for name in tables]
    assert api.ask("POST", "/organisations", wish(cell="nowhere")).status_code >= 400
    assert [api.count(name) for name in tables] == before


def test_no_connection_stays_out_after_refusals(api: Api) -> None:
    for _ in range(40):
        api.get("/organisations/absent")
        api.ask("PUT", "/organisations/absent/offer", {"offer": "team"})
        api.ask("POST", "/organisations", wish(offer="gold"))
    assert api.engine.pool.checkedout() == 0  # type: ignore[attr-defined]
