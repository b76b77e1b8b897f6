"""Who is in the console just now."""

from datetime import datetime
from uuid import UUID

from sqlalchemy import CheckConstraint, ForeignKey, Index, LargeBinary, String, func
from sqlalchemy.orm import Mapped, mapped_column

from kit.db import Base


class ConsoleSession(Base):
    """A browser in one organisation's console: a person of its workspace (`member`), or a set-up link (`set_up`).

    Only the hash of its cookie is kept, and of the person nothing but the id: who that is, the cell says at each
    request. `ticket_id` is unique, so a ticket opens one session; a session that has ended stays a while for that.
    """

    __tablename__ = "console_session"
    __table_args__ = (
        CheckConstraint("scope in ('member', 'set_up')", name="scope"),
        CheckConstraint("(scope = 'member') = (principal_id is not null)", name="person"),
        CheckConstraint("(scope = 'set_up') = (link_id is not null)", name="link"),
        Index(None, "organisation_id"),
        Index(None, "expires_at"),
    )

    token_hash: Mapped[bytes] = mapped_column(LargeBinary, primary_key=True)
    organisation_id: Mapped[UUID] = mapped_column(ForeignKey("organisation.id", ondelete="CASCADE"))
    scope: Mapped[str] = mapped_column(String(10))
    principal_id: Mapped[UUID | None]
    link_id: Mapped[UUID | None]
    ticket_id: Mapped[UUID | None] = mapped_column(unique=True)
    user_agent: Mapped[str] = mapped_column(String(300), default="")
    ip: Mapped[str] = mapped_column(String(45), default="")
    created_at: Mapped[datetime] = mapped_column(server_default=func.now())
    seen_at: Mapped[datetime] = mapped_column(server_default=func.now())
    expires_at: Mapped[datetime]
