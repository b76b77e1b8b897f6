"""Support asks in the portal, the organisation decides in its console, the cell is told: over HTTP, to a real cell."""

import re
from collections.abc import Iterator
from contextlib import ExitStack
from datetime import UTC, datetime, timedelta
from html import unescape
from urllib.parse import parse_qs, urlsplit
from uuid import UUID

import httpx
import pytest
from psycopg.types.json import Jsonb
from sqlalchemy import text

from control_plane import audit, identity
from control_plane.audit import Filter
from control_plane.signup.entering import ticket_key
from kit.db import transaction
from kit.ids import new_id
from tenant_app.contract import SupportGrant, check
from tests.world import staff_door
from tests.world.console_door import ConsoleDoor

ASKED = {"reason": "Ticket 4711: a folder does not open", "scope": "read", "hours": "3"}


def send(client: httpx.Client, page: str, path: str, **form: str) -> httpx.Response:
    """The form of a page, sent as its browser would."""
    found = re.search(r'name="csrf" value="([^"]+)"', client.get(page).text)
    assert found, page
    return client.post(path, data={"csrf": unescape(found[1]), **form})


class Scene:
    """An organisation, the owner's browser in its console, and staff's in the portal."""

    def __init__(self, door: ConsoleDoor) -> None:
        self.door, self.house, self.open = door, door.house, ExitStack()
        self.organisation = self.house.live()
        self.owner_id = door.person(self.organisation, "owner", passkeys=1)
        self.owner = self.open.enter_context(door.client(self.organisation, self.owner_id))
        self.portal = staff_door.Door(self.house, door.port)
        self.ines = self.staff("support")
        self.page = f"/organisations/{self.organisation}/support"

    def staff(self, role: str, locale: str = "en") -> httpx.Client:
        return self.open.enter_context(self.portal.client(role, locale=locale))

    def asked(self, **more: str) -> UUID:
        answer = send(self.ines, self.page, self.page, **(ASKED | more))
        assert answer.status_code == 303, answer.text
        with transaction(self.house.engine) as session:
            return identity.support_accesses(session, self.organisation)[0].id

    def accept(self, access: UUID) -> httpx.Response:
        return send(self.owner, "/console/support", f"/console/support/{access}/consent")

    def take_back(self, access: UUID) -> httpx.Response:
        return send(self.owner, "/console/support", f"/console/support/{access}/consent/removal")

    def enter(self, access: UUID, client: httpx.Client | None = None) -> httpx.Response:
        return send(client or self.ines, self.page, f"{self.page}/{access}/entry")

    def published(self) -> tuple[SupportGrant, ...]:
        self.house.loop().run(self.organisation)
        record = self.house.cell.inspect(self.organisation).record
        assert record is not None
        return record.identity.support


@pytest.fixture(scope="module")
def scene(door: ConsoleDoor) -> Iterator[Scene]:
    made = Scene(door)
    with made.open:
        yield made


def test_nothing_opens_until_an_administrator_accepts_and_he_ends_it_again(scene: Scene) -> None:
    access = scene.asked()
    assert scene.published() == ()
    assert scene.enter(access).status_code == 409
    shown = scene.owner.get("/console/support").text
    assert "Inès Bakkali" in shown
    assert ASKED["reason"] in shown
    # The control: with his consent it opens, to whoever asked, for what was asked.
    assert scene.accept(access).status_code == 303
    (grant,) = scene.published()
    staff = scene.portal.staff("support", locale="en")
    assert (grant.id, grant.staff_id, grant.staff_name) == (access, staff.id, staff.name)
    assert (grant.administrator_id, grant.read_only) == (scene.owner_id, True)
    assert timedelta(hours=2, minutes=58) < grant.until - datetime.now(UTC) <= timedelta(hours=3)
    to = urlsplit(scene.enter(access).headers["location"])
    assert to.path == "/enter"
    key = ticket_key(scene.house.vault)
    keys = {key.kid: key.public}
    told = check(parse_qs(to.query)["ticket"][0], keys, str(to.hostname), scene.organisation)
    assert (told.purpose, told.principal_id) == ("support", access)
    # An operator has the permission, and still only enters by what he asked for himself.
    assert scene.enter(access, scene.staff("operator")).status_code == 403
    assert scene.take_back(access).status_code == 303
    assert scene.published() == ()
    assert scene.enter(access).status_code == 409
    with transaction(scene.house.engine) as session:
        events = audit.events(session, Filter(organisation_id=scene.organisation, verb="support.")).items
        lines = {
            event.verb: (event.actor["kind"], event.data["staff"], event.data["administrator"]) for event in events
        }
    assert lines["support.asked"] == ("staff", staff.name, None)
    assert lines["support.accepted"][0] == lines["support.ended"][0] == "member"
    assert lines["support.entered"][:2] == ("staff", staff.name)
    assert lines["support.entered"][2]


