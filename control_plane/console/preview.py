"""What a mapping makes of named people, before it makes it: by the groups they are known to be in, or by typed ones."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import datetime
from typing import Any

from control_plane import identity
from control_plane.console.desk import Desk
from control_plane.console.permissions import OWNER
from control_plane.identity import ConnectionView
from kit.interface import N_
from tenant_app.contract import Person, Trace

MOST_LINES = 50
LONGEST = 4000
LOOKED_AT = 200
TYPED, SIGNED_IN, PUSHED, UNKNOWN = "typed", "signed_in", "pushed", "unknown"
SOURCES: dict[str, str] = {
    TYPED: N_("groups as you typed them"),
    SIGNED_IN: N_("groups of the last sign-in or test by this connection"),
    PUSHED: N_("groups as the directory pushed them"),
    UNKNOWN: N_("no groups known: type them after a colon"),
}
KEPT: dict[str, str] = {
    "owner": N_("Owners keep their role, whatever their groups."),
    "break_glass": N_("Break-glass accounts keep their role, whatever their groups."),
    "unmapped": N_("No group gives a role here: whoever is a member keeps theirs."),
}


@dataclass(frozen=True)
class Previewed:
    """One line: who it is, in which groups, and what they become; no role means that they are refused."""

    title: str
    person: Person | None
    groups: tuple[str, ...]
    source: str
    at: datetime | None
    role: str | None
    kept: str = ""


def previewed(
    desk: Desk, one: ConnectionView, roles: Mapping[str, str], otherwise: str | None, asked: str
) -> list[Previewed]:
    """A line each: a name or an e-mail of somebody in the workspace, perhaps with groups after a colon; or groups."""
    mapping = replace(one, roles=dict(roles), otherwise=otherwise)
    lines = [line.strip() for line in asked[:LONGEST].splitlines()[:MOST_LINES] if line.strip()]
    preview = _Preview(desk, mapping)
    return [found for line in lines for found in preview.of(line)]


class _Preview:
    def __init__(self, desk: Desk, mapping: ConnectionView) -> None:
        self.desk, self.mapping = desk, mapping
        rules = identity.policy(desk.session, desk.organisation_id)
        self.break_glass = set(rules.break_glass)
        self._traces: Sequence[Trace] | None = None

    def of(self, line: str) -> list[Previewed]:
        """One line; several people may bear the name."""
        name, colon, listed = (part.strip() for part in line.partition(":"))
        typed = tuple(group.strip() for group in listed.split(",") if group.strip())
        people = self._people(name)
        if people:
            return [self._person(one, typed if colon else None) for one in people]
        if "@" in name and not colon:
            # Somebody who is not here yet: what becomes of whoever is in no group.
            return [Previewed(name, None, (), UNKNOWN, None, identity.role_for(self.mapping, ()))]
        groups = typed if colon else tuple(group.strip() for group in name.split(",") if group.strip())
        title = name if colon else ", ".join(groups)
        return [Previewed(title, None, groups, TYPED, None, identity.role_for(self.mapping, groups))]

    def _people(self, name: str) -> list[Person]:
        # Whoever came by a link looks nobody up: who belongs to the organisation is not for them to ask.
        if self.desk.signed.person is None or not name:
            return []
        return self.desk.database.people_named(self.desk.organisation_id, name)

    def _person(self, person: Person, typed: tuple[str, ...] | None) -> Previewed:
        source, at, groups = (TYPED, None, tuple((one,) for one in typed)) if typed is not None else self._known(person)
        kept = self._kept(person)
        names = [name for group in groups for name in group]
        role = person.role if kept else identity.role_for(self.mapping, names)
        return Previewed(person.name, person, tuple(group[0] for group in groups), source, at, role, kept)

    def _kept(self, person: Person) -> str:
        if person.role == OWNER:
            return "owner"
        if person.id in self.break_glass:
            return "break_glass"
        return "" if self.mapping.roles else "unmapped"

    def _known(self, person: Person) -> tuple[str, datetime | None, tuple[tuple[str, ...], ...]]:
        claim = self.mapping.attributes.get("groups", "")
        for trace in self._latest():
            if trace.principal_id == person.id and claim in _claims(trace):
                said = _claims(trace)[claim]
                listed = said if isinstance(said, list) else [said]
                return SIGNED_IN, trace.at, tuple((str(group),) for group in listed)
        pushed = self.desk.database.pushed_groups(self.desk.organisation_id, [person.id]).get(person.id)
        return (UNKNOWN, None, ()) if pushed is None else (PUSHED, None, tuple(pushed))

    def _latest(self) -> Sequence[Trace]:
        if self._traces is None:
            self._traces = identity.traces(
                self.desk.session, self.desk.organisation_id, self.mapping.id, limit=LOOKED_AT
            )
        return self._traces


def _claims(trace: Trace) -> dict[str, Any]:
    found = trace.data.get("claims")
    return found if isinstance(found, dict) else {}
