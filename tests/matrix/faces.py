"""The faces as they are served, and what their route tables say."""

import json
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from litestar import Litestar
from litestar.handlers import HTTPRouteHandler
from litestar.routes import HTTPRoute
from litestar.types import ASGIApp
from sqlalchemy import Engine

from control_plane.web import make_app
from kit.settings import CellSettings, ControlPlaneSettings
from tenant_app.scim.pushing import directory
from tenant_app.web import create_app

# What Litestar answers by itself, from the route table alone.
AUTOMATIC = {"OPTIONS"}


@dataclass(frozen=True)
class Faces:
    """Each application by name; `served` is the control plane's process as a whole, told apart by hosts."""

    site: Litestar
    portal: Litestar
    workspace: Litestar
    served: ASGIApp


def open_faces(engine: Engine, settings: ControlPlaneSettings, folder: Path) -> Faces:
    """All three, wired as in their processes."""
    served: Any = make_app(settings, engine)
    cell = folder / "cell.json"
    cell.write_text(json.dumps({"cell": "none", "databases": [], "store": {"kind": "files", "root": str(folder)}}))
    tenant_app: Any = create_app(CellSettings.from_env({"PARVIS_CELL_FILE": str(cell)}))
    site, portal = served.applications
    return Faces(site, portal, tenant_app.app.rooms, served)


def routes(app: Litestar) -> dict[str, HTTPRouteHandler | None]:
    """`GET /path/{place}` → its handler; a mount has none."""
    found: dict[str, HTTPRouteHandler | None] = {}
    for route in app.routes:
        if isinstance(route, HTTPRoute):
            for method, (handler, _) in route.route_handler_map.items():
                if method not in AUTOMATIC:
                    found[f"{method} {route.path_format}"] = handler
        else:
            found[f"MOUNT {route.path_format}"] = None
    return found


def access(handler: HTTPRouteHandler | None) -> str:
    """Whom the handler says it lets in: a scope, a permission, a role, `staff`, `directory`, or `public`."""
    if handler is None:
        return "public"
    guards = [getattr(guard, "func", guard) for guard in handler.resolve_guards()]
    scopes = [str(guard.scope) for guard in guards if hasattr(guard, "scope")]
    permissions = [guard.permission for guard in guards if hasattr(guard, "permission")]
    if scopes:
        return scopes[0]
    if permissions:
        return " ".join(str(one) for one in permissions if one) or "staff"
    if handler.opt.get("directory") and any(guard is directory for guard in guards):
        return "directory"
    admits = handler.opt.get("admits")
    return "public" if admits is None else str(admits.name).lower()


def differences(actual: dict[str, str], declared: dict[str, str]) -> dict[str, tuple[str | None, str | None]]:
    """Route → (what it is, what was declared), where they differ."""
    every = actual.keys() | declared.keys()
    return {name: (actual.get(name), declared.get(name)) for name in every if actual.get(name) != declared.get(name)}
