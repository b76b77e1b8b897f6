"""Whom the provider's own sign-in knows comes in by it, and by nothing else; but for emergency accounts."""

from uuid import uuid4

import pytest
from sqlalchemy import Engine

from control_plane import audit, identity
from control_plane.audit import SYSTEM, Actor
from control_plane.identity import Opened, Staff
from control_plane.identity.emergencies import company_only
from control_plane.identity.models import StaffLink, StaffPasskey
from kit.db import transaction, vault_of
from kit.errors import Refusal
from tests.identity.conftest import HERE, PASSWORD, Person

ISSUER = "https://id.provider.example"
CHIEF = Actor("staff", str(uuid4()), "Awa Diop")


def link(engine: Engine, staff: Staff, issuer: str = ISSUER) -> None:
    with transaction(engine) as session:
        session.add(StaffLink(issuer=issuer, subject=str(staff.id), staff_id=staff.id, gives_role=True))


def tries(person: Person, issuer: str | None = ISSUER) -> Opened | Refusal:
    with transaction(person.engine) as session:
        return identity.sign_in_by_password(session, person.staff.email, PASSWORD, HERE, issuer=issuer)


def mark(person: Person, *, wanted: bool = True) -> None:
    with transaction(person.engine) as session:
        identity.set_emergency(session, person.staff.id, wanted=wanted, actor=CHIEF)


def verbs(engine: Engine) -> list[str]:
    with transaction(engine) as session:
        return [one.verb for one in audit.events(session).items]


def test_whom_the_provider_knows_does_not_come_in_by_a_password(person: Person) -> None:
    assert isinstance(tries(person), Opened)
    link(person.engine, person.staff)
    refused = tries(person)
    assert isinstance(refused, Refusal)
    assert (refused.code, refused.field) == ("company_only", "company")
    with transaction(person.engine) as session:
        [event] = [one for one in audit.events(session).items if one.verb == "staff.sign_in_failed"]
    assert event.data | {"ip": ""} == {
        "staff_id": str(person.staff.id),
        "way": "password",
        "ip": "",
        "reason": "company_only",
    }
    # The controls: a portal without such a provider, and with another one, as after a change of it.
    assert isinstance(tries(person, None), Opened)
    assert isinstance(tries(person, "https://id.other.example"), Opened)


def test_an_emergency_account_comes_in_until_the_mark_is_taken(person: Person) -> None:
    link(person.engine, person.staff)
    mark(person)
    opened = tries(person)
    assert isinstance(opened, Opened)
    mark(person, wanted=False)
    assert person.who(opened.token) is None, "what it opened without the provider's word is over"
    assert isinstance(tries(person), Refusal)
    given = [one for one in verbs(person.engine) if one.startswith("staff.emergency")]
    assert sorted(given) == ["staff.emergency_given", "staff.emergency_taken"]


@pytest.mark.parametrize("end", ["disabled", "reset"])
def test_the_mark_does_not_outlive_the_account(person: Person, end: str) -> None:
    mark(person)
    with transaction(person.engine) as session:
        if end == "disabled":
            identity.disable_staff(session, person.staff.id, actor=CHIEF)
        else:
            identity.reset_staff(session, person.staff.id, PASSWORD, actor=CHIEF)
        assert session.get_one(Staff, person.staff.id).emergency is False
    if end == "disabled":
        with pytest.raises(Refusal, match="disabled"):
            mark(person)


def test_who_would_get_in_without_the_provider_are_operators_with_a_passkey(person: Person) -> None:
    def ready() -> list[str]:
        with transaction(person.engine) as session:
            return [one.email for one in identity.ready_without(session, ISSUER)]

    with transaction(person.engine) as session:
        chief = identity.create_staff(session, vault_of(session), "chief@parvis.example", "Chief", "operator", None)
        chief_id = chief.id
    assert ready() == []
    for of in (chief_id, person.staff.id):
        with transaction(person.engine) as session:
            row = {"id": of, "staff_id": of, "credential_id": of.bytes, "public_key": b"k", "label": "k"}
            session.add(StaffPasskey(**row))
    assert ready() == ["chief@parvis.example"], "support does not run the platform"
    link(person.engine, chief)
    assert ready() == []
    with transaction(person.engine) as session:
        identity.set_emergency(session, chief_id, wanted=True, actor=SYSTEM)
    assert ready() == ["chief@parvis.example"]
    with transaction(person.engine) as session:
        assert company_only(session, session.get_one(Staff, chief_id), ISSUER) is None
        identity.disable_staff(session, chief_id, actor=SYSTEM)
    assert ready() == []
