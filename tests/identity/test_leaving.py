"""With the account, the role or the device ends what somebody of the staff has open in a workspace."""

from collections.abc import Callable
from typing import Any
from uuid import UUID

import pytest
from sqlalchemy.orm import Session

from control_plane import identity
from control_plane.audit import SYSTEM, Actor
from control_plane.identity import Staff
from control_plane.identity.models import StaffLink
from kit.db import transaction
from kit.errors import Refusal
from kit.ids import new_id
from kit.openid import Claims
from kit.settings import StaffOidc
from tests.identity.conftest import HERE
from tests.world.house import House

ISSUER = "https://id.provider.example"
OIDC = StaffOidc(ISSUER, "portal", "secret", roles=(("ops", "operator"), ("help", "support")))
Act = Callable[[Session, Staff], Any]


def let_in(house: House, organisation: UUID, staff: Staff) -> UUID:
    with transaction(house.engine) as session:
        actor = identity.actor_of(staff)
        asked = identity.ask_support(
            session, organisation, staff, reason="Ticket 4711", read_only=True, hours=24, actor=actor
        )
        administrator = new_id()
        identity.accept_support(
            session, organisation, asked.id, administrator, actor=Actor("member", str(administrator), "Karim Ziani")
        )
    return asked.id


def open_there(house: House, organisation: UUID) -> set[UUID]:
    with transaction(house.engine) as session:
        return {one.id for one in identity.support_accesses(session, organisation) if one.open}


def by_the_provider(session: Session, staff: Staff, groups: list[str]) -> Any:
    session.add(StaffLink(issuer=ISSUER, subject=str(staff.id), staff_id=staff.id, gives_role=True))
    session.flush()
    return identity.sign_in_by_claims(session, OIDC, Claims(str(staff.id), ISSUER, {"groups": groups}, ""), HERE)


def gone_at_the_provider(session: Session, staff: Staff) -> None:
    assert isinstance(by_the_provider(session, staff, []), Refusal)


ENDING: dict[str, Act] = {
    "disabled": lambda session, staff: identity.disable_staff(session, staff.id, actor=SYSTEM),
    "reset": lambda session, staff: identity.reset_staff(session, staff.id, None, actor=SYSTEM),
    "demoted": lambda session, staff: identity.change_role(session, staff.id, "sales", actor=SYSTEM),
    "gone": gone_at_the_provider,
}
LEAVING_OPEN: dict[str, Act] = {
    "promoted": lambda session, staff: identity.change_role(session, staff.id, "operator", actor=SYSTEM),
    "promoted by the provider": lambda session, staff: by_the_provider(session, staff, ["ops"]),
}


@pytest.mark.parametrize("name", [*ENDING, *LEAVING_OPEN])
def test_what_is_open_in_a_workspace_ends_with_the_right_to_it(house: House, name: str) -> None:
    organisation = house.live()
    people = []
    with transaction(house.engine) as session:
        for which in ("leaving", "staying"):
            email = f"{which}-{organisation}@parvis.example"
            people.append(identity.create_staff(session, house.vault, email, which, "support", None))
    mine, other = (let_in(house, organisation, one) for one in people)
    assert open_there(house, organisation) == {mine, other}
    with transaction(house.engine) as session:
        (ENDING | LEAVING_OPEN)[name](session, session.get_one(Staff, people[0].id))
    assert open_there(house, organisation) == ({other} if name in ENDING else {mine, other})
