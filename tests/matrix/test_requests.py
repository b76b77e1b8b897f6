"""Each route of the API and the portal, asked by each of eight principals: who may, gets past the door; nobody else."""

from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from typing import Any
from uuid import UUID

import pytest
from litestar import Litestar, get
from litestar.testing import TestClient
from sqlalchemy import Engine, text

from control_plane import identity
from control_plane.audit import SYSTEM
from control_plane.identity import PERMISSIONS, Permission, Role, Scope
from control_plane.identity.organisation_models import Connection, SetUpLink, SupportAccess
from control_plane.identity.sessions import open_session
from control_plane.operator_api import router
from control_plane.storage.mirror_models import MirrorRun
from kit.credentials import new_token, token_hash
from kit.db import transaction, vault_of
from kit.ids import new_id
from tests.matrix.declared import API, PORTAL
from tests.matrix.faces import Faces
from tests.operator_api.conftest import Api

HOST = "portal.parvis.localhost:8080"
NOT_IN = {401, 403}


@dataclass
class World:
    """What exists, and who asks."""

    client: TestClient[Any]
    engine: Engine
    places: dict[str, str | Callable[[], str]]
    secrets: dict[str, str] = field(default_factory=dict)

    def ask(self, route: str, headers: dict[str, str]) -> int:
        method, _, path = route.partition(" ")
        for name, value in self.places.items():
            if f"{{{name}}}" in path:
                path = path.replace(f"{{{name}}}", value if isinstance(value, str) else value())
        assert "{" not in path, f"no place is known for {path}"
        sent = {"host": HOST, "accept": "application/json", "cookie": "", **headers}
        with self.client.stream(method, path, headers=sent, follow_redirects=False) as answer:
            return int(answer.status_code)

    def token(self, scopes: list[Scope], expired: bool = False) -> str:
        key = f"{sorted(scopes)}{expired}"
        if key not in self.secrets:
            with transaction(self.engine) as session:
                made, secret = identity.issue_token(session, "matrix", scopes, _soon(), (), SYSTEM)
                if expired:
                    session.execute(
                        text("update api_token set expires_at = now() - interval '1 minute' where id = :id"),
                        {"id": made.id},
                    )
            self.secrets[key] = secret
        return self.secrets[key]

    def staff(self, role: Role, *, stage: str = "full", expired: bool = False) -> str:
        """The cookie of a member of staff."""
        key = f"{role}{stage}{expired}"
        if key not in self.secrets:
            with transaction(self.engine) as session:
                email = f"{role}@parvis.example"
                found = identity.find_staff(session, email) or identity.create_staff(
                    session, vault_of(session), email, "Marc", role, "tondeuse nuage bleu 41"
                )
                self.secrets[key] = open_session(session, found, stage, identity.Client("127.0.0.1", "test"))
                if expired:
                    session.execute(
                        text(
                            "update staff_session set expires_at = now() - interval '1 minute' where token_hash = :of"
                        ),
                        {"of": token_hash(self.secrets[key])},
                    )
        return f"portal={self.secrets[key]}"


def _soon() -> datetime:
    return datetime.now(UTC) + timedelta(hours=1)


def run_of(engine: Engine, organisation_id: str) -> UUID:
    """A verification of its mirror that somebody asked for."""
    run_id = new_id()
    with transaction(engine) as session:
        asked = {"asked": {}, "requested_by": {}, "kind": "verify"}
        session.add(MirrorRun(id=run_id, organisation_id=UUID(organisation_id), **asked))
    return run_id


def domain_of(engine: Engine, organisation_id: UUID) -> str:
    """A domain that it has claimed."""
    with transaction(engine) as session:
        return str(identity.claim_domain(session, organisation_id, "sevres.example", actor=SYSTEM).id)


def access_of(engine: Engine, organisation_id: UUID) -> str:
    """Somebody of the staff asks to come in, and nobody has answered."""
    row = SupportAccess(
        id=new_id(),
        organisation_id=organisation_id,
        staff_id=new_id(),
        staff_name="Marc",
        reason="Ticket 4711",
        read_only=True,
        hours=3,
        asked_at=datetime.now(UTC),
    )
    with transaction(engine) as session:
        session.add(row)
    return str(row.id)


def sign_in_of(engine: Engine, organisation_id: UUID) -> dict[str, str]:
    """A connection, a directory's token, a link."""
    plain: dict[str, Any] = {"domains": [], "pilot": [], "attributes": {}, "roles": {}, "settings": {}}
    made = Connection(
        id=new_id(),
        organisation_id=organisation_id,
        kind="oidc",
        vendor="generic",
        name="IdP",
        stage="draft",
        just_in_time=True,
        settled_at=datetime.now(UTC),
        **plain,
    )
    link = SetUpLink(
        id=new_id(),
        organisation_id=organisation_id,
        token_hash=b"x",
        purpose="scim",
        created_by="x",
        expires_at=_soon(),
    )
    with transaction(engine) as session:
        session.add_all([made, link])
        token, _ = identity.issue_scim_token(session, organisation_id, "matrix", actor=SYSTEM)
    return {"connection_id": str(made.id), "link_id": str(link.id), "scim_token_id": str(token.id)}


