"""The rules of sign-in: how long sessions last, the second factor, from where, and who comes in whatever happens."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any
from uuid import UUID

from litestar import Response, get, post
from litestar.di import NamedDependency
from litestar.params import FromPath

from control_plane import identity
from control_plane.console import conflicts
from control_plane.console.conflicts import Theirs
from control_plane.console.desk import Desk, go, requires
from control_plane.console.permissions import Permission
from control_plane.console.sessions import ADMINISTRATORS
from control_plane.identity import PolicyChange, PolicyView
from kit.errors import Refusal, Refusals
from kit.interface import Form
from kit.interface.entries import Entries
from kit.web import client_ip
from tenant_app.contract import Person

READERS = [requires(Permission.POLICY_READ)]
WRITERS = [requires(Permission.POLICY)]
HOUR, DAY = 3600, 24 * 3600
WHOLE = (8 * HOUR, 12 * HOUR, DAY, 7 * DAY, 30 * DAY, 60 * DAY)
IDLE = (900, 1800, HOUR, 4 * HOUR, 8 * HOUR, DAY, 7 * DAY)


@dataclass(frozen=True)
class Keeper:
    """A break-glass account: the person, or None when the workspace knows them no more."""

    id: UUID
    person: Person | None

    @property
    def ready(self) -> bool:
        """Whether they could come in when everything else fails."""
        one = self.person
        return one is not None and one.active and one.passkeys > 0 and one.role in ADMINISTRATORS


def keepers(desk: Desk, rules: PolicyView) -> list[Keeper]:
    """The break-glass accounts as the workspace knows them now."""
    return [Keeper(one, desk.database.person(desk.organisation_id, one)) for one in rules.break_glass]


def _shown(rules: PolicyView) -> dict[str, str]:
    return {
        conflicts.REVISION: str(rules.revision),
        "session_seconds": str(rules.session_seconds or ""),
        "idle_seconds": str(rules.idle_seconds or ""),
        "second_factor": "1" if rules.second_factor else "",
        "networks": "\n".join(rules.networks),
    }


def _page(
    desk: Desk, *, form: Form | None = None, keeping: Form | None = None, theirs: Sequence[Theirs] | None = None
) -> Response[str]:
    rules = identity.policy(desk.session, desk.organisation_id)
    return desk.show(
        "console/policy.html",
        status=412 if theirs is not None else 422 if form or keeping else 200,
        form=form or Form(_shown(rules)),
        keeping=keeping or Form(),
        theirs=theirs,
        keepers=keepers(desk, rules),
        whole=_choices(WHOLE, rules.session_seconds),
        idle=_choices(IDLE, rules.idle_seconds),
        here=client_ip(desk.request),
    )


def _choices(offered: tuple[int, ...], chosen: int | None) -> list[int]:
    """The lengths to choose from; one that was set otherwise (by the API) stays among them."""
    return sorted({*offered, *([chosen] if chosen else [])})


@get("/policy", guards=READERS, sync_to_thread=True)
def show_policy(desk: NamedDependency[Desk]) -> Response[str]:
    """The rules as they are."""
    return _page(desk)


@post("/policy", guards=WRITERS, sync_to_thread=True)
def set_policy(desk: NamedDependency[Desk], entries: NamedDependency[Entries]) -> Response[Any]:
    """Other rules. Networks that would shut out whoever asks are refused."""
    try:
        change = PolicyChange(
            session_seconds=_seconds(entries, "session_seconds"),
            idle_seconds=_seconds(entries, "idle_seconds"),
            second_factor=bool(entries.text("second_factor")),
            networks=entries.text("networks").replace(",", " ").split(),
        )
        with desk.session.begin_nested():
            here, seen = client_ip(desk.request), conflicts.seen(entries)
            identity.set_policy(desk.session, desk.organisation_id, change, actor=desk.actor, ip=here, revision=seen)
    except (Refusal, Refusals) as wrong:
        form = conflicts.kept(desk, entries, wrong, second_factor=entries.text("second_factor"))
        return _page(desk, form=form, theirs=conflicts.theirs(desk, entries, wrong, "policy.changed"))
    return go("/policy", "saved")


def _seconds(entries: Entries, name: str) -> int | None:
    text = entries.text(name)
    if text and not (text.isdigit() and len(text) < 10):
        raise Refusal("bad_length", "Choose one of the lengths.", field=name)
    return int(text) if text else None


@post("/policy/break-glass", guards=WRITERS, sync_to_thread=True)
def add_keeper(desk: NamedDependency[Desk], entries: NamedDependency[Entries]) -> Response[Any]:
    """One more account that comes in by passkey or password whatever the rules say."""
    try:
        found = _administrator(desk, entries.text("email"))
        rules = identity.policy(desk.session, desk.organisation_id)
        _keep(desk, rules, (*rules.break_glass, found.id) if found.id not in rules.break_glass else rules.break_glass)
    except (Refusal, Refusals) as wrong:
        return _page(desk, keeping=Form(entries.values(), desk.errors(wrong)))
    return go("/policy#break-glass", "saved")


def _administrator(desk: Desk, email: str) -> Person:
    if not email:
        raise Refusal("email_missing", "Give the e-mail of an administrator.", field="email")
    people = desk.database.people_named(desk.organisation_id, email)
    found = next((one for one in people if (one.email or "").casefold() == email.casefold()), None)
    if found is None:
        raise Refusal("email_unknown", "Nobody in the workspace has this e-mail.", field="email")
    if found.role not in ADMINISTRATORS or not found.active:
        message = "This person is no active administrator: make them one first."
        raise Refusal("not_an_administrator", message, field="email")
    return found


@post("/policy/break-glass/{person_id:uuid}/removal", guards=WRITERS, sync_to_thread=True)
def remove_keeper(desk: NamedDependency[Desk], person_id: FromPath[UUID]) -> Response[Any]:
    """An ordinary account again."""
    rules = identity.policy(desk.session, desk.organisation_id)
    try:
        _keep(desk, rules, tuple(one for one in rules.break_glass if one != person_id))
    except (Refusal, Refusals) as wrong:
        return _page(desk, keeping=Form({}, desk.errors(wrong)))
    return go("/policy#break-glass", "saved")


def _keep(desk: Desk, seen: PolicyView, ids: tuple[UUID, ...]) -> None:
    change = PolicyChange(break_glass=list(ids))
    with desk.session.begin_nested():
        # Of two lists that were drawn up at once, one would lose the other's account.
        identity.set_policy(desk.session, desk.organisation_id, change, actor=desk.actor, revision=seen.revision)


handlers = [show_policy, set_policy, add_keeper, remove_keeper]
