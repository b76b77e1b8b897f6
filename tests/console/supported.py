"""An organisation that support has been in, and where somebody else of the staff waits for a consent."""

from uuid import UUID

from psycopg.types.json import Jsonb

from control_plane import identity
from control_plane.audit import Actor
from kit.db import transaction
from kit.ids import new_id
from tests.world import staff_door
from tests.world.console_door import ConsoleDoor


def supported(door: ConsoleDoor, organisation: UUID, owner: UUID) -> dict[str, str]:
    """Its pages, by short names."""
    portal = staff_door.Door(door.house, door.port)
    accepted = _asked(door, organisation, portal, "support", "Ticket 4711 : un dossier ne s’ouvre pas")
    waiting = _asked(door, organisation, portal, "operator", "Ticket 4712 : une version manque")
    with transaction(door.house.engine) as session:
        actor = Actor("member", str(owner), "Karim Ziani")
        identity.accept_support(session, organisation, accepted, owner, actor=actor)
    space = new_id()
    made = "insert into space (id, name, owner_id) values (%s, 'Budget 2027', %s)"
    door.inside(organisation, made, space, owner)
    shared = "insert into access (object_id, object_kind, subject_id, role) values (%s, 's', %s, 2)"
    door.inside(organisation, shared, space, owner)
    acts = (
        ("support.entered", None, None),
        ("support.opened", "/", None),
        ("support.opened", f"/drive/{space}", space),
    )
    for verb, path, of in acts:
        data = {"path": path, "support": {"grant": str(accepted)}}
        line = "insert into journal (id, actor_id, verb, object_id, data) values (%s, %s, %s, %s, %s)"
        door.inside(organisation, line, new_id(), owner, verb, of, Jsonb(data))
    base = "/console/support"
    return {"support": base, "support_access": f"{base}/{accepted}", "support_waiting": f"{base}/{waiting}"}


def _asked(door: ConsoleDoor, organisation: UUID, portal: staff_door.Door, role: str, reason: str) -> UUID:
    staff = portal.staff(role)
    actor = Actor("staff", str(staff.id), staff.name)
    with transaction(door.house.engine) as session:
        options = {"reason": reason, "read_only": True, "hours": 24}
        return identity.ask_support(session, organisation, staff, actor=actor, **options).id  # type: ignore[arg-type]
