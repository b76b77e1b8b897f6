"""Two who edit one thing: whoever comes second keeps what was typed, and reads who changed what in between."""

from dataclasses import dataclass
from datetime import datetime
from typing import Any
from uuid import UUID

from control_plane import audit
from control_plane.audit import AuditEvent, Filter
from control_plane.console.desk import Desk
from control_plane.console.words import VERBS
from kit.errors import Refusal, Refusals
from kit.interface import N_, Form
from kit.interface.entries import Entries

MOST = 5
LOOKED_AT = 100
REVISION = "revision"
FIELDS: dict[str, str] = {
    "session_seconds": N_("A session lasts at most"),
    "idle_seconds": N_("It ends without a click after"),
    "second_factor": N_("A second factor is required"),
    "networks": N_("Networks"),
    "break_glass": N_("Break-glass accounts"),
    "brake_percent": N_("The brake on mass removal"),
    "name": N_("Name on the button"),
    "domains": N_("Domains"),
    "pilot": N_("Pilot"),
    "attributes": N_("Names of the attributes"),
    "roles": N_("Groups and roles"),
    "otherwise": N_("Everybody else"),
    "just_in_time": N_("Make members at their first sign-in"),
    "metadata_url": N_("Address of the metadata"),
    "settings": N_("Values of your directory"),
    "certificates": N_("Signing certificate"),
}
# Told by their name alone: numbers and fingerprints say nothing to whoever compares.
UNTOLD = frozenset({"break_glass", "certificates"})


@dataclass(frozen=True)
class Change:
    """One field that somebody changed, and its value now; `told` is false where the name alone is shown."""

    name: str
    title: str
    now: Any
    told: bool


@dataclass(frozen=True)
class Theirs:
    """What somebody else did meanwhile."""

    who: str
    kind: str
    at: datetime
    title: str
    changes: list[Change]


def seen(entries: Entries) -> int | None:
    """The version that the form was drawn from; None for a page of the release before, which told none."""
    text = entries.text(REVISION)
    if not text:
        return None
    return int(text) if text.isascii() and text.isdecimal() and len(text) < 10 else -1


def kept(desk: Desk, entries: Entries, wrong: Refusal | Refusals, **more: str) -> Form:
    """The form as it was typed. Told of the other change, one may save over it; told of a mistake alone, not yet."""
    values = {**entries.values(), **more}
    if isinstance(wrong, Refusal) and wrong.code == "stale":
        return Form({**values, REVISION: str(wrong.params["current"])})
    return Form(values, desk.errors(wrong))


def theirs(
    desk: Desk, entries: Entries, wrong: Refusal | Refusals, verb: str, of: UUID | None = None
) -> list[Theirs] | None:
    """Who did what since the form was drawn, the latest first; None unless the change came too late."""
    if not (isinstance(wrong, Refusal) and wrong.code == "stale"):
        return None
    since = int(wrong.params["current"]) - (seen(entries) or 0)
    found = audit.events(desk.session, Filter(organisation_id=desk.organisation_id, verb=verb, limit=LOOKED_AT))
    about = [event for event in found.items if of is None or event.data.get("connection") == str(of)]
    return [_theirs(event) for event in about[: max(1, min(since, MOST))]]


def latest(desk: Desk, verb: str, **about: Any) -> list[Theirs]:
    """Who set a single value last: there is nothing to compare but what it is now."""
    found = audit.events(desk.session, Filter(organisation_id=desk.organisation_id, verb=verb, limit=LOOKED_AT))
    return [_theirs(event) for event in found.items if about.items() <= event.data.items()][:1]


def _theirs(event: AuditEvent) -> Theirs:
    after = event.data.get("after")
    changed: dict[str, Any] = after if isinstance(after, dict) else {}
    return Theirs(
        who=str(event.actor.get("name", "")),
        kind=str(event.actor.get("kind", "")),
        at=event.at,
        title=VERBS.get(event.verb, event.verb),
        changes=[Change(name, FIELDS.get(name, name), now, name not in UNTOLD) for name, now in changed.items()],
    )