def test_a_refused_request_cannot_be_accepted_any_more(scene: Scene) -> None:
    access = scene.asked()
    assert scene.take_back(access).status_code == 303
    again = scene.asked()
    assert scene.accept(access).status_code == 409
    assert scene.published() == ()
    assert scene.accept(again).status_code == 303
    assert scene.take_back(again).status_code == 303


def test_a_consent_whose_time_has_passed_opens_nothing_and_leaves_the_record(scene: Scene) -> None:
    access = scene.asked(scope="write")
    scene.accept(access)
    (grant,) = scene.published()
    assert not grant.read_only
    assert identity.end_support_times(scene.house.engine) == 0
    with transaction(scene.house.engine) as session:
        session.execute(text("update support_access set until = now() where id = :id"), {"id": access})
    assert scene.enter(access).status_code == 409
    assert identity.end_support_times(scene.house.engine) == 1
    assert scene.published() == ()


def test_reason_and_hours_are_checked_and_what_was_written_stays(scene: Scene) -> None:
    for wrong in ({"reason": " "}, {"hours": "2"}, {"hours": "169"}, {"hours": "many"}):
        answer = send(scene.ines, scene.page, scene.page, **(ASKED | wrong))
        assert answer.status_code == 422, wrong
        assert 'aria-invalid="true"' in answer.text, wrong
    access = scene.asked(hours="168")
    scene.take_back(access)


def test_another_organisation_decides_nothing_and_other_roles_do_not_ask(scene: Scene, door: ConsoleDoor) -> None:
    access = scene.asked()
    other = Scene(door)
    scene.open.push(other.open)
    other.asked()
    assert send(other.owner, "/console/support", f"/console/support/{access}/consent").status_code == 404
    assert send(other.owner, "/console/support", f"/console/support/{access}/consent/removal").status_code == 404
    for role in ("sales", "auditor"):
        assert scene.staff(role).get(scene.page).status_code == 404
    assert scene.accept(access).status_code == 303
    assert other.published() == ()
    assert len(scene.published()) == 1
    french = scene.staff("operator", "fr").get(scene.page).text
    assert "Accès du support" in french


def letters(scene: Scene, kind: str, access: UUID) -> dict[str, str]:
    """Who was written to about this access, and in which language."""
    query = "select payload ->> 'to', payload ->> 'locale' from outbox where kind = :kind and key like :key"
    with transaction(scene.house.engine) as session:
        rows = session.execute(text(query), {"kind": kind, "key": f"{kind}:{access}:%"})
        return {str(to): str(locale) for to, locale in rows}


