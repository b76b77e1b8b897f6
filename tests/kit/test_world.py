"""The fixtures themselves."""

import psycopg
from sqlalchemy import Engine, text
from sqlalchemy.orm import Session

from kit.celery import WAKE, make_app, ring
from kit.ids import new_id


def test_the_database_is_postgresql_18_and_migrated(session: Session) -> None:
    assert session.scalar(text("show server_version")).startswith("18.")
    assert session.scalar(text("select count(*) from alembic_version")) == 1


def test_each_test_gets_a_database_of_its_own(engine: Engine, cell_url: str) -> None:
    with psycopg.connect(cell_url) as connection:
        assert connection.execute("select count(*) from pg_tables where schemaname = 'public'").fetchone() == (0,)


def test_the_doorbell_rings_on_a_real_broker(broker_url: str) -> None:
    organisation = new_id()
    ring(organisation)
    with make_app(broker_url).connection_for_read() as connection:
        message = connection.SimpleQueue("parvis").get(timeout=60)
        message.ack()
    assert message.headers["task"] == WAKE
    assert message.payload[0] == [str(organisation)]
