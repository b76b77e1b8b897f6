"""Heartbeats: written by the background processes, read by whoever asks whether they live."""

from datetime import datetime

from sqlalchemy import func, select
from sqlalchemy.dialects.postgresql import insert
from sqlalchemy.orm import Session

from control_plane.fleet.models import Heartbeat


def beat(session: Session, name: str) -> None:
    """This job is alive."""
    row = insert(Heartbeat).values(name=name, at=func.now())
    session.execute(row.on_conflict_do_update(index_elements=["name"], set_={"at": func.now()}))


def heartbeats(session: Session) -> dict[str, datetime]:
    """When each background job last ended a round well."""
    return {row.name: row.at for row in session.scalars(select(Heartbeat))}
