"""The route table of the workspace's rooms, as it is served."""

import re
from typing import Any

from litestar import Litestar
from litestar.routes import HTTPRoute

from tenant_app.web import controllers

SOME_ID = "00000000-0000-7000-8000-000000000000"


def handlers() -> list[tuple[str, str, dict[str, Any]]]:
    """Method, path and options of every route."""
    app = Litestar(list(controllers), openapi_config=None, logging_config=None)
    found = []
    for route in app.routes:
        if isinstance(route, HTTPRoute):
            for handler in route.route_handlers:
                found += [(str(m), route.path_format, handler.opt) for m in handler.http_methods if m != "OPTIONS"]
    return sorted(found, key=lambda one: one[:2])


def unsafe_routes() -> list[tuple[str, str]]:
    """Writes that a session's cookie authorises.

    What other sites and servers send us proves itself: answers of identity providers by signature and flow, a directory
    by its token. Neither looks at a cookie.
    """
    return [
        (method, path)
        for method, path, opt in handlers()
        if method not in ("GET", "HEAD") and "foreign" not in opt and not path.startswith("/scim/")
    ]


def fill(path: str) -> str:
    """An address of that shape, with an id that nothing has."""
    return re.sub(r"\{(\w+)[^}]*\}", lambda match: "1" if match[1] == "n" else SOME_ID, path)
