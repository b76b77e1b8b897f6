"""An organisation's policy: how long a session lasts, from where, with which factors, and who comes in regardless."""

import ipaddress
from collections.abc import Iterable
from dataclasses import asdict, dataclass
from datetime import UTC, datetime
from typing import Any
from uuid import UUID

import msgspec
from msgspec import UNSET, UnsetType
from sqlalchemy import select
from sqlalchemy.orm import Session

from control_plane.audit import Actor
from control_plane.identity import changing
from control_plane.identity.organisation_models import Connection, SignInRules
from kit.errors import Refusal, Refusals
from tenant_app.contract import Person

LEAST_BREAK_GLASS = 2
MOST_BREAK_GLASS = 10
MOST_NETWORKS = 100
SESSION_SECONDS = (15 * 60, 90 * 86_400)
IDLE_SECONDS = (5 * 60, 90 * 86_400)


@dataclass(frozen=True)
class PolicyView:
    """The policy as it stands; None: the product's own default. `revision` 0: nothing was ever set."""

    organisation_id: UUID
    session_seconds: int | None = None
    idle_seconds: int | None = None
    second_factor: bool = False
    networks: tuple[str, ...] = ()
    break_glass: tuple[UUID, ...] = ()
    brake_percent: int = 20
    revision: int = 0
    updated_at: datetime | None = None


class PolicyChange(msgspec.Struct, kw_only=True):
    """What is to be different; what is left out stays."""

    session_seconds: int | UnsetType | None = UNSET
    idle_seconds: int | UnsetType | None = UNSET
    second_factor: bool | UnsetType = UNSET
    networks: list[str] | UnsetType = UNSET
    break_glass: list[UUID] | UnsetType = UNSET
    brake_percent: int | UnsetType = UNSET


def policy(session: Session, organisation_id: UUID) -> PolicyView:
    """The organisation's policy."""
    row = session.get(SignInRules, organisation_id, populate_existing=True)
    return PolicyView(organisation_id) if row is None else _view(row)


def _view(row: SignInRules) -> PolicyView:
    return PolicyView(
        organisation_id=row.organisation_id,
        session_seconds=row.session_seconds,
        idle_seconds=row.idle_seconds,
        second_factor=row.second_factor,
        networks=tuple(row.networks),
        break_glass=tuple(UUID(one) for one in row.break_glass),
        brake_percent=row.brake_percent,
        revision=row.revision,
        updated_at=row.updated_at,
    )


def set_policy(
    session: Session,
    organisation_id: UUID,
    change: PolicyChange,
    *,
    actor: Actor,
    revision: int | None = None,
    ip: str | None = None,
) -> PolicyView:
    """Change the policy. With `ip`, a list of networks that would shut out who asks from there is refused."""
    changing.begin(session, organisation_id)
    before = policy(session, organisation_id)
    # Publishing makes the row where there is none: to whom reads, that is no change.
    current = max(before.revision, 1)
    changing.check_revision(1 if revision == 0 else revision, current)
    wanted = _checked(session, organisation_id, change, ip)
    row = changing.rules_of(session, organisation_id)
    difference = changing.difference(_facts(before), wanted)
    if not difference["after"]:
        return before
    for name, value in wanted.items():
        setattr(row, name, value)
    row.revision, row.updated_at = current + 1, datetime.now(UTC)
    session.flush()
    changing.note(session, "policy.changed", organisation_id, actor, **difference)
    changing.publish(session, organisation_id)
    return _view(row)


def _facts(view: PolicyView) -> dict[str, Any]:
    kept = asdict(view)
    return kept | {"networks": list(view.networks), "break_glass": [str(one) for one in view.break_glass]}


def _checked(session: Session, organisation_id: UUID, change: PolicyChange, ip: str | None) -> dict[str, Any]:
    wanted: dict[str, Any] = {
        name: value for name in change.__struct_fields__ if (value := getattr(change, name)) is not UNSET
    }
    wrong = [
        *_out_of_bounds(wanted, "session_seconds", SESSION_SECONDS),
        *_out_of_bounds(wanted, "idle_seconds", IDLE_SECONDS),
        *_out_of_bounds(wanted, "brake_percent", (1, 100)),
    ]
    if "networks" in wanted:
        wanted["networks"], faults = check_networks(wanted["networks"], ip)
        wrong += faults
    if "break_glass" in wanted:
        wanted["break_glass"], faults = _check_break_glass(session, organisation_id, wanted["break_glass"])
        wrong += faults
    if wrong:
        raise Refusals(wrong)
    return wanted


