"""The control plane's web process: the public site with the console, and the portal, told apart by their exact hosts.

`granian --interface asgi control_plane.web:app`
"""

from collections.abc import AsyncIterator
from contextlib import AsyncExitStack, asynccontextmanager
from typing import Any
from urllib.parse import urlsplit

from litestar import Litestar
from litestar.datastructures import State
from litestar.di import Provide
from litestar.types import ASGIApp, Receive, Scope, Send
from sqlalchemy import Engine, text

from control_plane import console, operator_api, portal, signup
from kit import logs
from kit.db import open_engine
from kit.interface import error_page, static_app
from kit.settings import ControlPlaneSettings
from kit.web import Csrf, Frame, content_policy, exception_handlers, health_routes, host_of, provide_session

LARGEST_BODY = 1_000_000
HEALTH = frozenset({"/healthz", "/readyz"})


async def provide_settings(state: State) -> ControlPlaneSettings:
    """The process's settings."""
    settings: ControlPlaneSettings = state.settings
    return settings


async def provide_doors(state: State) -> signup.Doors:
    """The way into workspaces."""
    doors: signup.Doors = state.doors
    return doors


async def provide_csrf(state: State) -> Csrf:
    """The site's guard against forged writes."""
    csrf: Csrf = state.csrf
    return csrf


def _application(routes: list[Any], state: dict[str, Any], dependencies: dict[str, Any], engine: Engine) -> Litestar:
    def database() -> None:
        with engine.connect() as connection:
            connection.execute(text("select 1"))

    return Litestar(
        route_handlers=[*routes, static_app, *health_routes({"database": database})],
        state=State(state),
        dependencies={name: Provide(make) for name, make in dependencies.items()},
        exception_handlers=exception_handlers(error_page),
        request_max_body_size=LARGEST_BODY,
        openapi_config=None,
        logging_config=None,
    )


async def _nobody_here(scope: Scope, receive: Receive, send: Send) -> None:  # noqa: ARG001 - ASGI's shape
    body = b"404 There is nothing at this address.\n"
    headers = [(b"content-type", b"text/plain; charset=utf-8"), (b"content-length", str(len(body)).encode())]
    await send({"type": "http.response.start", "status": 404, "headers": headers})
    await send({"type": "http.response.body", "body": body, "more_body": False})


class Hosts:
    """Sends each request to the application of its exact host; any other gets a plain 404, and no query is made."""

    def __init__(self, faces: dict[str, ASGIApp], nobody: ASGIApp, applications: list[Litestar]) -> None:
        self.faces = faces
        self.nobody = nobody
        self.applications = applications

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """ASGI's entry."""
        if scope["type"] == "lifespan":  # type: ignore[comparison-overlap]
            await self._live(receive, send)
            return
        face = self.faces.get(host_of(scope) or "")
        if face is None and scope["path"] in HEALTH:
            # Whoever watches the process asks by its port, not by a name.
            face = next(iter(self.faces.values()))
        await (face or self.nobody)(scope, receive, send)

    async def _live(self, receive: Any, send: Any) -> None:
        await receive()
        async with self._running():
            await send({"type": "lifespan.startup.complete"})
            await receive()
        await send({"type": "lifespan.shutdown.complete"})

    @asynccontextmanager
    async def _running(self) -> AsyncIterator[None]:
        async with AsyncExitStack() as stack:
            for application in self.applications:
                await stack.enter_async_context(application.lifespan())
            yield


def make_app(settings: ControlPlaneSettings, engine: Engine | None = None) -> ASGIApp:
    """The process's ASGI application. The engine brings the vault."""
    vault = settings.vault()
    engine = engine or open_engine(settings.database_url, vault=vault)
    doors = signup.Doors(settings, vault)
    csrf = signup.csrf_of(*vault.derivations("site-csrf"))
    state = {"engine": engine, "settings": settings, "doors": doors, "csrf": csrf}
    own = {"session": provide_session, "settings": provide_settings, "doors": provide_doors, "csrf": provide_csrf}
    site = _application([signup.site_routes(csrf), console.routes()], state, own, engine)
    staff = _application([*portal.controllers, operator_api.router()], state, {"settings": provide_settings}, engine)
    edges = settings.trusted_edges
    policy = content_policy(form_action=doors.sources())
    return Hosts(
        {
            urlsplit(settings.site_url).netloc: Frame(site, trusted_edges=edges, policy=lambda: policy),
            urlsplit(settings.portal_url).netloc: Frame(staff, trusted_edges=edges, policy=lambda: policy),
        },
        Frame(_nobody_here, trusted_edges=edges),
        [site, staff],
    )


def __getattr__(name: str) -> Any:
    # Made when a server asks for it, so that importing this module reads no setting.
    if name != "app":
        raise AttributeError(name)
    settings = ControlPlaneSettings.from_env()
    logs.configure(settings.log_level, process="control-plane-web")
    made = make_app(settings)
    globals()["app"] = made
    return made
