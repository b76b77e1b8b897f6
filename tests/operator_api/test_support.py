"""Support access by the API: asked for, looked at, ended; consent is given in the organisation's own console alone."""

from collections.abc import Iterator
from uuid import UUID

import pytest

from control_plane import identity
from control_plane.audit import Actor
from control_plane.identity import Scope
from kit.db import transaction
from kit.ids import new_id
from kit.settings import ControlPlaneSettings
from kit.vault import Vault
from tests.operator_api.conftest import Api, api_of
from tests.world.house import House, open_house

ASKED = {"staff": "ines@provider.example", "reason": "Ticket 4711: a folder does not open", "hours": 24}
PASSWORD = "tondeuse nuage bleu 41"


@pytest.fixture(scope="module")
def house(postgres: str, _template: str, vault: Vault) -> Iterator[House]:
    with open_house(postgres, _template, vault) as opened:
        with transaction(opened.engine) as session:
            for name, role in (("ines", "support"), ("sven", "sales")):
                identity.create_staff(session, vault, f"{name}@provider.example", name.title(), role, PASSWORD)
        yield opened


@pytest.fixture(scope="module")
def api(house: House, settings: ControlPlaneSettings) -> Iterator[Api]:
    with api_of(house, settings) as opened:
        yield opened


@pytest.fixture
def where(house: House) -> str:
    return f"/organisations/{house.live()}/support"


def accepted(house: House, where: str, access: str) -> None:
    """As the console does it for an administrator."""
    organisation, administrator = UUID(where.split("/")[2]), new_id()
    with transaction(house.engine) as session:
        actor = Actor("member", str(administrator), "Karim Ziani")
        identity.accept_support(session, organisation, UUID(access), administrator, actor=actor)


def test_access_is_asked_for_looked_at_and_ended(api: Api, house: House, where: str) -> None:
    made = api.ask("POST", where, ASKED, **{"Idempotency-Key": "k1"})
    assert made.status_code == 201, made.text
    access = made.json()["id"]
    assert made.headers["location"].endswith(f"{where}/{access}")
    assert (made.json()["state"], made.json()["read_only"], made.json()["staff_name"]) == ("waiting", True, "Ines")
    assert api.ask("POST", where, ASKED, **{"Idempotency-Key": "k1"}).json()["id"] == access
    again = api.ask("POST", where, ASKED)
    assert (again.status_code, again.json()["code"]) == (409, "support_waits")
    accepted(house, where, access)
    assert [one["state"] for one in api.get(where).json()["items"]] == ["open"]
    assert api.get(f"{where}/{access}").json()["administrator_name"] == "Karim Ziani"
    assert api.ask("DELETE", f"{where}/{access}").status_code == 204
    assert api.ask("DELETE", f"{where}/{access}").status_code == 204
    assert api.get(f"{where}/{access}").json()["state"] == "ended"


def test_no_route_consents_enters_or_widens_what_was_asked(api: Api, where: str) -> None:
    access = api.ask("POST", where, ASKED).json()["id"]
    tries = [
        *(("PUT", f"{where}/{access}"), ("PATCH", f"{where}/{access}"), ("POST", f"{where}/{access}")),
        *(("POST", f"{where}/{access}/{verb}") for verb in ("consent", "acceptance", "entry", "accept")),
    ]
    for method, path in tries:
        answer = api.ask(method, path, {"read_only": False, "hours": 168, "accepted": True})
        assert answer.status_code in {404, 405}, (method, path, answer.text)
    found = api.get(f"{where}/{access}").json()
    assert (found["state"], found["read_only"], found["hours"]) == ("waiting", True, 24)
    sneaky = api.ask("POST", where, ASKED | {"administrator_id": str(new_id())})
    assert sneaky.status_code == 422


@pytest.mark.parametrize(
    ("wrong", "code"),
    [
        ({"staff": "nobody@provider.example"}, "staff_unknown"),
        ({"staff": "sven@provider.example"}, "staff_unknown"),
        ({"reason": " "}, "reason_missing"),
        ({"hours": 2}, None),
        ({"hours": 169}, None),
    ],
)
def test_what_is_wrong_is_named(api: Api, where: str, wrong: dict[str, object], code: str | None) -> None:
    answer = api.ask("POST", where, ASKED | wrong)
    assert answer.status_code == 422, answer.text
    assert code is None or answer.json()["code"] == code
    assert api.get(where).json()["items"] == []


def test_reading_wants_its_scope_and_asking_another_and_foreign_is_not_there(
    api: Api, house: House, where: str
) -> None:
    reader = api.issue(Scope.SUPPORT_READ)
    assert reader.get(where).status_code == 200
    assert reader.ask("POST", where, ASKED).status_code == 403
    assert api.issue(Scope.IDENTITY_WRITE).ask("POST", where, ASKED).status_code == 403
    access = api.ask("POST", where, ASKED).json()["id"]
    rival = f"/organisations/{house.live()}/support"
    assert api.get(f"{rival}/{access}").status_code == 404
    assert api.ask("DELETE", f"{rival}/{access}").status_code == 404
    assert api.get(f"{where}/{access}").json()["state"] == "waiting"


def test_who_is_disabled_or_has_another_role_loses_what_was_granted(api: Api, house: House, where: str) -> None:
    with transaction(house.engine) as session:
        identity.create_staff(session, house.vault, "lea@provider.example", "Léa", "support", PASSWORD)
    access = api.ask("POST", where, ASKED | {"staff": "lea@provider.example"}).json()["id"]
    accepted(house, where, access)
    # The control: who may, keeps it.
    identity.end_support_times(house.engine)
    assert api.get(f"{where}/{access}").json()["state"] == "open"
    house.sql("update staff set role = 'sales' where email = :email", email="lea@provider.example")
    identity.end_support_times(house.engine)
    ended = api.get(f"{where}/{access}").json()
    assert (ended["state"], ended["ended_by"]) == ("ended", "Parvis")
