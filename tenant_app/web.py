"""The tenant app's process: host → record → routes. The only place that wires its rooms together."""

import functools
from typing import Any

from litestar import HttpMethod, Litestar, Request, Response, route
from litestar.connection import ASGIConnection
from litestar.di import Provide
from litestar.exceptions import HTTPException, MethodNotAllowedException
from litestar.types import ASGIApp, ControllerRouterHandler, Receive, Scope, Send

from kit import logs
from kit.errors import Refusal
from kit.interface import static_app, workspace_state_page
from kit.settings import CellSettings
from kit.web import Frame, client_ip, content_policy, exception_handlers, health_routes, host_of, problem, wants_page
from tenant_app.accounts import Abroad, Account, Entrance, Proof, SingleLogout, SingleSignOn
from tenant_app.drive import Drive, Home, Stores, Transfers, Trash
from tenant_app.interface import answer_failure
from tenant_app.members import Joining, Members, Waiting
from tenant_app.scim import Provisioning, wrong_method
from tenant_app.spaces import Spaces
from tenant_app.tenancy import Directory, TenantRecord, admit, tenant

# The rooms' routes. A room is served once it stands here.
controllers: list[ControllerRouterHandler] = [Entrance, Account, Home, Members, Joining, Spaces, Drive]
controllers += [Transfers, Trash, SingleSignOn, SingleLogout, Proof, Provisioning]

LOOPBACK = frozenset({"127.0.0.1", "::1", ""})
HEALTH = frozenset({"/healthz", "/readyz"})
NOBODY_HERE = """<!doctype html>
<html lang="en"><head><meta charset="utf-8"><meta name="viewport" content="width=device-width">
<title>404</title></head><body><h1>404</h1>
<p>There is no workspace at this address.</p>
<p lang="fr">Il n’y a pas d’espace de travail à cette adresse.</p></body></html>
""".encode()
PLAIN = [(b"content-type", b"text/html; charset=utf-8"), (b"content-length", str(len(NOBODY_HERE)).encode())]


class Doorkeeper:
    """Decides by the exact host, from memory, who is let in where; an unknown host costs no query."""

    def __init__(
        self, rooms: ASGIApp, closed: ASGIApp, directory: Directory, trusted_edges: frozenset[str] = frozenset()
    ) -> None:
        self.rooms = rooms
        self.closed = closed
        self.directory = directory
        self.inside = LOOPBACK | trusted_edges

    async def __call__(self, scope: Any, receive: Receive, send: Send) -> None:
        """ASGI's entry."""
        if scope["type"] == "lifespan":
            await self.rooms(scope, receive, send)
        elif scope["type"] == "http":
            await (self._door(scope))(scope, receive, send)
        else:
            await send({"type": "websocket.close", "code": 1008, "reason": ""})

    def _door(self, scope: Any) -> ASGIApp:
        if scope["path"] in HEALTH:
            return self.rooms if client_ip(ASGIConnection(scope)) in self.inside else nobody_here
        host = host_of(scope)
        record = self.directory.find(host) if host is not None else None
        if record is None:
            return nobody_here
        admit(scope, record, self.directory)
        logs.bind(organisation_id=record.organisation_id)
        if record.state in {"live", "read_only"} or scope["path"].startswith("/static/"):
            return self.rooms
        return self.closed


async def nobody_here(scope: Scope, receive: Receive, send: Send) -> None:  # noqa: ARG001 - ASGI's shape
    """The plain page of an unknown host: the same for one that never was and one that is gone."""
    body = b"" if scope.get("method") == "HEAD" else NOBODY_HERE
    await send({"type": "http.response.start", "status": 404, "headers": PLAIN})
    await send({"type": "http.response.body", "body": body, "more_body": False})


@route(["/", "/{rest:path}"], http_method=list(HttpMethod), sync_to_thread=False, opt={"public": True})
def state_page(request: Request[Any, Any, Any]) -> Response[Any]:
    """Why a suspended or closing workspace shows nothing, and whom to ask."""
    record = tenant(request)
    if not wants_page(request):
        words = Refusal("workspace_" + record.state, "This workspace is closed for now.", status=403)
        return problem(request, words)
    return workspace_state_page(request, record.state, name=record.name, site_url=record.site_url, locale=record.locale)


def provide_tenant(request: Request[Any, Any, Any]) -> TenantRecord:
    """Handlers name `tenant` to receive the record of their host."""
    return tenant(request)


def create_app(settings: CellSettings, routes: list[ControllerRouterHandler] | None = None) -> ASGIApp:
    """The whole process as an ASGI application. It starts to follow the directory with its lifespan."""
    directory, stores = Directory(settings.cell_file), Stores()
    failures = dict(exception_handlers(answer_failure))
    failures[MethodNotAllowedException] = wrong_method(failures[HTTPException])
    rooms = Litestar(
        [*(controllers if routes is None else routes), *health_routes({"directory": directory.check}), static_app],
        dependencies={"tenant": Provide(provide_tenant, sync_to_thread=False)},
        exception_handlers=failures,
        on_startup=[directory.start],
        on_shutdown=[stores.close, directory.close],
        logging_config=None,
        openapi_config=None,
    )
    rooms.state.directory = directory
    rooms.state.stores = stores
    rooms.state.abroad = Abroad(allow_private=settings.allow_private_fetch)
    rooms.state.invitations = Waiting()
    closed = Litestar([state_page], exception_handlers=exception_handlers(), logging_config=None, openapi_config=None)

    def policy() -> str:
        # A page's script sends files straight to the store.
        return content_policy(connect=directory.cell.store.get("public_endpoint", ""))

    doorkeeper = Doorkeeper(rooms, closed, directory, settings.trusted_edges)
    return Frame(doorkeeper, trusted_edges=settings.trusted_edges, policy=policy)


@functools.cache
def _app() -> ASGIApp:
    settings = CellSettings.from_env()
    logs.configure(settings.log_level, process="tenant-app")
    return create_app(settings)


def __getattr__(name: str) -> Any:
    # The server asks for `tenant_app.web:app`; only then are settings read, so that importing has no effect.
    if name == "app":
        return _app()
    raise AttributeError(name)
