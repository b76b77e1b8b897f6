"""An organisation whose console has something to show: people, domains, connections, traces, tokens, links."""

from dataclasses import dataclass, field
from types import SimpleNamespace
from typing import Any
from uuid import UUID

from psycopg.types.json import Jsonb

from control_plane import identity
from control_plane.audit import SYSTEM
from control_plane.identity import NewConnection
from kit.db import transaction
from kit.ids import new_id
from tests.console.certificate import pem
from tests.console.supported import supported
from tests.world.console_door import ConsoleDoor

CHECKS = [
    {"name": "signature_key", "ok": True},
    {"name": "in_response_to", "ok": True},
    {
        "name": "audience",
        "ok": False,
        "seen": "https://saint-aubin.parvis.example/",
        "wanted": "https://saint-aubin.parvis.example/saml/metadata",
    },
]
CLAIMS = {"NameID": "k…@saint-aubin.example", "groups": ["direction", "agents"]}


@dataclass
class Furnished:
    """What was made; `pages` by a short name."""

    organisation: UUID
    owner: UUID
    connection: UUID
    pages: dict[str, str] = field(default_factory=dict)


def settings_of(door: ConsoleDoor) -> Any:
    """As much of the settings as links and connections read."""
    suffix = ".parvis.localhost"
    return SimpleNamespace(
        site_url=door.url,
        workspace_suffix=suffix,
        allow_private_fetch=True,
        dns_resolvers=(),
        workspace_url=lambda address: f"http://{address}{suffix}:{door.port}",
    )


def saml_connection(door: ConsoleDoor, organisation: UUID, name: str = "Entra ID de la mairie", **options: Any) -> UUID:
    """A SAML connection told field by field."""
    settings = {
        "entity_id": "https://sts.annuaire.example/3f1c/",
        "sso_url": "https://login.annuaire.example/3f1c/saml2",
        "certificates": [pem("Annuaire de test")],
    }
    asked = {"kind": "saml", "vendor": "entra", "domains": ["saint-aubin.example"], "settings": settings, **options}
    with transaction(door.house.engine) as session:
        new = NewConnection(name=name, **asked)
        return identity.add_connection(session, settings_of(door), organisation, new, actor=SYSTEM).id


def proven(door: ConsoleDoor, organisation: UUID, name: str) -> UUID:
    """A domain that counts as proven (its record was seen)."""
    with transaction(door.house.engine) as session:
        made = identity.claim_domain(session, organisation, name, actor=SYSTEM).id
    door.house.sql(
        "update organisation_domain set state = 'proven', proven_at = now(), checked_at = now() where id = :id", id=made
    )
    return made


def trace(door: ConsoleDoor, organisation: UUID, connection: UUID, purpose: str, data: dict[str, Any]) -> None:
    """What a sign-in left behind."""
    door.inside(
        organisation,
        "insert into sso_trace (id, connection_id, purpose, outcome, data) values (%s, %s, %s, %s, %s)",
        *(new_id(), connection, purpose, data.get("refusal") or "ok", Jsonb(data)),
    )


def waits(door: ConsoleDoor, organisation: UUID, person: UUID, kind: str = "deactivate") -> UUID:
    """Somebody whom the directory would remove beyond the brake."""
    removal = new_id()
    door.inside(
        organisation,
        "insert into scim_removal (id, principal_id, kind, state) values (%s, %s, %s, 'waiting')",
        *(removal, person, kind),
    )
    return removal


def furnish(door: ConsoleDoor) -> Furnished:
    """All of it."""
    organisation = door.house.live(name="Ville de Saint-Aubin", address="saint-aubin", offer="public-sector")
    owner = door.person(organisation, "owner", passkeys=1)
    door.lets_set_up_sign_in(organisation, door.person(organisation, "administrator", passkeys=1))
    for name in ("Léa Wagner", "Paul Guérin", "Awa Diop", "Marc Le Goff"):
        door.person(organisation, "member", name=name, email=f"{name.split()[0].lower()}@saint-aubin.example")
    door.person(organisation, "guest", name="Claire Fontenay")
    proven(door, organisation, "saint-aubin.example")
    with transaction(door.house.engine) as session:
        identity.claim_domain(session, organisation, "mairie-saint-aubin.example", actor=SYSTEM)
        settings = settings_of(door)
        identity.issue_scim_token(session, organisation, "Entra ID, approvisionnement", actor=SYSTEM)
        identity.make_set_up_link(session, settings, organisation, "sign_in", actor=SYSTEM)
        change = identity.PolicyChange(break_glass=[owner], session_seconds=8 * 3600)
        identity.set_policy(session, organisation, change, actor=SYSTEM)
        draft = NewConnection(kind="oidc", name="Keycloak", vendor="keycloak")
        empty = identity.add_connection(session, settings, organisation, draft, actor=SYSTEM).id
    one = saml_connection(door, organisation, roles={"direction": "administrator"}, pilot=["karim@saint-aubin.example"])
    result = {"name": "Karim Ziani", "email": "karim@saint-aubin.example", "role": "member", "action": "signed_in"}
    trace(door, organisation, one, "sign_in", {"checks": CHECKS[:2], "claims": CLAIMS, "result": result})
    refused = {"checks": CHECKS, "claims": CLAIMS, "result": {"action": "refused"}, "refusal": "saml_audience"}
    trace(door, organisation, one, "test", refused)
    leaving = door.person(organisation, "member", name="Jean Quitte")
    waits(door, organisation, leaving)
    door.inside(
        organisation,
        "insert into scim_event (id, verb, object_id, data) values (%s, 'user.created', %s, %s)",
        *(new_id(), leaving, Jsonb({"userName": "jean@saint-aubin.example"})),
    )
    base = f"/console/sign-in/{one}"
    pages = {
        "home": "/console",
        "members": "/console/members",
        "domains": "/console/domains",
        "connections": "/console/sign-in",
        "new": "/console/sign-in/new",
        "connection": base,
        "draft": f"/console/sign-in/{empty}",
        "people": f"{base}/people?groups=Karim:+direction%0ALea:+agents",
        "certificates": f"{base}/certificates",
        "traces": f"{base}/traces",
        "provisioning": "/console/provisioning",
        "removals": "/console/provisioning/removals",
        "events": "/console/provisioning/events",
        "policy": "/console/policy",
        "links": "/console/links",
        "plan": "/console/plan",
        **supported(door, organisation, owner),
        "journal": "/console/journal",
        "sign-ins": "/console/journal?kind=sign-ins",
        "directory": "/console/journal?kind=directory",
        "closed": "/console/left",
    }
    return Furnished(organisation, owner, one, pages)
