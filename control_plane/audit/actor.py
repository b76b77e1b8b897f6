"""Who acts: carried from the face to the event it causes."""

from dataclasses import asdict, dataclass
from typing import Any, Literal

ActorKind = Literal["staff", "token", "visitor", "system", "command", "member", "link"]


@dataclass(frozen=True)
class Actor:
    """The one who caused a change. `id` is stable, `name` is for people; `request_id` ties it to the logs."""

    kind: ActorKind
    id: str
    name: str
    request_id: str | None = None

    def as_json(self) -> dict[str, Any]:
        """The actor as it stands in an event."""
        return asdict(self)


SYSTEM = Actor("system", "parvis", "Parvis")