def _out_of_bounds(wanted: dict[str, Any], name: str, bounds: tuple[int, int]) -> list[Refusal]:
    value = wanted.get(name)
    if value is None or bounds[0] <= value <= bounds[1]:
        return []
    message = "Choose something from {least} to {most}."
    return [Refusal("out_of_bounds", message, field=name, least=bounds[0], most=bounds[1])]


def check_networks(given: Iterable[str], ip: str | None = None) -> tuple[list[str], list[Refusal]]:
    """The networks in their normal form, and what is wrong with them."""
    found: list[ipaddress.IPv4Network | ipaddress.IPv6Network] = []
    wrong: list[Refusal] = []
    for text in given:
        try:
            found.append(ipaddress.ip_network(text.strip(), strict=False))
        except ValueError:
            message = "{network} is not a network such as 192.0.2.0/24."
            wrong.append(Refusal("network_invalid", message, field="networks", network=text.strip()[:60]))
    if len(found) > MOST_NETWORKS:
        message = "List {most} networks at most."
        wrong.append(Refusal("networks_many", message, field="networks", most=MOST_NETWORKS))
    if ip and found and not any(ipaddress.ip_address(ip) in network for network in found):
        message = "You are at {ip} now, which is in none of these networks: you would shut yourself out."
        wrong.append(Refusal("network_own", message, field="networks", ip=ip))
    return list(dict.fromkeys(str(network) for network in found)), wrong


def _check_break_glass(session: Session, organisation_id: UUID, given: list[UUID]) -> tuple[list[str], list[Refusal]]:
    wanted = list(dict.fromkeys(given))
    wrong: list[Refusal] = []
    if len(wanted) > MOST_BREAK_GLASS:
        message = "Name {most} people at most: each of them comes in regardless of your rules."
        wrong.append(Refusal("break_glass_many", message, field="break_glass", most=MOST_BREAK_GLASS))
    found = people_of(session, organisation_id, wanted[:MOST_BREAK_GLASS])
    for one in wanted[:MOST_BREAK_GLASS]:
        person = found.get(one)
        if person is None or not person.active or person.role not in {"administrator", "owner"}:
            message = "Break-glass accounts are active administrators of the workspace; {person} is none."
            told = person.name if person else str(one)
            wrong.append(Refusal("break_glass_person", message, field="break_glass", person=told))
    changed = set(wanted) != set(policy(session, organisation_id).break_glass)
    ready = sum(person.passkeys > 0 for person in found.values())
    if changed and not wrong and ready < LEAST_BREAK_GLASS and _enforced(session, organisation_id):
        message = "While sign-in is enforced, {least} break-glass accounts with passkeys must be left."
        wrong.append(Refusal("break_glass_few", message, field="break_glass", least=LEAST_BREAK_GLASS))
    return [str(one) for one in wanted], wrong


def _enforced(session: Session, organisation_id: UUID) -> bool:
    query = select(Connection.id).where(Connection.organisation_id == organisation_id, Connection.stage == "enforced")
    return session.scalar(query.limit(1)) is not None


def people_of(session: Session, organisation_id: UUID, ids: Iterable[UUID]) -> dict[UUID, Person]:
    """These people of the workspace, as it knows them now."""
    database = changing.database_of(session, organisation_id)
    if database is None:
        return {}
    asked = {one: database.person(organisation_id, one) for one in ids}
    return {of: person for of, person in asked.items() if person is not None}


def ready_break_glass(session: Session, organisation_id: UUID) -> list[Person]:
    """The break-glass accounts that would work now: active administrators with a passkey."""
    named = policy(session, organisation_id).break_glass
    found = people_of(session, organisation_id, named).values()
    return [one for one in found if one.active and one.passkeys and one.role in {"administrator", "owner"}]
