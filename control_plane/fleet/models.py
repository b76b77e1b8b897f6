"""Signs of life of the background processes."""

from datetime import datetime

from sqlalchemy import String, func
from sqlalchemy.orm import Mapped, mapped_column

from kit.db import Base


class Heartbeat(Base):
    """When a background job last ended a round well. Its age is its health."""

    __tablename__ = "heartbeat"

    name: Mapped[str] = mapped_column(String(40), primary_key=True)
    at: Mapped[datetime] = mapped_column(server_default=func.now())