def test_the_administrators_of_that_moment_get_a_mail_and_nobody_else(door: ConsoleDoor) -> None:
    scene = Scene(door)
    with scene.open:
        administrator = door.person(scene.organisation, "administrator", email="adm@sevres.example")
        door.person(scene.organisation, "member", email="member@sevres.example")
        gone = door.person(scene.organisation, "owner", email="gone@sevres.example")
        door.inside(scene.organisation, "update principal set disabled_at = now() where id = %s", gone)
        (contact,) = door.inside(scene.organisation, "select email from principal where id = %s", scene.owner_id)
        access = scene.asked()
        told = letters(scene, "support_asked", access)
        assert told.keys() >= {"adm@sevres.example", contact[0]}
        assert not told.keys() & {"member@sevres.example", "gone@sevres.example"}
        assert told["adm@sevres.example"] == "fr"
        # What an administrator ends himself, nobody is written about; what support gives up, they are.
        scene.accept(access)
        scene.take_back(access)
        assert letters(scene, "support_ended", access) == {}
        door.inside(scene.organisation, "update principal set role = 1 where id = %s", administrator)
        again = scene.asked()
        assert "adm@sevres.example" not in letters(scene, "support_asked", again)
        scene.accept(again)
        assert send(scene.ines, scene.page, f"{scene.page}/{again}/end").status_code == 303
        assert contact[0] in letters(scene, "support_ended", again)


def test_one_request_waits_at_a_time_and_not_for_ever(scene: Scene) -> None:
    access = scene.asked()
    assert send(scene.ines, scene.page, scene.page, **ASKED).status_code == 422
    aged = "update support_access set asked_at = now() - interval '8 days' where id = :id"
    with transaction(scene.house.engine) as session:
        session.execute(text(aged), {"id": access})
    # What was asked long ago is accepted by nobody any more, and makes room for another.
    assert scene.accept(access).status_code == 409
    assert identity.end_support_times(scene.house.engine) == 1
    assert letters(scene, "support_ended", access) == {}
    scene.take_back(scene.asked())


def test_administrators_read_what_was_opened_and_only_names_that_they_may_see(door: ConsoleDoor) -> None:
    scene = Scene(door)
    with scene.open:
        access = scene.asked()
        scene.accept(access)
        space = new_id()
        made = "insert into space (id, name, owner_id) values (%s, 'Budget', %s)"
        door.inside(scene.organisation, made, space, scene.owner_id)
        shared = "insert into access (object_id, object_kind, subject_id, role) values (%s, 's', %s, 2)"
        door.inside(scene.organisation, shared, space, scene.owner_id)
        said = {"path": f"/drive/{space}", "support": {"grant": str(access), "staff": "x", "name": "Inès"}}
        line = "insert into journal (id, actor_id, verb, object_id, data) values (%s, %s, %s, %s, %s)"
        door.inside(scene.organisation, line, new_id(), scene.owner_id, "support.opened", space, Jsonb(said))
        other = Jsonb(said | {"path": "/drive/other", "support": {"grant": str(space)}})
        door.inside(scene.organisation, line, new_id(), scene.owner_id, "support.opened", None, other)
        page = f"/console/support/{access}"
        shown = scene.owner.get(page).text
        assert "What was opened and done" in shown
        assert "Budget" in shown
        assert "/drive/other" not in shown
        # Another administrator reads that it was opened, and not what it is called.
        colleague = door.person(scene.organisation, "administrator")
        with door.client(scene.organisation, colleague) as client:
            masked = client.get(page).text
            assert "A space that you are not in" in masked
            assert "Budget" not in masked
        scene.take_back(access)
        assert "Budget" in scene.owner.get(page).text
        rival = Scene(door)
        with rival.open:
            assert rival.owner.get(page).status_code == 404
        member = door.person(scene.organisation, "member")
        with door.anybody() as client:
            assert client.get(door.entrance(scene.organisation, member)).status_code == 403


def test_the_overview_says_that_support_waits(scene: Scene) -> None:
    asks = "support asks to look into the workspace"
    assert asks not in scene.owner.get("/console").text
    access = scene.asked()
    assert asks in scene.owner.get("/console").text
    assert f"/console/support/{access}" in scene.owner.get("/console").text
    scene.take_back(access)
    assert asks not in scene.owner.get("/console").text
