"""What scripts read of support access."""

from datetime import datetime
from typing import Annotated, Literal
from uuid import UUID

from msgspec import Meta

from control_plane.operator_api.schemas import View

Moment = datetime | None
Standing = Literal["waiting", "open", "ended", "refused", "unanswered"]


class SupportAccessView(View, kw_only=True):
    """One request for access, and what became of it."""

    id: UUID
    state: Annotated[Standing, Meta(description="`unanswered`: nobody has decided within a week.")]
    staff_id: UUID
    staff_name: str
    reason: str
    read_only: bool
    hours: int
    asked_at: datetime
    accepted_at: Moment
    administrator_name: str | None
    until: Moment
    ended_at: Moment
    ended_by: str | None


class SupportAccessList(View, kw_only=True):
    """The latest hundred of an organisation, the newest first."""

    items: list[SupportAccessView]