@pytest.fixture(scope="module")
def world(faces: Faces, matrix_engine: Engine) -> Iterator[World]:
    with TestClient(faces.portal, raise_server_exceptions=False) as client:
        client.app = faces.served  # type: ignore[assignment]
        with transaction(matrix_engine) as session:
            _, secret = identity.issue_token(session, "all", tuple(Scope), None, (), SYSTEM)
            spare, _ = identity.issue_token(session, "spare", [Scope.TOKENS_WRITE], None, (), SYSTEM)
        client.headers["host"] = HOST
        made = Api(client, matrix_engine, secret, spare).order("sevres")
        organisation_id = UUID(made["organisation"]["id"])
        places: dict[str, str | Callable[[], str]] = {
            # What one request removes is there again for the next.
            "domain_id": lambda: domain_of(matrix_engine, organisation_id),
            **sign_in_of(matrix_engine, organisation_id),
            "reference": "sevres",
            "operation_id": made["operation"]["id"],
            "code": "team",
            "name": "fr-par-1",
            "token_id": str(spare.id),
            "run_id": str(run_of(matrix_engine, made["organisation"]["id"])),
            "passkey_id": str(new_id()),
            "public_id": "0" * 24,
            "staff_id": str(new_id()),
            "access_id": lambda: access_of(matrix_engine, organisation_id),
        }
        yield World(client, matrix_engine, places)


def bearer(secret: str) -> dict[str, str]:
    return {"authorization": f"Bearer {secret}"}


def foreign(_world: World) -> dict[str, str]:
    """A session of a workspace, of whatever role there: the provider's door does not know it."""
    token = new_token()
    return {"cookie": f"parvis={token}; portal={token}"}


@pytest.mark.parametrize("route", [name for name, scope in API.items() if scope != "public"])
def test_a_route_of_the_api_lets_in_its_one_scope_only(world: World, route: str) -> None:
    scope = Scope(API[route])
    others = [one for one in Scope if one is not scope]
    answers = {
        "none": world.ask(route, {}),
        "expired": world.ask(route, bearer(world.token(list(Scope), expired=True))),
        "scope missing": world.ask(route, bearer(world.token(others))),
        "other tenant's member": world.ask(route, foreign(world)),
        "other tenant's admin": world.ask(route, foreign(world)),
        "guest": world.ask(route, foreign(world)),
        "staff without a token": world.ask(route, {"cookie": world.staff(Role.OPERATOR)}),
    }
    assert answers == {
        "none": 401,
        "expired": 401,
        "scope missing": 403,
        "other tenant's member": 401,
        "other tenant's admin": 401,
        "guest": 401,
        "staff without a token": 401,
    }
    right = world.ask(route, bearer(world.token([scope])))
    assert right not in NOT_IN | {404, 405, 500}


def lesser(access: str) -> Role | None:
    """A role that lacks what a route of the portal wants."""
    wanted = [Permission(one) for one in access.split()] if access != "staff" else []
    return next((role for role in Role if any(one not in PERMISSIONS[role] for one in wanted)), None)


@pytest.mark.parametrize("route", [name for name, access in PORTAL.items() if access != "public"])
def test_a_route_of_the_portal_lets_in_its_permission_only(world: World, route: str) -> None:
    access = PORTAL[route]
    role = lesser(access)
    lower = {"cookie": world.staff(role)} if role else {"cookie": world.staff(Role.SALES, stage="password")}
    answers = {
        "none": world.ask(route, {}),
        "expired": world.ask(route, {"cookie": world.staff(Role.OPERATOR, expired=True)}),
        "lower role": world.ask(route, lower),
        "other tenant's member": world.ask(route, foreign(world)),
        "other tenant's admin": world.ask(route, foreign(world)),
        "guest": world.ask(route, foreign(world)),
        "a script with every scope": world.ask(route, bearer(world.token(list(Scope)))),
    }
    assert answers == {
        "none": 401,
        "expired": 401,
        # What one's role does not show is not there.
        "lower role": 404 if role else 401,
        "other tenant's member": 401,
        "other tenant's admin": 401,
        "guest": 401,
        "a script with every scope": 401,
    }
    right = world.ask(route, {"cookie": world.staff(Role.OPERATOR)})
    # A write without the page's own token stops at the next door: past who may, before what happens.
    assert right == 403 if route.startswith("POST") else right not in NOT_IN | {404, 405, 500}


def test_a_route_whose_guard_was_forgotten_answers_everybody(matrix_engine: Engine) -> None:
    """The broken control: without a guard the matrix sees 200 where it wants 401."""

    @get("/api/v1/forgotten", sync_to_thread=False)
    def forgotten() -> str:
        return "open"

    app = Litestar([router(), forgotten], openapi_config=None)
    app.state.engine = matrix_engine
    with TestClient(app) as client:
        assert client.get("/api/v1/forgotten").status_code == 200
        assert client.get("/api/v1/tokens").status_code == 401
